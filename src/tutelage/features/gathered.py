"""Rows of the cache in a chosen order, read from mapped files a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.features.shard import Arrays, Layout

PIECE = 64
"""Rows copied at a time: what a read needs beside its result."""

ROW_BITS = 32
"""A place is ``shard number << ROW_BITS | row``."""


class Gathered:
    """Rows in a chosen order, in mapped files: a read copies the rows that it is asked for, no more.

    Made by ``Store.rows``; use it while the store is open. ``layout`` says what one row is.
    """

    def __init__(
        self, layout: Layout, where: npt.NDArray[np.int64], mapped: Callable[[int, int], Arrays]
    ) -> None:
        self.layout = layout
        self._where, self._mapped = where, mapped

    def __len__(self) -> int:
        return len(self._where)

    def only(self, *names: str) -> Gathered:
        """The same rows, of some of their arrays alone."""
        return Gathered({name: self.layout[name] for name in names}, self._where, self._mapped)

    def read(self, start: int, stop: int) -> dict[str, npt.NDArray[Any]]:
        """Rows ``start`` to ``stop`` as arrays ``(n, ...)``."""
        return self._copy(self._where[start:stop])

    def take(self, indices: npt.NDArray[np.integer[Any]]) -> dict[str, npt.NDArray[Any]]:
        """The rows at ``indices`` (n,), in that order, as arrays ``(n, ...)``."""
        return self._copy(self._where[indices])

    def blocks(self, size: int = 1024) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """All rows, in order, ``size`` at a time."""
        for start in range(0, len(self), size):
            yield self.read(start, start + size)

    def _copy(self, where: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
        out = {name: np.empty((len(where), *shape), dtype) for name, (shape, dtype) in self.layout.items()}  # fmt: skip
        shards = where >> ROW_BITS
        for number in np.unique(shards).tolist():
            spots = np.flatnonzero(shards == number)
            maps = self._mapped(number, len(spots))
            for piece in np.split(spots, range(PIECE, len(spots), PIECE)):
                for name, array in out.items():
                    array[piece] = maps[name][where[piece] & (1 << ROW_BITS) - 1]
        return out
