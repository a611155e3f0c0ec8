"""Texts from strings and files: decoded by rules that are told, never guessed in silence.

byte order mark   obeyed (UTF-8, UTF-16)
no mark           UTF-8; where that fails Windows-1252, and the encoding is reported
no text           bytes with zeros in them, and texts of nothing but white space, cannot be read
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import numpy as np

from tutelage.errors import DataError
from tutelage.files import decoded
from tutelage.modality.record import Item

UNSEEN = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\u00ad\u202a-\u202e]")
"""Characters that nobody sees: zero-width, direction marks, soft hyphens."""

LARGEST = 1 << 24
"""Bytes of one document; more is a data file, not a text."""


def read(item: Item) -> str:
    """A text whole, as it is.

    Args:
        item: the text itself, or the path of a file that holds it.

    Raises:
        DataError: kind ``"unreadable"`` or ``"bomb"``.
    """
    text, _ = read_encoded(item)
    if not has_letters(text):
        raise unreadable(_called(item), "it is empty")
    return text


def read_encoded(item: Item) -> tuple[str, str]:
    """A text, and the encoding that it was in; empty for one that is no file. Raises as ``read`` does."""
    if isinstance(item, np.ndarray):
        raise unreadable(_called(item), "it is an array, not a text")
    if isinstance(item, str):
        return item, ""
    try:
        size = item.stat().st_size
        if size > LARGEST:
            raise DataError(
                "bomb", given=f"{item} has {size:,} bytes", expected=f"a text of at most {LARGEST:,} bytes",
                next="Split it into documents, or take it out.",
            )  # fmt: skip
        return decoded(item.read_bytes())
    except OSError as error:
        raise unreadable(str(item), error.strerror or "the system refused it") from error
    except ValueError as error:
        raise unreadable(str(item), str(error)) from error


def has_letters(text: str) -> bool:
    """Is there anything to see in it: no white space, no control, no zero-width character?"""
    return any(not c.isspace() and unicodedata.category(c)[0] != "C" for c in text)


def unreadable(what: str, why: str) -> DataError:
    """The one error for an item that is no text."""
    return DataError(
        "unreadable", given=f"{what} cannot be read: {why}", expected="a text",
        next="Mend it or take it out; list all such items with: tutelage check DATA",
    )  # fmt: skip


def _called(item: Item) -> str:
    if isinstance(item, Path):
        return str(item)
    return f"an array of shape {item.shape}" if isinstance(item, np.ndarray) else f"the text {item[:40]!r}"  # fmt: skip
