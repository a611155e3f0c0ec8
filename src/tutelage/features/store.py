"""The rows of one extractor, open for reading and for writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import ArtefactError
from tutelage.features import description, shard
from tutelage.features.gathered import Gathered
from tutelage.features.index import Index, Places
from tutelage.features.ragged import Ragged, Rows
from tutelage.features.shard import Key, Layout
from tutelage.files import lock


class Store:
    """The rows of one extractor. Made by ``ActivationCache.open``; threads may share it.

    Args:
        folder: the extractor's folder, named by its digest and held in use.
        guard: lock file for writing ``extractor.json``.
        layout: what one row is, or None to take it from what is there or from the first append.
        facts: what the extractor is, for people.
        make_room: called with a number of bytes before they are written.
        over_budget: whether the cache exceeds its budget.

    Attributes:
        layout: what one row is; None until it is known.
        rows_read, rows_written, shards_written: what this store really did.
    """

    def __init__(
        self, folder: Path, guard: Path, layout: Layout | None, facts: Mapping[str, object],
        make_room: Callable[[int], None], over_budget: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.layout = None if layout is None else description.normal(layout)
        self.rows_read = self.rows_written = self.shards_written = 0
        self._folder, self._guard, self._facts = folder, guard, facts
        self._make_room, self._over_budget = make_room, over_budget
        self._index = Index(folder, self._admit)
        self._turn = RLock()
        self._describe()
        self._index.refresh()

    @property
    def damaged(self) -> int:
        """How many files were set aside."""
        return len(self.set_aside)

    @property
    def set_aside(self) -> Mapping[str, str]:
        """Name of a damaged file -> why. Such a file is never believed; it is kept as ``*.damaged``."""
        return self._index.set_aside

    @property
    def over_budget(self) -> bool:
        """Whether the cache holds more than its budget, because the rest is in use too."""
        return self._over_budget()

    def missing(self, keys: Sequence[Key]) -> list[Key]:
        """The keys that no sound shard has, each once, in order. The rows of all others are verified."""
        unique = list(dict.fromkeys(keys))
        with self._turn:
            self._index.refresh()
            where = self._index.locate(unique)
        return [unique[at] for at in np.flatnonzero(where < 0)]

    def append(self, keys: Sequence[Key], rows: Rows) -> None:
        """Write one shard; its rows are on disk when this returns, whatever happens next.

        Args:
            keys: R keys.
            rows: arrays ``(R, ...)`` of the store's layout.

        Raises:
            TrainingError: the disk is full; nothing of the shard is left.
            ArtefactError: the rows have another layout than those already kept.
            ValueError: the numbers of rows differ, or the dtype cannot be kept.
        """
        if not keys:
            return
        packed = [shard.pack(key) for key in keys]
        with self._turn:
            self._admit(shard.layout_of(rows))
            size = sum(bytes_of(array) for array in rows.values())
            self._make_room(size + shard.KEY_BYTES * len(keys) + shard.HEADER_BYTES)
        written = shard.write(self._folder, self._folder.name, packed, rows)
        with self._turn:
            self._index.enter(written, packed)
            self.rows_written += len(keys)
            self.shards_written += 1

    def rows(self, keys: Sequence[Key]) -> Gathered:
        """The rows of ``keys``, in that order, to be read from the mapped files.

        Raises:
            ArtefactError: some are not there, or no longer sound: ask ``missing`` first.
        """
        where = self._locate(keys)
        lacking = int((where < 0).sum())
        if lacking:
            raise ArtefactError(
                "missing-rows", given=f"{lacking} of {len(keys)} activations are not in {self._folder}",
                expected="all of them", next="Run the same command again: it computes what is missing.",
            )  # fmt: skip
        return Gathered(self.layout or {}, where, self._mapped)

    def _locate(self, keys: Sequence[Key]) -> Places:
        with self._turn:
            where = self._index.locate(keys)
            if (where < 0).any():
                self._index.refresh()
                where = self._index.locate(keys)
            return where

    def _mapped(self, number: int, count: int) -> Rows:
        """The tensors of a shard of which ``count`` rows are about to be read."""
        with self._turn:
            self.rows_read += count
            return self._index.mapped(number)

    def _admit(self, layout: Layout) -> None:
        """Take ``layout`` as the store's, or refuse it if there is another already."""
        if self.layout is None:
            self.layout = layout
            self._describe()
        elif layout != self.layout:
            raise description.mismatch(self._folder / description.NAME, layout, self.layout)

    def _describe(self) -> None:
        """Agree with ``extractor.json``; if it is damaged or says something else, write it anew."""
        with lock(self._guard):
            known = self._described()
            self.layout = self.layout or known
            if self.layout and not known:
                description.write(self._folder, self.layout, self._facts)

    def _described(self) -> Layout | None:
        try:
            told = description.read(self._folder)
            if told and self.layout and told[0] != self.layout:
                raise description.mismatch(self._folder / description.NAME, told[0], self.layout)
        except ArtefactError as error:
            self._index.put_aside(self._folder / description.NAME, error)
            return None
        return told[0] if told else None


def bytes_of(given: npt.NDArray[Any] | Ragged) -> int:
    """Bytes that an array takes in a shard."""
    return given.values.nbytes + given.lengths.nbytes if isinstance(given, Ragged) else given.nbytes
