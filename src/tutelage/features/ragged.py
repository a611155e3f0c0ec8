"""Ragged rows: of items that differ in length only the true places are kept, and padded again when read.

An activation with a ``mask`` (R, T) is ragged: its other tensors, but for pooled taps, have a place for each of T
too, and what the mask leaves out is not kept. The mask itself is kept as ones, and comes back from the padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.modality.lengths import padded_length

MASK, TAP = "mask", "tap."
FREE = -1
"""In a shape: an axis whose length differs from row to row."""

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths, one after the other.

    Attributes:
        values: (S, ...), the places of all rows.
        lengths: (R,) places of each row; they add up to S.
    """

    values: npt.NDArray[Any]
    lengths: npt.NDArray[np.int64]

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """Where each row begins (R,)."""
        ends: npt.NDArray[np.int64] = np.cumsum(self.lengths)
        return ends - self.lengths


Rows = Mapping[str, "npt.NDArray[Any] | Ragged"]


def ragged_names(names: Mapping[str, Any]) -> tuple[str, ...]:
    """Which arrays of an activation have an axis of places that differs from row to row."""
    return tuple(n for n in names if not n.startswith(TAP)) if MASK in names else ()


def trimmed(arrays: Arrays) -> Rows:
    """An activation as it is kept: ragged arrays without what the mask leaves out, which must stand last."""
    names = ragged_names(arrays)
    if not names:
        return arrays
    mask = arrays[MASK] > 0
    lengths = mask.sum(1, dtype=np.int64)
    return {n: Ragged(a[mask], lengths) if n in names else a for n, a in arrays.items()}


def joined(parts: list[Rows]) -> Rows:
    """Rows one below the other."""
    whole: dict[str, npt.NDArray[Any] | Ragged] = {}
    for name in parts[0]:
        pieces = [part[name] for part in parts]
        ragged = [piece for piece in pieces if isinstance(piece, Ragged)]
        plain = [piece for piece in pieces if not isinstance(piece, Ragged)]
        whole[name] = np.concatenate(plain) if plain else Ragged(
            np.concatenate([r.values for r in ragged]), np.concatenate([r.lengths for r in ragged])
        )  # fmt: skip
    return whole


def padded_block(longest: int, rows: int, shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
    """Zeros for rows of up to so many places, padded to a length of ``lengths`` (R, T, ...)."""
    return np.zeros((rows, padded_length(max(1, longest)), *shape[1:]), dtype)


def row_layout(arrays: Arrays) -> dict[str, tuple[tuple[int, ...], str]]:
    """Name -> (shape of a row, dtype), with ``FREE`` for the places of a ragged activation."""
    names = ragged_names(arrays)
    return {
        n: ((FREE, *a.shape[2:]) if n in names else tuple(a.shape[1:]), a.dtype.str)
        for n, a in arrays.items()
    }
