"""From a decoded image to the array a network sees: the plain view, random views, thumbnails."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutelage.modality.record import InputSpec

Box = tuple[float, float, float, float]
_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
SMALL = 64
"""Sources whose median long side is at most this many pixels get an input smaller than the card's,
but not smaller than this."""


def augment(
    decoded: Image.Image, spec: InputSpec, rng: np.random.Generator | None
) -> npt.NDArray[np.uint8]:
    """One view of a decoded image.

    Args:
        decoded: an RGB image, as ``read`` gives it.
        spec: what the network wants.
        rng: None for the plain view that ``predict`` uses: short side to ``spec.resize``, central
            crop of ``spec.size``. Else a random view drawn from it: 50-100 % of the area at a
            ratio from 3:4 to 4:3, mirrored half of the time.

    Returns:
        ``(size, size, 3)`` uint8.
    """
    return np.array(cut_out(decoded, spec, window(decoded.size, spec, rng)), dtype=np.uint8)


def window(
    size: tuple[int, int], spec: InputSpec, rng: np.random.Generator | None
) -> tuple[Box, bool]:
    """The box that a view shows, in pixels of the source, and whether it is mirrored."""
    width, height = size
    if rng is None:
        return _centre(width, height, spec), False
    return _random(width, height, rng), bool(rng.random() < 0.5)


def cut_out(image: Image.Image, spec: InputSpec, seen: tuple[Box, bool]) -> Image.Image:
    """A window of an image of any mode, at the spec's size."""
    box, mirrored = seen
    view = image.resize((spec.size, spec.size), _FILTERS[spec.interpolation], box=box)
    return view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else view


def _centre(width: int, height: int, spec: InputSpec) -> Box:
    """The central crop, in pixels of the source, so that nothing outside it is resized."""
    short = max(spec.resize, spec.size)
    scale = short / min(width, height)
    across, down = max(short, int(width * scale)), max(short, int(height * scale))
    left, top = round((across - spec.size) / 2), round((down - spec.size) / 2)
    x, y = width / across, height / down
    return left * x, top * y, min((left + spec.size) * x, width), min((top + spec.size) * y, height)


def _random(width: int, height: int, rng: np.random.Generator) -> Box:
    for _ in range(10):
        area = width * height * rng.uniform(0.5, 1.0)
        ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        across, down = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if across <= width and down <= height:
            left, top = rng.uniform(0, width - across), rng.uniform(0, height - down)
            return left, top, left + across, top + down
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def collate(arrays: Sequence[npt.NDArray[np.uint8]]) -> dict[str, npt.NDArray[np.uint8]]:
    """N views -> ``{"x": (N, size, size, C) uint8}``."""
    return {"x": np.stack(list(arrays))}


def spec(card: InputSpec, scales: Sequence[int]) -> InputSpec:
    """The card's spec, or a smaller one for small sources.

    If the median long side m is at most 64 px, the input is 4 m rounded up to a multiple of 32, at
    least 64, at least what the network was seen to work at (``card.smallest``) and at most the
    card's, and nothing is cropped off (``resize = size``): blowing a 28 px digit up to 224 costs
    three times the work of 128 and shows the network nothing more. A network that was made for
    smaller pictures than 64 px keeps its own size.

    Args:
        card: the teacher's own spec.
        scales: native long sides in pixels, 0 where unknown.
    """
    known = [scale for scale in scales if scale > 0]
    if not known or median(known) > SMALL:
        return card
    size = min(card.size, max(SMALL, card.smallest, 32 * math.ceil(4 * median(known) / 32)))
    return replace(card, size=size, resize=size)


def thumbnail(decoded: Image.Image, long_side: int) -> bytes:
    """WebP bytes of an RGB or grey image scaled to ``long_side`` pixels (small ones are blown up, hard-edged)."""
    scale = long_side / max(decoded.size)
    size = (max(1, round(decoded.width * scale)), max(1, round(decoded.height * scale)))
    filter_ = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST
    buffer = io.BytesIO()
    decoded.convert("RGB").resize(size, filter_).save(
        buffer, "WEBP", quality=80, lossless=scale >= 1
    )
    return buffer.getvalue()
