"""Pictures for a page: tiles side by side as one small file."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

GAP = 4
"""Pixels between tiles, transparent."""


def tiled(tiles: Sequence[bytes], side: int, columns: int) -> bytes:
    """Encoded pictures as square tiles in rows, one WebP file.

    Args:
        tiles: encoded pictures; one that is not square is put in the middle of its tile.
        side: of a tile, in pixels.
        columns: tiles in a row.
    """
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    step = side + GAP
    sheet = Image.new("RGBA", (columns * step - GAP, rows * step - GAP), (0, 0, 0, 0))
    for number, tile in enumerate(tiles):
        picture = _fitted(Image.open(io.BytesIO(tile)), side)
        row, column = divmod(number, columns)
        left, top = (side - picture.width) // 2, (side - picture.height) // 2
        sheet.paste(picture, (column * step + left, row * step + top))
    return encoded(sheet)


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.convert("RGBA").resize(size, Image.Resampling.BICUBIC)


def encoded(picture: Image.Image) -> bytes:
    """WebP."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=82, method=4)
    return buffer.getvalue()
