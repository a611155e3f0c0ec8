"""A text as one line, for pages that show items side by side."""

from __future__ import annotations

import textwrap

from tutelage.modality.record import Item
from tutelage.modality.text_read import read

LONGEST = 240
"""Characters of it that a page shows."""


def excerpt(item: Item) -> str:
    """The first words of a text on one line; raises as ``read`` does."""
    return textwrap.shorten(read(item), LONGEST, placeholder=" …")
