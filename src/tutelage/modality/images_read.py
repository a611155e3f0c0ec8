"""Images from files and arrays: opened behind a guard, decoded whole, made RGB knowingly.

bomb      refused by the size in the header, before a pixel is decoded
EXIF      orientation obeyed
alpha     composited on white (also palettes and greys with a transparent colour)
16 bits   divided by the smallest of 255, 4095 and 65535 that holds the largest value,
          so that 8-, 12- and 16-bit data in a 16-bit file all come out as bright as they are
float     0..1 is stretched to 0..255; 0..255 stays; anything else goes from its least to its most
animation the first frame
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from tutelage.errors import DataError
from tutelage.modality.record import Item

MAX_PIXELS = 178_956_970
"""Larger images are refused as bombs: about 180 megapixels, Pillow's own limit for an error."""

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


def read(item: Item) -> Image.Image:
    """Decode an image whole.

    Args:
        item: a path, or an array ``(H, W)`` or ``(H, W, 1|3|4)``, uint8, uint16 or float in 0..1.

    Returns:
        A Pillow image of mode RGB, upright.

    Raises:
        DataError: kind ``"unreadable"`` or ``"bomb"``; a truncated file is unreadable, never grey.
    """
    if isinstance(item, np.ndarray):
        return from_array(item)
    path = Path(item)
    image = open_guarded(path)
    try:
        turn = orientation(image)
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
        raise _bomb(what, "more than 180 megapixels") from error
    except BROKEN as error:
        raise unreadable(what, explain(error)) from error
    if image.width * image.height > MAX_PIXELS:
        raise _bomb(what, f"{image.width} x {image.height} pixels")
    return image


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1..8; 1 where there is none or it cannot be read."""
    if image.format == "JPEG" and "exif" not in image.info:
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


def from_array(array: npt.NDArray[Any]) -> Image.Image:
    """An array as an RGB image.

    Raises:
        DataError: kind ``"unreadable"``: no image has that shape, type or those values.
    """
    what = f"an array of shape {array.shape} and type {array.dtype}"
    if (
        array.ndim not in (2, 3)
        or 0 in array.shape
        or (array.ndim == 3 and array.shape[2] not in (1, 3, 4))
    ):
        raise unreadable(what, "its shape is no image's")
    if array.dtype.kind not in "buif" or (array.dtype.kind == "f" and not np.isfinite(array).all()):
        raise unreadable(what, "its values are not finite numbers")
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise _bomb(what, f"{array.shape[1]} x {array.shape[0]} pixels")
    image = Image.fromarray(eight_bits(array[:, :, 0] if array.shape[2:] == (1,) else array))
    return _on_white(image) if image.mode == "RGBA" else image.convert("RGB")


def eight_bits(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Values of any type as 0..255 by the rules of this file; the shape is kept."""
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == np.bool_:
        return np.where(array, 255, 0).astype(np.uint8)
    values = np.nan_to_num(array.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    steps = (1.0, 255.0) if array.dtype.kind == "f" else (255.0, 4095.0, 65535.0)
    top = next((step for step in steps if high <= step), None)
    if top is None or low < 0:
        values, top = values - low, max(high - low, 1e-12)
    return np.rint(values * (255.0 / top)).astype(np.uint8)


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


def unreadable(what: str, why: str) -> DataError:
    """The one error for an item that cannot be decoded."""
    return DataError(
        "unreadable", given=f"{what} cannot be read: {why}", expected="a whole image",
        next="Replace it from its source or take it out; list all such files with: tutelage check DATA",
    )  # fmt: skip


def _bomb(what: str, size: str) -> DataError:
    return DataError(
        "bomb", given=f"{what} claims {size}", expected="an image of at most 180 megapixels",
        next="Make it smaller or take it out; list all such files with: tutelage check DATA",
    )  # fmt: skip
