"""Pictures of an audit: an item, what was made of it, what was changed, and what it imitates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.report.thumbnails import pictured
from tutelage.security.inquiry import Inquiry
from tutelage.security.mimicry import one

SHOWN = 3
LOUDER = 10.0
"""Factor on the change, so that it can be seen."""


def pictures(inquiry: Inquiry) -> tuple[dict[str, dict[str, str]], list[dict[str, Any]]]:
    """The first few items that a copy's adversary turned into the wanted class.

    Returns:
        name -> ``{"picture": "data:image/png;..."}``, and rows of ``{"item", "label", "told", "source", "crafted", "change", "imitated"}`` whose last four
        are names of pictures. Both empty where the modality cannot be shown.
    """
    show, items, perturb = inquiry.perturb.picture, inquiry.items, inquiry.perturb
    if show is None:
        return {}, []
    graded, cut = perturb.graded, inquiry.headline
    made = inquiry.crafter().craft(items, "copy", cut, inquiry.reads(), graded, inquiry.pursuit("copy"))["windows"]  # fmt: skip
    hit = (inquiry.examiner.fooled(made, targeted=True) > 0.5) & inquiry.right
    named: dict[str, dict[str, str]] = {}
    rows = []
    for number, at in enumerate(np.flatnonzero(hit)[:SHOWN]):
        source, crafted = items.windows[at], made[at]
        imitated = items.references[one(items, int(items.targets[at]))]
        parts = {"source": source, "crafted": crafted, "change": _louder(source, crafted, perturb.low, perturb.high), "imitated": imitated}  # fmt: skip
        named |= {f"{part}-{number}": pictured(show(window), "png") for part, window in parts.items()}  # fmt: skip
        rows.append({
            "item": items.names[at], "label": items.classes[items.truth[at]], "told": items.classes[items.targets[at]],
            **{part: f"{part}-{number}" for part in parts},
        })  # fmt: skip
    return named, rows


def _louder(source: npt.NDArray[Any], crafted: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[Any]:  # fmt: skip
    change = crafted.astype(np.float64) - source
    louder: npt.NDArray[Any] = np.clip((low + high) / 2 + LOUDER * change, low, high)
    return louder.astype(source.dtype)
