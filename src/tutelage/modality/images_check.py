"""A look at one image: its form, its defects, its fingerprint, at a fraction of a decode."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutelage.errors import DataError
from tutelage.files import digest_bytes
from tutelage.modality.images_array import PICTURE, holds_array, load_array
from tutelage.modality.images_near import LEAST, THUMB, fingerprint_of
from tutelage.modality.images_read import (
    BROKEN,
    explain,
    flatten,
    from_array,
    open_guarded,
    orientation,
    upright,
)
from tutelage.modality.record import Facts, Fingerprint, Item

ARRAY_FILE = "NPY"
"""The format that a ``.npy`` file is called by."""

FORMATS = {
    ".jpg": ("JPEG", "MPO"), ".jpeg": ("JPEG", "MPO"), ".png": ("PNG",), ".gif": ("GIF",),
    ".bmp": ("BMP", "DIB"), ".tif": ("TIFF",), ".tiff": ("TIFF",), ".webp": ("WEBP",),
    ".ppm": ("PPM",), ".pgm": ("PPM",), ".pbm": ("PPM",), ".pnm": ("PPM",), ".npy": (ARRAY_FILE,),
}  # fmt: skip
"""Suffixes that are looked at, and the formats whose content belongs behind them."""

Defects = list[tuple[str, str]]

TINY = 8
"""An image with a side shorter than this many pixels is reported."""


def check(item: Item, full: bool) -> Facts:
    """Look at an image without raising: what is wrong is in ``Facts.defects``.

    JPEG files are decoded at reduced scale in grey (truncation shows there too), and in colour as
    well if ``full``. Other formats have no reduced scale and are always decoded whole, so that the
    fingerprint, and with it the split, is the same whichever was asked for.

    Args:
        item: a path or an array.
        full: decode everything.
    """
    try:
        if isinstance(item, np.ndarray):
            image = from_array(item)
            return facts_of(image.size, array_form(item, "array"), item.nbytes, image, [])
        return _check_file(Path(item), full)
    except DataError as error:
        return Facts(defects=((error.kind, error.given),))


def fingerprint(item: Item) -> Fingerprint | None:
    """The fingerprint for near-duplicates; None under 64 px, for flat and for broken images."""
    return check(item, False).fingerprint


def array_form(array: npt.NDArray[Any], format_: str) -> dict[str, object]:
    """What is told of an array: where it came from, its type, how many channels it has."""
    channels = array.shape[2] if array.ndim == 3 else 1
    return {"format": format_, "mode": str(array.dtype), "channels": channels}


def _check_file(path: Path, full: bool) -> Facts:
    if holds_array(path):
        array = load_array(path, PICTURE, "the file")
        image, form = from_array(array, "the file"), array_form(array, ARRAY_FILE)
        return facts_of(image.size, form, array.nbytes, image, suffix_defects(path, ARRAY_FILE))
    image = open_guarded(path, "the file")
    form = {"format": image.format or "", "mode": image.mode}
    size, defects = image.size, suffix_defects(path, image.format or "")
    try:
        turn = orientation(image)
        if turn >= 5:
            size = (size[1], size[0])
        reduced = image.draft("L", (2 * THUMB, 2 * THUMB)) is not None
        seen = upright(_plain(image), turn)
        if full and reduced:
            flatten(open_guarded(path))
    except BROKEN as error:
        defects.append(("unreadable", f"the file cannot be read: {explain(error)}"))
        return Facts({**form, "width": size[0], "height": size[1]}, tuple(defects), max(size))
    return facts_of(size if reduced else seen.size, form, path.stat().st_size, seen, defects)


def suffix_defects(path: Path, format_: str) -> Defects:
    """``wrong-suffix``, if the file's name promises another format than it holds."""
    expected = FORMATS.get(path.suffix.lower(), (format_,))
    return [] if format_ in expected else [("wrong-suffix", f"{path.name} holds {format_} data")]


def _plain(image: Image.Image) -> Image.Image:
    """Grey stays grey (a reduced JPEG); everything else becomes RGB."""
    if image.mode == "L" and "transparency" not in image.info:
        image.load()
        return image
    return flatten(image)


def facts_of(
    size: tuple[int, int], form: Mapping[str, object], weight: int, seen: Image.Image,
    defects: Defects, content: str = "",
) -> Facts:  # fmt: skip
    """Facts of an item that could be decoded.

    Args:
        size: native width and height.
        weight: bytes of the item, which say which of two copies is the original.
        seen: what was decoded, perhaps at reduced scale.
        content: digest of the decoded content, if ``seen`` is not all of it.
    """
    width, height = size
    if min(size) < TINY:
        defects = [*defects, ("tiny", f"{width} x {height} pixels")]
    grey = seen if seen.mode == "L" else seen.convert("L")
    return Facts(
        form={**form, "width": width, "height": height}, defects=tuple(defects), scale=max(size),
        richness=(width * height << 32) + min(weight, (1 << 32) - 1),
        content=content or digest_bytes(f"{size}{seen.mode}".encode(), seen.tobytes())[:32],
        fingerprint=fingerprint_of(grey) if min(size) >= LEAST else None,
    )  # fmt: skip
