"""What extraction did, and what it waited for."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Counters:
    """What extraction really did; proofs for the log."""

    decoded: int = 0
    batches: int = 0
    rows_computed: int = 0
    rows_reused: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    """Digest of an item whose body turned out broken -> why."""
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Where extraction's time went: ``all`` of it; ``waiting`` for items to be decoded; ``writing`` to the cache;
    and ``decoding``, of all threads together."""

    def bottleneck(self) -> str:
        """What extraction waited for, in a sentence; empty if nothing was extracted."""
        total, waiting, writing = (self.seconds[key] for key in ("all", "waiting", "writing"))
        if total <= 0:
            return ""
        network = max(0.0, total - waiting - writing)
        slowest = max((waiting, "decoding"), (network, "the network"), (writing, "the disk"))[1]
        return (
            f"{total:.1f} s of extraction: {network:.1f} s for the network, {waiting:.1f} s for items to be decoded, "
            f"{writing:.1f} s for the disk; the bottleneck is {slowest}"
        )

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Count a block's seconds as ``waiting``, ``writing`` or ``all``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[what] += time.perf_counter() - start
