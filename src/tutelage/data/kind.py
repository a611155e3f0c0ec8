"""What kind of data a source holds, by its files' names and its columns: nothing is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.data.arrays import idx_pairs
from tutelage.data.folders import walk
from tutelage.data.tables import SUFFIXES, UNNAMED, read_table
from tutelage.errors import DataError
from tutelage.modality import Modality
from tutelage.modality.known import KNOWN, modality_of_column, modality_of_files

LOOKED_AT = 200
"""Files, or items of a list, that tell."""


def modality_of(source: Any) -> Modality:
    """The modality that a source looks like; the first of those that come with the house where nothing tells.

    Example:
        ``modality_of("reviews.csv").name``
    """
    return claimed(source) or KNOWN[0]


def claimed(source: Any) -> Modality | None:
    """The modality whose files or columns a source has; None where nothing tells."""
    if isinstance(source, str | Path):
        return _of_path(Path(source))
    if isinstance(source, np.ndarray) and source.dtype.kind not in "OUS":
        return None
    return _of_cells([item for item in islice(source, LOOKED_AT) if isinstance(item, str | Path)])


def _of_path(path: Path) -> Modality | None:
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        return _of_table(path)
    if not path.is_dir() or idx_pairs(path):
        return None
    return modality_of_files(list(islice(walk(path, path, []), LOOKED_AT)))


def _of_table(path: Path) -> Modality | None:
    try:
        table = read_table(path)
    except DataError:
        return None  # opening it says what is wrong
    if table.headless:
        return _of_cells(table.cells(UNNAMED[0]))
    claims = [modality_of_column(name, table.cells(name)) for name in table.columns]
    return next((known for known in KNOWN if known in claims), None)


def _of_cells(cells: Sequence[str | Path]) -> Modality | None:
    """Names of files if some modality claims them; else items themselves, if they are strings."""
    found = modality_of_files([Path(cell) for cell in cells])
    if found is not None or not any(isinstance(cell, str) for cell in cells):
        return found
    return next(known for known in KNOWN if known.literal)
