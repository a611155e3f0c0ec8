"""Pictures of an audit: an item, what was made of it, what was changed, and what it imitates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.report.thumbnails import pictured
from tutelage.security.inquiry import Inquiry
from tutelage.security.mimicry import Goal, one

SHOWN = 3
LOUDER = 10.0
"""Factor on the change, so that it can be seen."""


def pictures(inquiry: Inquiry) -> tuple[dict[str, dict[str, str]], list[dict[str, Any]]]:
    """The first few items that a copy's adversary turned into the wanted class; where they are quoted, into any wrong one.

    Returns:
        name -> ``{"picture": "data:image/png;..."}`` or ``{"text": ...}``, and rows of ``{"item", "label", "told", "source", "crafted",
        "change", "imitated"}`` whose last ones are names of pictures; what is quoted has no change and imitates nothing. Both
        empty where the modality cannot be shown.
    """
    perturb = inquiry.perturb
    if perturb.picture is not None:
        return _shown(inquiry, "copy", perturb.picture)
    return _quoted(inquiry, perturb.quote) if perturb.quote is not None else ({}, [])


def _shown(inquiry: Inquiry, goal: Goal, show: Callable[[npt.NDArray[Any]], bytes]) -> tuple[dict[str, dict[str, str]], list[dict[str, Any]]]:  # fmt: skip
    items, perturb, made = inquiry.items, inquiry.perturb, _made(inquiry, goal)
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


def _quoted(inquiry: Inquiry, quote: Callable[[npt.NDArray[Any]], str]) -> tuple[dict[str, dict[str, str]], list[dict[str, Any]]]:  # fmt: skip
    items, made = inquiry.items, _made(inquiry, "copy away")
    told = inquiry.examiner.answers(made)[0]
    named: dict[str, dict[str, str]] = {}
    rows = []
    for number, at in enumerate(np.flatnonzero((told != items.truth) & inquiry.right)[:SHOWN]):
        parts = {"source": items.windows[at], "crafted": made[at]}
        named |= {f"{part}-{number}": {"text": quote(window)} for part, window in parts.items()}
        rows.append({
            "item": items.names[at], "label": items.classes[items.truth[at]], "told": items.classes[told[at]],
            **{part: f"{part}-{number}" for part in parts},
        })  # fmt: skip
    return named, rows


def _made(inquiry: Inquiry, goal: Goal) -> npt.NDArray[Any]:
    made: npt.NDArray[Any] = inquiry.crafter().craft(
        inquiry.items, goal, inquiry.headline, inquiry.reads(), inquiry.perturb.graded, inquiry.pursuit(goal)
    )["windows"]  # fmt: skip
    return made


def _louder(source: npt.NDArray[Any], crafted: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[Any]:  # fmt: skip
    change = crafted.astype(np.float64) - source
    louder: npt.NDArray[Any] = np.clip((low + high) / 2 + LOUDER * change, low, high)
    return louder.astype(source.dtype)
