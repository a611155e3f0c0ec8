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
from tutelage.features.engine import EngineSpec
from tutelage.features.extract import Counters, Extractor, plan, run_tasks
from tutelage.files import cache_root
from tutelage.modality import InputSpec, Item
from tutelage.teachers import Teacher

Announce = Callable[[str, int, int], None]
"""(phase, done, total) -> None: where progress goes."""


@dataclass(frozen=True)
class FeatureRows:
    """Pooled features as row blocks for a head: float32, never all in memory at once.

    ``shape`` is (R, D); iterating gives consecutive ``(n, D)`` blocks, as often as one likes.
    """

    gathered: Gathered
    width: int
    block: int = 1024

    @property
    def shape(self) -> tuple[int, int]:
        """(R, D)."""
        return len(self.gathered), self.width

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        for block in self.gathered.blocks(self.block):
            yield block["x"].astype(np.float32)


class Activations:
    """What a teacher sees in a set of items. Use as a context manager: it holds the cache's stores.

    Args:
        teacher, spec, engine: see ``Extractor``.
        items: the items, by index.
        digests: sha256 of each item's content.
        cache: root folder of the activation cache.
        announce: where progress goes.
    """

    def __init__(
        self, teacher: Teacher, spec: InputSpec, engine: EngineSpec, items: Sequence[Item],
        digests: Sequence[str], *, cache: Path | None = None, announce: Announce | None = None,
    ) -> None:  # fmt: skip
        self.teacher, self.spec, self.engine = teacher, spec, engine
        self.items, self.digests = items, digests
        self.counters = Counters()
        self._cache = ActivationCache(cache or cache_root())
        self._announce = announce
        self._open: dict[int, Store] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Activations:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._open.clear()

    def extractor(self, cut: int) -> Extractor:
        """What computes rows at a cut."""
        return Extractor(self.teacher, cut, self.spec, self.engine)

    def ensure(self, cut: int, indices: Sequence[int], views: int = 1) -> tuple[int, ...]:
        """Make sure that the rows exist; returns the indices whose items could be read.

        The others are named in ``counters.unreadable``.
        """
        extractor, store = self.extractor(cut), self._store(cut)
        items = [(self.digests[i], self.items[i]) for i in indices]
        wanted = plan(store, items, views)
        self.counters.rows_reused += len(items) * views - sum(len(w.views) for w in wanted)
        if wanted:
            phase = f"trunk to {self.teacher.card.names[cut - 1]}" if cut else "reading"
            run_tasks(extractor, store, wanted, self.counters, progress=self._told(phase))
        return tuple(i for i in indices if self.digests[i] not in self.counters.unreadable)

    def gather(self, cut: int, indices: Sequence[int], views: int = 1) -> Gathered:
        """Rows in the order item 0 view 0, item 0 view 1, ...; they must have been ensured."""
        keys = [(self.digests[i], view) for i in indices for view in range(views)]
        return self._store(cut).rows(keys)

    def features(self, indices: Sequence[int], views: int = 1) -> FeatureRows:
        """Pooled features at the last cut, ensured or not (items must be readable)."""
        card = self.teacher.card
        return FeatureRows(self.gather(len(card.stages), indices, views), card.width)

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
    return {**vars(counters), "unreadable": len(counters.unreadable)}
