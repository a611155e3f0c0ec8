"""How much the cache may hold, and what goes first: whole extractors, least recently used, never one in use.

"In use" is a shared lock held for as long as a store is open. The lock files live beside the folders
that they guard and are never removed, so that nobody can hold a lock on a file that is gone.
Where the system has no ``flock`` (Windows) locks always succeed: there, run one process per cache.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tutelage.files import lock, write_bytes

MOST = 20 * 2**30
"""Bytes that a cache holds at most by default."""

USED = "used"
_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Holding:
    """What is kept of one extractor: bytes on disk, and when it was last used (ns since 1970)."""

    extractor: str
    bytes: int
    used: int


def is_extractor(name: str) -> bool:
    """Whether ``name`` is a digest: 64 hex characters."""
    return bool(_NAME.fullmatch(name))


def lock_path(folder: Path, extractor: str, what: str = "use") -> Path:
    """The lock file of an extractor: held shared in ``use``, exclusive to ``write`` its description."""
    return folder / ".locks" / f"{extractor}.{what}"


def default_budget(folder: Path) -> int:
    """20 GiB, or a quarter of what is free or already held by the cache, whichever is less."""
    held = sum(holding.bytes for holding in holdings(folder))
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return min(MOST, (shutil.disk_usage(there).free + held) // 4)


def entries(folder: Path) -> list[Path]:
    """What is in a folder; nothing if it is not there (any more)."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def holdings(folder: Path) -> list[Holding]:
    """What the cache holds, least recently used first."""
    names = [path.name for path in entries(folder) if is_extractor(path.name)]
    found = (Holding(name, _bytes(folder / name), last_used(folder / name)) for name in names)
    return sorted(found, key=lambda holding: (holding.used, holding.extractor))


def last_used(place: Path) -> int:
    """When an extractor was last opened or closed (ns since 1970); 0 if it is gone or was never stamped."""
    try:
        return (place / USED).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def stamp(place: Path) -> None:
    """Note that an extractor is used now.

    Raises:
        TrainingError: the folder cannot be made or written.
    """
    try:
        os.utime(place / USED)
    except FileNotFoundError:
        write_bytes(place / USED, b"")


@contextmanager
def in_use(folder: Path, extractor: str) -> Iterator[Path]:
    """Hold an extractor's folder: until the end of the block nobody evicts it.

    Raises:
        TrainingError: the cache cannot be written.
    """
    guard, place = lock_path(folder, extractor), folder / extractor
    with lock(guard, wait=False) as alone:
        if alone:  # nobody else is writing, so what is half-written was left by a kill
            for path in place.glob(".*.part"):
                path.unlink(missing_ok=True)
    with lock(guard, shared=True):
        stamp(place)
        try:
            yield place
        finally:
            stamp(place)


def evict(folder: Path, budget: int, room: int = 0) -> tuple[list[str], int]:
    """Remove extractors until ``room`` more bytes fit into ``budget``.

    Returns:
        The extractors that are gone, and the bytes that are left: above ``budget - room`` if all of
        the rest is in use.
    """
    held = holdings(folder)
    left, gone = sum(holding.bytes for holding in held), []
    for holding in held:
        if left + room <= budget:
            break
        if _take(folder, holding):
            left -= holding.bytes
            gone.append(holding.extractor)
    return gone, left


def _take(folder: Path, holding: Holding) -> bool:
    """Remove one extractor, unless it is in use or was used since it was listed."""
    place = folder / holding.extractor
    with lock(lock_path(folder, holding.extractor), wait=False) as alone:
        if not alone or last_used(place) != holding.used:
            return False
        shutil.rmtree(place, ignore_errors=True)  # another user's files may refuse: they stay
        return not place.exists()


def _bytes(place: Path) -> int:
    total = 0
    for path in entries(place):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # written or removed by another process just now
            continue
    return total
