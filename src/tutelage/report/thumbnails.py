"""Thumbnails of items, beside the results that name them: ``pictures.json``, so that a page needs no data."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tutelage.data import Dataset
from tutelage.errors import ArtefactError, DataError
from tutelage.files import read_json, write_json
from tutelage.modality import Item, Modality
from tutelage.runtime import cores

FILE = "pictures.json"
SIDE = 120
"""Long side of a thumbnail in pixels."""

Pictures = Mapping[str, Mapping[str, str]]
"""Name of an item -> ``{"picture": "data:image/..."}`` or ``{"text": ...}``."""


def thumbnails(names: Iterable[str], dataset: Dataset, modality: Modality) -> dict[str, dict[str, str]]:  # fmt: skip
    """What stands for each item on a page; items that cannot be shown are left out."""
    items = {example.name: example.item for example in dataset.examples}
    wanted = [name for name in names if name in items]
    with ThreadPoolExecutor(cores()) as pool:
        shown = pool.map(lambda name: _shown(items[name], modality), wanted)
        return {name: told for name, told in zip(wanted, shown, strict=True) if told}


def _shown(item: Item, modality: Modality) -> dict[str, str] | None:
    try:
        if modality.excerpt is not None:
            return {"text": modality.excerpt(item)}
        if modality.show is not None:
            return pictured(modality.show(item, SIDE))
    except DataError:
        return None  # a finding tells of it
    return None


def pictured(data: bytes, kind: str = "webp") -> dict[str, str]:
    """An encoded picture as a page holds it.

    Args:
        kind: webp or png.
    """
    return {"picture": f"data:image/{kind};base64,{base64.b64encode(data).decode()}"}


def write_pictures(folder: Path, pictures: Pictures) -> None:
    """Beside ``results.json``."""
    write_json(folder / FILE, {"schema": 1, "pictures": pictures})


def read_pictures(folder: Path) -> Pictures:
    """What a run kept; nothing for a run that kept none."""
    try:
        pictures: Pictures = read_json(folder / FILE)["pictures"]
        return pictures
    except (ArtefactError, OSError, KeyError):
        return {}
