"""Drawing: the pictures of one stage's channels, from patches and by synthesis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tutelage.modality import InputSpec, Item
from tutelage.network.stages import Network
from tutelage.viewing.field import Field
from tutelage.viewing.objective import channels
from tutelage.viewing.parameterisation import Fourier
from tutelage.viewing.patches import Patch, cut
from tutelage.viewing.picture import tiled
from tutelage.viewing.places import as_map
from tutelage.viewing.synthesis import Ascent, Model, synthesise
from tutelage.viewing.wish import Wish

Show = Callable[[Item, int], bytes]

TILE = 64
"""Pixels of a patch on the page."""

FIELDS = 4
"""Sides of a receptive field in a synthesised picture of an early stage; a picture of more would be a texture
too fine to see."""

RATE, LARGE = 0.1, 128
"""Rate of the ascent on a canvas of so many pixels; on a smaller one it is larger in proportion, because full colour
is farther from grey there."""

SMALL, MARGIN = 48, 0.25
"""The smallest canvas in pixels, and what is cut off a small one: its border is the kernels' padding."""


@dataclass(frozen=True)
class Canvas:
    """How large pictures of a stage are.

    Attributes:
        size: height = width that is optimised, in pixels.
        shown: of its middle.
    """

    size: int
    shown: int


def canvas_for(field: Field, wanted: int, spec: InputSpec) -> Canvas:
    """A canvas of a few receptive fields: at most ``wanted``, and what the network takes."""
    if spec.smallest > wanted or spec.smallest >= spec.size:
        return Canvas(spec.size, spec.size)
    size = min(wanted, spec.size, max(SMALL, spec.smallest, 16 * -(-FIELDS * field.support // 16)))
    return Canvas(size, size if size == min(wanted, spec.size) else round(size * (1 - 2 * MARGIN)))


def model_of(network: Network, prepare: nn.Module, stage: int) -> Model:
    """Pictures (N, C, H, W) in 0..1 -> the map of a stage, or its vector as a map of one place."""
    trunk = network.trunk(stage)

    def model(pictures: Tensor) -> Tensor:
        x = trunk(prepare({"x": 255 * pictures.permute(0, 2, 3, 1)}))["x"]
        places = as_map(x)
        return x[:, :, None, None] if places is None else places

    return model


def synthesised(network: Network, prepare: nn.Module, stage: int, wanted: Sequence[int], canvas: Canvas, wish: Wish, spec: InputSpec) -> Tensor:  # fmt: skip
    """One picture a channel, whole: (N, C, size, size) in 0..1."""
    rng = torch.Generator().manual_seed(1000 * wish.seed + stage)
    parameterisation = Fourier(canvas.size, spec.channels)
    ascent = Ascent(wish.steps, RATE * LARGE / canvas.size)
    return synthesise(model_of(network, prepare, stage), channels(wanted), parameterisation, len(wanted), rng, ascent)  # fmt: skip


def shown(pictures: Tensor, canvas: Canvas) -> npt.NDArray[np.uint8]:
    """The middle of each picture: (N, shown, shown, C) uint8."""
    edge = (canvas.size - canvas.shown) // 2
    middle = pictures[:, :, edge : edge + canvas.shown, edge : edge + canvas.shown]
    return (255 * middle).round().byte().permute(0, 2, 3, 1).numpy()


def patch_strip(show: Show, views: npt.NDArray[np.uint8], patches: Sequence[Patch]) -> bytes:
    """The patches of a channel in one row."""
    tiles = [show(np.ascontiguousarray(cut(views[p.item], p)), TILE) for p in patches]
    return tiled(tiles, TILE, len(tiles))


def sheet(show: Show, arrays: npt.NDArray[np.uint8], side: int, columns: int) -> bytes:
    """Arrays (N, H, W, C) as tiles."""
    return tiled([show(np.ascontiguousarray(array), side) for array in arrays], side, columns)
