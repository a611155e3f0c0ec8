"""The activation cache: rows on disk, keyed (extractor, example, view), shared by every run.

    root/activations/<extractor>/extractor.json       what the rows are: layout and facts
    root/activations/<extractor>/<shard>.safetensors  an immutable write unit that lists its rows
    root/activations/<extractor>/used                 its time is when the extractor was last used
    root/activations/.locks/                          who uses what

A shard appears whole or not at all, and is believed only after its bytes were checked, once per open
store. One that fails is renamed ``*.damaged`` and its rows are missing again. Several processes may
read and write one extractor: the same row written twice is harmless, the first sound one is read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tutelage.errors import ArtefactError
from tutelage.features import description, eviction, shard
from tutelage.features.gathered import Gathered
from tutelage.features.shard import Key, Layout
from tutelage.features.store import Store

__all__ = ["ActivationCache", "Gathered", "Held", "Key", "Layout", "Store"]


@dataclass(frozen=True)
class Held:
    """One extractor in the cache: size, rows (a row written twice counts twice), last use (ns since 1970)."""

    extractor: str
    bytes: int
    rows: int
    used: int
    facts: Mapping[str, Any]


class ActivationCache:
    """The cache under ``root``; any number of processes may share it.

    The budget is kept by evicting before growing: when a store is opened and when rows are appended.
    Rows that a running fit needs are never refused: what is in use may exceed the budget, which
    ``over_budget`` tells, and is evicted by whoever comes next.

    Args:
        root: folder; the cache lives in ``root/activations``.
        budget: bytes to hold at most; by default 20 GiB or a quarter of the disk that is free or
            held by the cache already, whichever is less.
    """

    def __init__(self, root: Path, *, budget: int | None = None) -> None:
        self.root = root
        self.folder = root / "activations"
        self._budget = budget
        self._held = self._written = 0

    @cached_property
    def budget(self) -> int:
        """Bytes to hold at most."""
        return eviction.default_budget(self.folder) if self._budget is None else self._budget

    @property
    def over_budget(self) -> bool:
        """Whether, when last looked at, the cache held more than its budget."""
        return self._held > self.budget

    @contextlib.contextmanager
    def open(
        self, extractor: str, layout: Layout | None, facts: Mapping[str, object]
    ) -> Iterator[Store]:
        """Open the store of one extractor; nobody evicts it before the block ends.

        Args:
            extractor: digest (64 hex) of everything that changes an activation.
            layout: what one row is; None takes it from an earlier run or from the first append.
            facts: JSON that says what the extractor is, for people.

        Raises:
            TrainingError: the cache cannot be written.
            ValueError: ``extractor`` is not a digest.
        """
        if not eviction.is_extractor(extractor):
            raise ValueError(f"an extractor is named by 64 hex characters, not {extractor!r}")
        guard = eviction.lock_path(self.folder, extractor, "write")
        with eviction.in_use(self.folder, extractor) as place:
            self.evict()
            yield Store(place, guard, layout, facts, self._make_room, lambda: self.over_budget)

    def sizes(self) -> list[Held]:
        """What is held, least recently used first."""
        return [self._describe(holding) for holding in eviction.holdings(self.folder)]

    def evict(self) -> list[str]:
        """Remove least recently used extractors until within the budget; returns their digests."""
        gone, self._held = eviction.evict(self.folder, self.budget)
        return gone

    def _make_room(self, size: int) -> None:
        """Evict if ``size`` more bytes would not fit.

        Other processes write too, so the disk is looked at again every sixteenth of the budget.
        """
        self._written += size
        if self._held + size > self.budget or self._written > self.budget // 16:
            self._held, self._written = eviction.evict(self.folder, self.budget, size)[1], 0
        self._held += size

    def _describe(self, holding: eviction.Holding) -> Held:
        place, rows, facts = self.folder / holding.extractor, 0, {}
        with contextlib.suppress(ArtefactError):  # whoever opens the store sets damage aside
            told = description.read(place)
            facts = dict(told[1]) if told else {}
        for path in eviction.entries(place):
            if path.suffix == shard.SUFFIX:
                with contextlib.suppress(ArtefactError, OSError):
                    found = shard.read(path, holding.extractor)
                    rows += found.rows if found else 0
        return Held(holding.extractor, holding.bytes, rows, holding.used, facts)
