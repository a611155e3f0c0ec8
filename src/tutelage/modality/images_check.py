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

FORMATS = {
    ".jpg": ("JPEG", "MPO"), ".jpeg": ("JPEG", "MPO"), ".png": ("PNG",), ".gif": ("GIF",),
    ".bmp": ("BMP", "DIB"), ".tif": ("TIFF",), ".tiff": ("TIFF",), ".webp": ("WEBP",),
    ".ppm": ("PPM",), ".pgm": ("PPM",), ".pbm": ("PPM",), ".pnm": ("PPM",),
}  # fmt: skip
"""Suffixes that are looked at, and the formats whose content belongs behind them."""

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
        return _check_array(item) if isinstance(item, np.ndarray) else _check_file(Path(item), full)
    except DataError as error:
        return Facts(defects=((error.kind, error.given),))


def fingerprint(item: Item) -> Fingerprint | None:
    """The fingerprint for near-duplicates; None under 64 px, for flat and for broken images."""
    return check(item, False).fingerprint


def _check_array(array: npt.NDArray[Any]) -> Facts:
    image = from_array(array)
    form = {
        "format": "array",
        "mode": str(array.dtype),
        "channels": array.shape[2] if array.ndim == 3 else 1,
    }
    return _facts(image.size, form, array.nbytes, image, [])


def _check_file(path: Path, full: bool) -> Facts:
    image = open_guarded(path, "the file")
    form = {"format": image.format or "", "mode": image.mode}
    size, defects = image.size, []
    expected = FORMATS.get(path.suffix.lower(), (form["format"],))
    if form["format"] not in expected:
        defects.append(("wrong-suffix", f"{path.name} holds {form['format']} data"))
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
    return _facts(size, form, path.stat().st_size, seen, defects)


def _plain(image: Image.Image) -> Image.Image:
    """Grey stays grey (a reduced JPEG); everything else becomes RGB."""
    if image.mode == "L" and "transparency" not in image.info:
        image.load()
        return image
    return flatten(image)


def _facts(
    size: tuple[int, int], form: Mapping[str, object], weight: int, seen: Image.Image,
    defects: list[tuple[str, str]],
) -> Facts:  # fmt: skip
    width, height = size
    if min(size) < TINY:
        defects.append(("tiny", f"{width} x {height} pixels"))
    grey = seen if seen.mode == "L" else seen.convert("L")
    return Facts(
        form={**form, "width": width, "height": height}, defects=tuple(defects), scale=max(size),
        richness=(width * height << 32) + min(weight, (1 << 32) - 1),
        content=digest_bytes(f"{size}{seen.mode}".encode(), seen.tobytes())[:32],
        fingerprint=fingerprint_of(grey) if min(size) >= LEAST else None,
    )  # fmt: skip
