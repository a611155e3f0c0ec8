"""A look: one pass of a few items through all stages, keeping what each channel says of each item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tutelage.network.stages import Activation, Network, channels_last
from tutelage.network.taps import pooled
from tutelage.training.loop import as_activation
from tutelage.viewing.cka import gram, gram_cka
from tutelage.viewing.places import as_map

Table = npt.NDArray[np.float32]

COARSE = 2
"""Rows and columns that a map is averaged to for CKA: where something is counts, to a quarter of the picture."""


@dataclass(frozen=True)
class Sight:
    """What leaves one stage, of N items.

    Attributes:
        name, number: of the stage; its number is 1..L.
        pooled: (N, D), the mean over places, as a head would read it.
        shape: (h, w) of its map; None if it has none.
        peak: (N, D), the largest value over places; empty without a map.
        place: (N, D), where that is.
        alike: CKA with the same stage of the teacher; None where there is no other network.
    """

    name: str
    number: int
    pooled: Table
    shape: tuple[int, int] | None = None
    peak: Table = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    place: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    alike: float | None = None


@torch.no_grad()
def look(network: Network, prepare: nn.Module, batches: Iterable[Mapping[str, npt.NDArray[Any]]], teacher: Network | None = None, cut: int = 0) -> tuple[Sight, ...]:  # fmt: skip
    """Look through every stage.

    Args:
        network: what is looked through, in eval mode.
        prepare: from collated batches to the activation at cut 0.
        batches: of N items together, at least one.
        teacher: another network of the same stages, to compare with.
        cut: stages that the two share.
    """
    kept = [_Kept() for _ in network.stages]
    for one in (network, teacher) if teacher is not None else (network,):
        channels_last(one.model)
    for batch in batches:
        start = prepare(as_activation(batch))
        shared = _through(network, start, 0, cut, kept, own=True)
        _through(network, shared, cut, len(kept), kept, own=True)
        if teacher is not None:
            _through(teacher, shared, cut, len(kept), kept, own=False)
    return tuple(_sight(network.names[i], i + 1, k, teacher is not None, i < cut) for i, k in enumerate(kept))  # fmt: skip


def _through(network: Network, activation: Activation, start: int, stop: int, kept: list[_Kept], own: bool) -> Activation:  # fmt: skip
    for index in range(start, stop):
        activation = network.stages[index].module(activation)
        kept[index].add(activation["x"], activation.get("mask"), own)
    return activation


@dataclass
class _Kept:
    """What is kept of a stage, a part a batch."""

    pooled: list[Tensor] = field(default_factory=list)
    coarse: list[Tensor] = field(default_factory=list)
    other: list[Tensor] = field(default_factory=list)
    peaks: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    shape: tuple[int, int] | None = None

    def add(self, x: Tensor, mask: Tensor | None, own: bool) -> None:
        places = as_map(x) if mask is None else None
        coarse = (
            pooled(x, mask) if places is None else nn.functional.adaptive_avg_pool2d(places, COARSE)
        )
        (self.coarse if own else self.other).append(coarse.flatten(1).float())
        if not own:
            return
        self.pooled.append(pooled(x, mask).float())
        if places is not None:
            self.shape = (places.shape[2], places.shape[3])
            value, place = places.flatten(2).max(2)
            self.peaks.append((value.float(), place.int()))


def _sight(name: str, number: int, kept: _Kept, compared: bool, shared: bool) -> Sight:
    alike = None
    if compared:
        alike = 1.0 if shared else gram_cka(gram(_table(kept.coarse)), gram(_table(kept.other)))
    if kept.shape is None:
        return Sight(name, number, _table(kept.pooled), alike=alike)
    peak = _table([value for value, _ in kept.peaks])
    place = torch.cat([where for _, where in kept.peaks]).numpy()
    return Sight(name, number, _table(kept.pooled), kept.shape, peak, place, alike)


def _table(parts: list[Tensor]) -> Table:
    table: Table = torch.cat(parts).numpy()
    return table
