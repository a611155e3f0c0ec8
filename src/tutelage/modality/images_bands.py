"""Images of any number of channels, as arrays (H, W, C): grey, two-channel, RGBA, multispectral.

1 channel     any picture, as grey (luma: 299 R + 587 G + 114 B over 1000, as Pillow has it)
2, 4, ...     arrays, ``.npy`` files, and files with exactly so many bands (LA, RGBA, CMYK), the bands
              as they are: nothing is laid on white; a palette is looked up first

Views are those of RGB pictures: the same boxes, the same draws, band by band through the same filter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutelage.errors import DataError
from tutelage.files import digest_bytes
from tutelage.modality import images_check
from tutelage.modality.images_array import (  # fmt: skip
    checked_array,
    holds_array,
    load_array,
    unreadable,
    wrong_channels,
)
from tutelage.modality.images_read import BROKEN, explain, open_guarded, orientation, read, upright
from tutelage.modality.images_view import cut_out, thumbnail, window
from tutelage.modality.record import Facts, Fingerprint, InputSpec, Item

Bands = npt.NDArray[np.uint8]


def read_bands(item: Item, channels: int) -> Bands:
    """Decode an image whole.

    Args:
        item: a path or an array ``(H, W, C)``; for one channel whatever a picture can be read from.
        channels: C.

    Returns:
        ``(H, W, C)`` uint8, upright.

    Raises:
        DataError: kind ``"unreadable"`` or ``"bomb"``; another number of channels is unreadable.
    """
    if channels == 1:
        return np.asarray(read(item).convert("L"), dtype=np.uint8)[:, :, None]
    return _opened(item, channels)[0]


def _opened(item: Item, channels: int, what: str = "") -> tuple[Bands, dict[str, Any]]:
    """Two or more channels, and the form that they came in."""
    if isinstance(item, np.ndarray):
        return checked_array(item, (channels,), what), images_check.array_form(item, "array")
    path = Path(item)
    what = what or str(path)
    if holds_array(path):
        array = load_array(path, (channels,), what)
        form = images_check.array_form(array, images_check.ARRAY_FILE)
        return checked_array(array, (channels,), what), form
    image = open_guarded(path, what)
    form = {"format": image.format or "", "mode": image.mode}
    try:
        turn = orientation(image)
        image = upright(_unpaletted(image), turn)
    except BROKEN as error:
        raise unreadable(what, explain(error)) from error
    if len(image.getbands()) != channels:
        raise wrong_channels(what, len(image.getbands()), (channels,))
    return np.asarray(image, dtype=np.uint8), form


def _unpaletted(image: Image.Image) -> Image.Image:
    """Decoded; the indices of a palette are no values, so they become the colours that they name."""
    image.load()
    if image.mode not in ("P", "PA"):
        return image
    clear = image.mode == "PA" or "transparency" in image.info
    return image.convert("RGBA" if clear else "RGB")


def check_bands(item: Item, full: bool, channels: int) -> Facts:
    """Look at an image without raising: what is wrong is in ``Facts.defects``.

    One channel is looked at like a picture. More are decoded whole, ``full`` or not; their
    fingerprint is that of the mean of the bands, so that no band alone makes two items copies.
    """
    if channels == 1:
        return images_check.check(item, full)
    path = None if isinstance(item, np.ndarray) else Path(item)
    try:
        bands, form = _opened(item, channels, "the file" if path else "")
    except DataError as error:
        return Facts(defects=((error.kind, error.given),))
    defects = images_check.suffix_defects(path, form["format"]) if path else []
    size = (bands.shape[1], bands.shape[0])
    grey = Image.fromarray(np.rint(bands.mean(axis=2, dtype=np.float32)).astype(np.uint8))
    content = digest_bytes(f"{size}{channels}".encode(), bands.tobytes())[:32]
    return images_check.facts_of(size, form, bands.nbytes, grey, defects, content)


def fingerprint_bands(item: Item, channels: int) -> Fingerprint | None:
    """The fingerprint for near-duplicates; None under 64 px, for flat and for broken images."""
    return check_bands(item, False, channels).fingerprint


def augment_bands(decoded: Bands, spec: InputSpec, rng: np.random.Generator | None) -> Bands:
    """One view: ``(H, W, C)`` -> ``(size, size, C)`` uint8; see ``images_view.augment``."""
    height, width, _ = decoded.shape
    seen = window((width, height), spec, rng)
    bands = [Image.fromarray(band) for band in np.moveaxis(decoded, 2, 0)]
    return np.stack([np.asarray(cut_out(band, spec, seen)) for band in bands], axis=2)


def show_bands(item: Item, long_side: int, channels: int) -> bytes:
    """WebP bytes of a thumbnail: the first three channels as RGB, or of one or two the first as grey."""
    bands = read_bands(item, channels)
    picture = bands[:, :, 0] if channels < 3 else bands[:, :, :3]
    return thumbnail(Image.fromarray(np.ascontiguousarray(picture)), long_side)
