"""Crafted sets: adversarial windows that do not depend on any student, made once and kept in the cache.

A set is named by everything that makes it: the teacher's weights, the items, the cut, the budget, the recipe and
the seed. It appears whole or not at all; the folder is bounded, least recently used sets go first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy.typing as npt

from tutelage.errors import ArtefactError
from tutelage.files import cache_root, digest_json, lock, read_arrays, write_arrays

CRAFTER = 1
"""Raised whenever the same facts would give another set."""

MOST_BYTES = 4 * 2**30
"""Of all sets together."""

Arrays = dict[str, npt.NDArray[Any]]


def crafted(facts: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
    """The set of these facts: read from the cache, or made and kept.

    Args:
        facts: everything that changes it, as JSON.
        make: makes it.
    """
    folder = cache_root() / "crafted"
    path = folder / f"{digest_json({'crafter': CRAFTER, **facts})}.safetensors"
    if path.exists():
        with suppress(ArtefactError):  # a damaged set is made again
            arrays = read_arrays(path)
            os.utime(path)
            return arrays
    arrays = make()
    write_arrays(path, arrays)
    _bound(folder, MOST_BYTES, path)
    return arrays


def _bound(folder: Path, most: int, latest: Path) -> None:
    """Take the least recently used sets away until the rest fits."""
    with lock(folder / ".lock"):
        found = sorted(folder.glob("*.safetensors"), key=lambda p: p.stat().st_mtime, reverse=True)
        total = 0
        for path in found:
            total += path.stat().st_size
            if total > most and path != latest:
                path.unlink(missing_ok=True)
