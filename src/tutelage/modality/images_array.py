"""Arrays as images, from Python or from a ``.npy`` file: guarded, then brought to 8 bits by one rule.

16 bits   divided by the smallest of 255, 4095 and 65535 that holds the largest value,
          so that 8-, 12- and 16-bit data in 16 bits all come out as bright as they are
float     0..1 is stretched to 0..255, and so is 0..1.05, clipped: resizing overshoots at edges;
          0..255 stays; anything else goes from its least to its most
bands     all channels of an item share one scale
.npy      its header is held against the file's size before a value is read; objects are never loaded
"""

from __future__ import annotations

import math
import tokenize
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError

MAX_PIXELS = 178_956_970
"""Larger images are refused as bombs: about 180 megapixels, Pillow's own limit for an error."""

PICTURE = (1, 3, 4)
"""Numbers of channels that make an RGB picture: grey, RGB, RGB with alpha."""

OVERSHOOT = 1.05
"""The largest value of a float image that still counts as 0..1."""

_MAGIC = b"\x93NUMPY"
_BROKEN = (
    OSError, ValueError, EOFError, SyntaxError, TypeError, LookupError, MemoryError, RecursionError,
    tokenize.TokenError,
)  # fmt: skip
"""What numpy raises on damaged files."""


def checked_array(
    array: npt.NDArray[Any], channels: tuple[int, ...], what: str = ""
) -> npt.NDArray[np.uint8]:
    """An array that is an image, as 0..255.

    Args:
        array: ``(H, W)`` or ``(H, W, C)``, of any number type.
        channels: how many it may have.
        what: how errors call it.

    Returns:
        ``(H, W)`` or ``(H, W, C)`` uint8, shaped as it was.

    Raises:
        DataError: kind ``"unreadable"`` or ``"bomb"``: no such image has that shape, type or values.
    """
    what = what or f"an array of shape {array.shape} and type {array.dtype}"
    _guard(array.shape, array.dtype, channels, what)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise unreadable(what, "its values are not finite numbers")
    return eight_bits(array)


def holds_array(path: Path) -> bool:
    """Does the file's content begin like a ``.npy`` file's?"""
    try:
        with path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except (OSError, ValueError):
        return False


def load_array(path: Path, channels: tuple[int, ...], what: str = "") -> npt.NDArray[Any]:
    """The array in a ``.npy`` file.

    Raises:
        DataError: its header lies, or claims what is no image of so many channels; nothing is read then.
    """
    what = what or str(path)
    try:
        with path.open("rb") as stream:
            shape, dtype = _header(stream)
            held = path.stat().st_size - stream.tell()
            _guard(shape, dtype, channels, what)
            if math.prod(shape) * dtype.itemsize != held:
                raise unreadable(what, f"its header claims the shape {shape} of {dtype}, and {held} bytes follow")  # fmt: skip
            stream.seek(0)
            loaded: npt.NDArray[Any] = np.load(stream, allow_pickle=False)
    except _BROKEN as error:
        why = error.strerror if isinstance(error, OSError) else "its header is no sound .npy header"
        raise unreadable(what, why or "the system refused it") from error
    return loaded


def _header(stream: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    major = np.lib.format.read_magic(stream)[0]
    read = (
        np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(stream)
    return shape, dtype


def _guard(
    shape: tuple[int, ...], dtype: np.dtype[Any], channels: tuple[int, ...], what: str
) -> None:
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise unreadable(what, "its shape is no image's")
    has = shape[2] if len(shape) == 3 else 1
    if has not in channels:
        raise wrong_channels(what, has, channels)
    if dtype.kind not in "buif":
        raise unreadable(what, "its values are not finite numbers")
    if shape[0] * shape[1] * max(1.0, has / 4) > MAX_PIXELS:
        raise bomb(what, f"{shape[1]} x {shape[0]} pixels of {has} channels")


def eight_bits(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Values of any type as 0..255 by the rules of this file; the shape is kept."""
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == np.bool_:
        return np.where(array, 255, 0).astype(np.uint8)
    values = np.nan_to_num(array.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if array.dtype.kind == "f" and low >= 0 and high <= OVERSHOOT:
        values, high = np.minimum(values, 1.0), min(high, 1.0)
    steps = (1.0, 255.0) if array.dtype.kind == "f" else (255.0, 4095.0, 65535.0)
    top = next((step for step in steps if high <= step), None)
    if top is None or low < 0:
        values, top = values - low, max(high - low, 1e-12)
    return np.rint(values * (255.0 / top)).astype(np.uint8)


def unreadable(what: str, why: str) -> DataError:
    """The one error for an item that cannot be decoded."""
    return DataError(
        "unreadable", given=f"{what} cannot be read: {why}", expected="a whole image",
        next="Replace it from its source or take it out; list all such files with: tutelage check DATA",
    )  # fmt: skip


def wrong_channels(what: str, has: int, channels: tuple[int, ...]) -> DataError:
    """The error for an image of another number of channels than were asked for.

    Args:
        has: channels that it has.
        channels: numbers that would have done.
    """
    asked = f"{channels[0]} were asked (--channels {channels[0]})"
    if channels == PICTURE:
        asked = f"only 1, 3 or 4 make a picture (--channels {has} takes them as they are)"
    count = "1 channel" if has == 1 else f"{has} channels"
    return DataError(
        "unreadable", given=f"{what} cannot be read: it has {count}, and {asked}",
        expected=f"images or arrays (H, W, C) with C = {' or '.join(map(str, channels))}",
        next=f"If all have {count}, give channels={has} (on the command line --channels {has}).",
    )  # fmt: skip


def bomb(what: str, size: str) -> DataError:
    """The one error for an image that is too large to be one."""
    return DataError(
        "bomb", given=f"{what} claims {size}", expected="an image of at most 180 megapixels",
        next="Make it smaller or take it out; list all such files with: tutelage check DATA",
    )  # fmt: skip
