"""Images from files and arrays: opened behind a guard, decoded whole, made RGB knowingly.

bomb      refused by the size in the header, before a pixel is decoded
EXIF      orientation obeyed, once: decoding a TIFF file turns it already, other files are turned here
alpha     composited on white (also palettes and greys with a transparent colour)
16 bits, float, .npy  see ``images_array``
animation the first frame
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from tutelage.modality.images_array import (
    MAX_PIXELS,
    PICTURE,
    bomb,
    checked_array,
    eight_bits,
    holds_array,
    load_array,
    unreadable,
)
from tutelage.modality.record import InputSpec, Item

BROKEN = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError,
    AttributeError, MemoryError, NotImplementedError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's plugins raise on damaged files."""

_TURNS = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT,), 3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,), 5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_270,), 7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_90,),
}  # fmt: skip


FINER = 2
"""How many times as fine as a spec needs a reduced decode stays, so that resizing still averages. On sixteen photos
of 11 megapixels features then move by 0.08 of what tells the photos apart; saving the view as a JPEG of quality 95
moves them by 0.11. Decoding takes 38 ms instead of 97."""


def read_reduced(item: Item, spec: InputSpec) -> Image.Image:
    """Decode an image with no more detail than a view by ``spec`` needs; else like ``read``.

    A JPEG file is decoded at 1/2, 1/4 or 1/8 of its size (the decoder leaves out high frequencies), where its
    short side then still has ``FINER`` times the pixels of ``spec.resize``. Everything else is decoded whole.
    """
    return _read(item, FINER * max(spec.resize, spec.size))


def read(item: Item) -> Image.Image:
    """Decode an image whole.

    Args:
        item: a path, perhaps of a ``.npy`` file, or an array ``(H, W)`` or ``(H, W, 1|3|4)``,
            uint8, uint16 or float in 0..1.

    Returns:
        A Pillow image of mode RGB, upright.

    Raises:
        DataError: kind ``"unreadable"`` or ``"bomb"``; a truncated file is unreadable, never grey.
    """
    return _read(item, None)


def _read(item: Item, short: int | None) -> Image.Image:
    """Decode an image; a JPEG whose short side is far above ``short`` pixels, reduced to at least that."""
    if isinstance(item, np.ndarray):
        return from_array(item)
    path = Path(item)
    if holds_array(path):
        return from_array(load_array(path, PICTURE), str(path))
    image = open_guarded(path)
    try:
        turn = orientation(image)
        if short is not None and image.format == "JPEG":
            share = short / min(image.size)
            image.draft(
                image.mode, (math.ceil(image.width * share), math.ceil(image.height * share))
            )
        return upright(flatten(image), turn)
    except BROKEN as error:
        raise unreadable(str(path), explain(error)) from error


def open_guarded(path: Path, what: str = "") -> Image.Image:
    """Read the header of an image file; its content, not its name, decides the format.

    Args:
        what: how errors call the file, if not by its path.

    Raises:
        DataError: kind ``"unreadable"`` or ``"bomb"``.
    """
    what = what or str(path)
    try:
        content = path.read_bytes()
        if not content:
            raise unreadable(what, "the file has 0 bytes")
        image: Image.Image = Image.open(io.BytesIO(content))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise bomb(what, "more than 180 megapixels") from error
    except BROKEN as error:
        raise unreadable(what, explain(error)) from error
    if image.width * image.height > MAX_PIXELS:
        raise bomb(what, f"{image.width} x {image.height} pixels")
    return image


def orientation(image: Image.Image) -> int:
    """The EXIF orientation that is still to be obeyed once an image is decoded, 1..8.

    It is 1 where there is none or it cannot be read, and for TIFF files: decoding turns those (Pillow's
    ``TiffImageFile.load_end``).
    """
    if image.format == "TIFF" or (image.format == "JPEG" and "exif" not in image.info):
        return 1
    try:
        return int(image.getexif().get(0x0112, 1))
    except BROKEN:
        return 1


def upright(image: Image.Image, turn: int) -> Image.Image:
    """Turn or mirror the image as EXIF says."""
    for step in _TURNS.get(turn, ()):
        image = image.transpose(step)
    return image


def flatten(image: Image.Image) -> Image.Image:
    """Decode to RGB by the rules of this file; raises what Pillow raises."""
    image.load()
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode[0] in "IF":
        return Image.fromarray(eight_bits(np.asarray(image))).convert("RGB")
    if "A" in image.getbands() or "a" in image.mode or "transparency" in image.info:
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


def from_array(array: npt.NDArray[Any], what: str = "") -> Image.Image:
    """An array as an RGB image.

    Args:
        what: how errors call it.

    Raises:
        DataError: kind ``"unreadable"`` or ``"bomb"``: no picture has that shape, type or those values.
    """
    values = checked_array(array, PICTURE, what)
    image = Image.fromarray(values[:, :, 0] if values.shape[2:] == (1,) else values)
    return _on_white(image) if image.mode == "RGBA" else image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def explain(error: BaseException) -> str:
    """Why a file could not be decoded, in a few words."""
    if isinstance(error, UnidentifiedImageError):
        return "its content is no image of a known format"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if isinstance(error, PermissionError):
        return "it may not be read: permission denied"
    return str(error) or type(error).__name__
