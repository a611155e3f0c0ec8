"""The channels of a stage that are shown: chosen by a rule, with their patches and their picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tutelage.modality import InputSpec
from tutelage.network.stages import Network
from tutelage.training import Lesson
from tutelage.viewing.drawing import Show, canvas_for, patch_strip, shown, synthesised
from tutelage.viewing.field import Field
from tutelage.viewing.items import Items
from tutelage.viewing.look import Sight
from tutelage.viewing.patches import named, top_patches
from tutelage.viewing.picture import tiled
from tutelage.viewing.separability import separability, telling
from tutelage.viewing.wish import Wish

Row = dict[str, Any]

PICTURE = 128
"""Pixels of a synthesised picture on the page."""


def shown_stage(lesson: Lesson, network: Network, sight: Sight, field: Field | None, items: Items, wish: Wish) -> tuple[list[Row], dict[str, bytes]]:  # fmt: skip
    """A row a channel, and the pictures.

    A stage without places, or of a modality that cannot be shown, has rows without pictures.
    """
    shares = separability(sight.pooled, items.truth)
    picked = telling(shares, wish.channels)
    rows = [_row(lesson, sight, channel, float(shares[channel]), items) for channel in picked]
    show, spec = lesson.teacher.modality.show, lesson.activations.spec
    if show is None or field is None:
        return rows, {}
    pictures = _patches(show, rows, sight, field, items, wish, spec)
    if wish.synthesis:
        pictures |= _synthesis(lesson, network, show, rows, sight, field, wish)
    return rows, pictures


def _row(lesson: Lesson, sight: Sight, channel: int, share: float, items: Items) -> Row:
    """A channel with the class whose items excite it most, on the mean."""
    values = sight.pooled[:, channel]
    means = {c: float(values[items.truth == c].mean()) for c in np.unique(items.truth).tolist()}
    best = max(means, key=lambda c: means[c])
    return {"channel": channel, "separability": share, "answers_to": lesson.classes[best], "patches": [], "pictures": {}}  # fmt: skip


def _patches(show: Show, rows: Sequence[Row], sight: Sight, field: Field, items: Items, wish: Wish, spec: InputSpec) -> dict[str, bytes]:  # fmt: skip
    pictures, views = {}, items.views
    for row in rows:
        patches = top_patches(sight, row["channel"], spec.size, field.effective, wish.patches)
        name = f"{sight.name}/{row['channel']}/patches"
        pictures[name] = patch_strip(show, views, patches)
        row["patches"] = named(patches, items.names)
        row["pictures"]["patches"] = name
    return pictures


def _synthesis(lesson: Lesson, network: Network, show: Show, rows: Sequence[Row], sight: Sight, field: Field, wish: Wish) -> dict[str, bytes]:  # fmt: skip
    spec, pictures = lesson.activations.spec, {}
    canvas = canvas_for(field, wish.size, spec)
    wanted = [row["channel"] for row in rows]
    drawn = shown(
        synthesised(
            network, lesson.teacher.prepare(spec), sight.number, wanted, canvas, wish, spec
        ),
        canvas,
    )
    for row, array in zip(rows, drawn, strict=True):
        name = f"{sight.name}/{row['channel']}/synthesis"
        pictures[name] = tiled([show(array, canvas.shown)], PICTURE, 1)
        row["pictures"]["synthesis"] = name
    return pictures
