"""A text as a small picture, for pages that show items side by side."""

from __future__ import annotations

import io
import textwrap

from PIL import Image, ImageDraw, ImageFont

from tutelage.modality.record import Item
from tutelage.modality.text_read import read

LINE, SIZE = 13, 11
"""Pixels from line to line, and of a letter."""


def show(item: Item, long_side: int) -> bytes:
    """PNG bytes of the first words of a text on a card of ``long_side`` pixels; raises as ``read`` does."""
    height = max(LINE, long_side * 3 // 4)
    card = Image.new("L", (long_side, height), 255)
    draw = ImageDraw.Draw(card)
    lines = textwrap.wrap(" ".join(read(item).split())[:1000], max(8, long_side // 6))
    most = max(1, height // LINE)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][:-1] + "…"]
    font = ImageFont.load_default(size=SIZE)
    for number, line in enumerate(lines):
        draw.text((3, 1 + number * LINE), line, fill=20, font=font)
    buffer = io.BytesIO()
    card.save(buffer, "PNG")
    return buffer.getvalue()
