"""Heat on a text: its tokens in order, the darker the more they speak for an answer."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from tutelage.modality.record import InputSpec
from tutelage.modality.text_tokens import Tokens

WIDE, LINE, SIZE, EDGE = 640, 26, 15, 4
"""Pixels of the picture's width, from line to line, of a letter, and around a token."""

HOT = np.array((187, 55, 84), np.float64)
"""The colour of the largest heat; none is white. It is told apart by the colour-blind by its darkness."""


def attribute(tokens: Tokens, decoded: str, spec: InputSpec, heat: npt.NDArray[np.floating]) -> bytes:  # fmt: skip
    """PNG bytes of a text's tokens under their heat.

    Args:
        tokens: of the teacher.
        decoded: the text, as ``read`` gives it.
        spec: how many tokens are read.
        heat: one value a place, (T,) or (1, T), nothing negative; padding at its end is passed over.
    """
    pieces = tokens.pieces(tokens.read(decoded, spec), spec.size)
    return drawn(pieces, shared(heat, len(pieces)))


def shared(heat: npt.NDArray[np.floating], count: int) -> npt.NDArray[np.float64]:
    """Heat as shares of its largest value (count,), zero where there is none."""
    flat = np.zeros(count)
    given = np.asarray(heat, np.float64).reshape(-1)[:count]
    flat[: len(given)] = np.clip(given, 0, None)
    top = flat.max(initial=0.0)
    return flat / top if top > 0 else flat


def drawn(pieces: Sequence[str], shares: npt.NDArray[np.float64]) -> bytes:
    """PNG bytes of tokens in lines, each on the colour of its share."""
    font = ImageFont.load_default(size=SIZE)
    widths = [int(font.getlength(piece)) + 2 * EDGE for piece in pieces]
    places = _places(widths)
    rows = 1 + max((row for row, _ in places), default=0)
    sheet = Image.new("RGB", (WIDE, rows * LINE + EDGE), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for piece, share, wide, (row, left) in zip(pieces, shares, widths, places, strict=True):
        colour = tuple(np.rint((1 - share) * 255 + share * HOT).astype(int).tolist())
        top = row * LINE + EDGE
        draw.rectangle((left, top, left + wide - 2, top + LINE - 6), fill=colour)
        ink = (255, 255, 255) if share > 0.6 else (20, 20, 20)
        draw.text((left + EDGE, top + 1), piece, fill=ink, font=font)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _places(widths: Sequence[int]) -> list[tuple[int, int]]:
    """(line, left edge) of each token, broken where a line is full."""
    found, row, left = [], 0, EDGE
    for wide in widths:
        if left + wide > WIDE and left > EDGE:
            row, left = row + 1, EDGE
        found.append((row, left))
        left += wide
    return found
