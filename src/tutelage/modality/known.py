"""The modalities that come with the house, by the names that students and cards keep, and which one a file is of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tutelage.modality.images import IMAGES, images_of
from tutelage.modality.record import Modality
from tutelage.modality.text import TEXTS

KNOWN: tuple[Modality, ...] = (IMAGES, TEXTS)
"""In the order in which they are asked whether data is theirs; the first is taken where none says so."""


def known_modality(name: str) -> Modality | None:
    """The modality of a name, e.g. ``images``, ``images/4`` or ``text/...``; None for one of the user's own."""
    base, _, bound = name.partition("/")
    if base == IMAGES.name and (not bound or bound.isdigit()):
        return images_of(int(bound or 3))
    return TEXTS if base == TEXTS.name else None


def modality_of_files(paths: Sequence[Path]) -> Modality | None:
    """The modality that claims most of some files; None if none claims any."""
    counts = [sum(known.sniff(path) for path in paths) for known in KNOWN]
    best = max(range(len(KNOWN)), key=lambda i: (counts[i], -i))
    return KNOWN[best] if counts[best] else None


def modality_of_column(column: str, cells: Sequence[str]) -> Modality | None:
    """The modality whose column this is; where it holds paths, the one that claims the files."""
    name = column.strip().lower()
    holders = [known for known in KNOWN if name in known.columns]
    if any(known.columns[name] == "path" for known in holders):
        claimed = modality_of_files([Path(cell) for cell in cells])
        return claimed if claimed in holders else None
    return holders[0] if holders else None
