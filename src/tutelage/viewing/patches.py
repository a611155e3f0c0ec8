"""Patches: the places of the user's own items that excite a channel most, cut out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.viewing.look import Sight
from tutelage.viewing.places import centres

LEAST = 16
"""Side in pixels that is cut out at least: of smaller fields some surroundings are shown too."""


@dataclass(frozen=True)
class Patch:
    """A part of an item's plain view.

    Attributes:
        item: its index among those that were looked at.
        box: left, top, right, bottom in pixels of the plain view; inside it.
        value: how much it excites the channel.
    """

    item: int
    box: tuple[int, int, int, int]
    value: float


def top_patches(sight: Sight, channel: int, size: int, side: int, count: int) -> tuple[Patch, ...]:
    """The ``count`` items that excite a channel most, the most exciting place of each; ties by index.

    Args:
        sight: of a stage with a map.
        size: height = width in pixels of the plain view.
        side: of the receptive field, in pixels.
    """
    if sight.shape is None:
        return ()
    order = np.argsort(-sight.peak[:, channel], kind="stable")[:count]
    middles = centres(sight.place[order, channel], sight.shape, size)
    return tuple(
        Patch(int(i), _box(x, y, min(size, max(LEAST, side)), size), float(sight.peak[i, channel]))
        for i, (x, y) in zip(order, middles, strict=True)
    )


def _box(x: float, y: float, side: int, size: int) -> tuple[int, int, int, int]:
    left, top = round(x - side / 2), round(y - side / 2)
    return max(0, left), max(0, top), min(size, left + side), min(size, top + side)


def cut(view: npt.NDArray[Any], patch: Patch) -> npt.NDArray[Any]:
    """What a patch shows of its plain view (H, W, C)."""
    left, top, right, bottom = patch.box
    return view[top:bottom, left:right]


def named(patches: Sequence[Patch], names: Sequence[str]) -> list[dict[str, Any]]:
    """For JSON."""
    return [{"item": names[p.item], "box": list(p.box), "value": round(p.value, 6)} for p in patches]  # fmt: skip
