"""A text as one line, for pages that show items side by side."""

from __future__ import annotations

from tutelage.modality.record import Item
from tutelage.modality.text_read import read

LONGEST = 240
"""Characters of it that a page shows."""

CUT = " …"
"""Stands behind what is shown of a longer text."""


def excerpt(item: Item) -> str:
    """The first words of a text on one line; raises as ``read`` does."""
    return one_line(read(item))


def one_line(text: str, longest: int = LONGEST) -> str:
    """A text with white space collapsed, cut to so many characters, the mark of the cut among them.

    It is cut behind a word where one ends in the last quarter, else where the limit is, as a long address or a text
    without spaces must be.
    """
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    room = longest - len(CUT)
    end = line.rfind(" ", 0, room + 1)
    return line[: end if 4 * end >= 3 * room else room] + CUT
