"""Rows of the cache in a chosen order, read from mapped files a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.features.ragged import FREE, Ragged, Rows, padded_block
from tutelage.features.shard import Layout
from tutelage.modality.lengths import padded_length

PIECE = 64
"""Rows copied at a time: what a read needs beside its result."""

ROW_BITS = 32
"""A place is ``shard number << ROW_BITS | row``."""


class Gathered:
    """Rows in a chosen order, in mapped files: a read copies the rows that it is asked for, no more.

    Ragged rows come padded with zeros, to the length of the longest that is read.

    Made by ``Store.rows``; use it while the store is open. ``layout`` says what one row is.
    """

    def __init__(
        self, layout: Layout, where: npt.NDArray[np.int64], mapped: Callable[[int, int], Rows]
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

    def lengths(self) -> npt.NDArray[np.int64] | None:
        """How many places each row has (R,); None where all have the same."""
        name = next((n for n, (shape, _) in self.layout.items() if shape[:1] == (FREE,)), None)
        return None if name is None else self._lengths(name, self._where)

    def _lengths(self, name: str, where: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        found = np.zeros(len(where), np.int64)
        shards = where >> ROW_BITS
        for number in np.unique(shards).tolist():
            spots = np.flatnonzero(shards == number)
            given = self._mapped(number, 0)[name]
            assert isinstance(given, Ragged)
            found[spots] = given.lengths[where[spots] & (1 << ROW_BITS) - 1]
        return found

    def alike(self, size: int = 256) -> Iterator[tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[Any]]]]:  # fmt: skip
        """All rows, those of one padded length together: (their places, the rows), at most ``size`` at a time.

        So a row is padded by its own length alone, whatever rows lie beside it.
        """
        lengths = self.lengths()
        padded = np.zeros(len(self), np.int64) if lengths is None else np.array([padded_length(max(1, n)) for n in lengths.tolist()])  # fmt: skip
        for length in np.unique(padded).tolist():
            places = np.flatnonzero(padded == length)
            for start in range(0, len(places), size):
                some = places[start : start + size]
                yield some, self.take(some)

    def blocks(self, size: int = 1024) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """All rows, in order, ``size`` at a time."""
        for start in range(0, len(self), size):
            yield self.read(start, start + size)

    def _copy(self, where: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
        free = [n for n, (shape, _) in self.layout.items() if shape[:1] == (FREE,)]
        lengths = self._lengths(free[0], where) if free else np.zeros(0, np.int64)
        longest = int(lengths.max(initial=0))
        out = {
            name: padded_block(longest, len(where), shape, dtype) if name in free else np.empty((len(where), *shape), dtype)
            for name, (shape, dtype) in self.layout.items()
        }  # fmt: skip
        shards = where >> ROW_BITS
        for number in np.unique(shards).tolist():
            spots = np.flatnonzero(shards == number)
            maps = self._mapped(number, len(spots))
            for piece in np.split(spots, range(PIECE, len(spots), PIECE)):
                for name, array in out.items():
                    _fill(array, piece, maps[name], where[piece] & (1 << ROW_BITS) - 1)
        return out


def _fill(out: npt.NDArray[Any], places: npt.NDArray[Any], given: npt.NDArray[Any] | Ragged, rows: npt.NDArray[Any]) -> None:  # fmt: skip
    """Copy rows of a mapped array to some places."""
    if not isinstance(given, Ragged):
        out[places] = given[rows]
        return
    starts, lengths = given.starts[rows], given.lengths[rows]
    for place, start, length in zip(
        places.tolist(), starts.tolist(), lengths.tolist(), strict=True
    ):
        out[place, :length] = given.values[start : start + length]
