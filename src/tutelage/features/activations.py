"""The activations of a set of items at any cut: computed once on first request, then read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.features.cache import ActivationCache, Gathered, Store
from tutelage.features.counters import Counters
from tutelage.features.engine import Arrays, EngineSpec
from tutelage.features.extract import Extractor, plan, run_tasks
from tutelage.files import cache_root
from tutelage.modality import InputSpec, Item
from tutelage.teachers import Teacher

Announce = Callable[[str, int, int], None]
"""(phase, done, total) -> None: where progress goes."""

Views = int | Sequence[int]
"""How many views of an item, the plain one first, or their numbers."""

LARGE = 128 * 2**20
"""Bytes from which it is said that they will be written."""


@dataclass(frozen=True)
class FeatureRows:
    """Pooled features as row blocks for a head: float32, never all in memory at once.

    ``shape`` is (R, D); iterating gives consecutive ``(n, D)`` blocks, as often as one likes.

    Attributes:
        gathered: rows of the cache.
        names: which of their arrays, side by side in this order.
        block: rows read at a time.
    """

    gathered: Gathered
    names: tuple[str, ...] = ("x",)
    block: int = 1024

    @property
    def widths(self) -> tuple[int, ...]:
        """D of each array."""
        return tuple(self.gathered.layout[name][0][-1] for name in self.names)

    @property
    def shape(self) -> tuple[int, int]:
        """(R, D)."""
        return len(self.gathered), sum(self.widths)

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        for block in self.gathered.blocks(self.block):
            yield side_by_side(block, self.names)


def numbered(views: Views) -> Sequence[int]:
    """Numbers of some views: the first so many, or those that are named."""
    return range(views) if isinstance(views, int) else views


def side_by_side(arrays: Arrays, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Some arrays (n, D_k) as one (n, sum of D_k), float32."""
    parts = [arrays[name].astype(np.float32) for name in names]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def read_names(reads: Sequence[int]) -> tuple[str, ...]:
    """Names of the arrays that a head reads: taps of those stages, and the features last."""
    return (*(f"tap.{k}" for k in reads), "x")


class Activations:
    """What a teacher sees in a set of items. Use as a context manager: it holds the cache's stores.

    Args:
        teacher, spec, engine: see ``Extractor``.
        items: the items, by index.
        digests: sha256 of each item's content.
        cache: root folder of the activation cache.
        announce: where progress goes.
        say: hears a sentence before much is written to the cache.
    """

    def __init__(
        self, teacher: Teacher, spec: InputSpec, engine: EngineSpec, items: Sequence[Item],
        digests: Sequence[str], *, cache: Path | None = None, announce: Announce | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        self.teacher, self.spec, self.engine = teacher, spec, engine
        self.items, self.digests = items, digests
        self.counters = Counters()
        self._cache = ActivationCache(cache or cache_root())
        self._announce, self._say = announce, say
        self._open: dict[int, Store] = {}
        self._extractors: dict[int, Extractor] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Activations:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._open.clear()
        self._extractors.clear()

    def extractor(self, cut: int) -> Extractor:
        """What computes rows at a cut."""
        if cut not in self._extractors:
            self._extractors[cut] = Extractor(self.teacher, cut, self.spec, self.engine)
        return self._extractors[cut]

    def ensure(self, cut: int, indices: Sequence[int], views: Views = 1) -> tuple[int, ...]:
        """Make sure that the rows exist; returns the indices whose items could be read.

        The others are named in ``counters.unreadable``.
        """
        extractor, store = self.extractor(cut), self._store(cut)
        items = [(self.digests[i], self.items[i]) for i in indices]
        numbers = numbered(views)
        wanted = plan(store, items, numbers)
        self.counters.rows_reused += len(items) * len(numbers) - sum(len(w.views) for w in wanted)
        if wanted:
            self._tell_size(cut, sum(len(w.views) for w in wanted))
            phase = f"trunk to {self.teacher.card.names[cut - 1]}" if cut else "reading"
            run_tasks(extractor, store, wanted, self.counters, progress=self._told(phase))
        return tuple(i for i in indices if self.digests[i] not in self.counters.unreadable)

    def held(self, cut: int, indices: Sequence[int]) -> tuple[int, ...]:
        """Those whose plain row is in the cache already."""
        keys = {(self.digests[i], 0) for i in indices}
        missing = set(self._store(cut).missing(sorted(keys)))
        return tuple(i for i in indices if (self.digests[i], 0) not in missing)

    def gather(self, cut: int, indices: Sequence[int], views: Views = 1) -> Gathered:
        """Rows in the order item 0 view 0, item 0 view 1, ...; they must have been ensured."""
        keys = [(self.digests[i], view) for i in indices for view in numbered(views)]
        return self._store(cut).rows(keys)

    def features(self, indices: Sequence[int], views: Views = 1, reads: Sequence[int] = ()) -> FeatureRows:  # fmt: skip
        """Pooled features at the last cut, after those of some tapped stages (items must be readable)."""
        names = read_names(reads)
        rows = self.gather(len(self.teacher.card.stages), indices, views)
        return FeatureRows(rows.only(*names), names)

    def tap(self, stage: int, indices: Sequence[int]) -> FeatureRows:
        """Pooled features of one stage, the plain views."""
        depth = len(self.teacher.card.stages)
        name = "x" if stage == depth else f"tap.{stage}"
        return FeatureRows(self.gather(depth, indices).only(name), (name,))

    def _tell_size(self, cut: int, rows: int) -> None:
        """Say what is about to be written, before it is."""
        size = rows * self.extractor(cut).row_bytes
        if self._say and size >= LARGE:
            self._say(f"{rows:,} rows at cut {cut}: about {size / 2**20:,.0f} MiB are written to {self._cache.folder}")  # fmt: skip

    def _store(self, cut: int) -> Store:
        if cut not in self._open:
            extractor = self.extractor(cut)
            opened = self._cache.open(extractor.digest, None, extractor.facts)
            self._open[cut] = self._stack.enter_context(opened)
        return self._open[cut]

    def _told(self, phase: str) -> Callable[[int, int], None] | None:
        announce = self._announce
        return None if announce is None else lambda done, total: announce(phase, done, total)


def as_json(counters: Counters) -> dict[str, Any]:
    """Counters for results.json."""
    seconds = {what: round(spent, 4) for what, spent in sorted(counters.seconds.items())}
    return {**vars(counters), "unreadable": len(counters.unreadable), "seconds": seconds}
