"""Wear: what happens to an image on its way that must not change what is seen in it.

Photos that were taken and stored by one pipeline carry its traces, and pooled features of early layers can tell
classes by them; the same photo sent through another then means something else. A worn view is the plain one made smaller
and large again, with faint sensor noise, and compressed once more.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

SMALLER = (0.5, 1.0)
"""Shares of the side that it is made smaller to."""

NOISE = (1.0, 8.0)
"""Deviations of the noise, in steps of 255."""

QUALITY = (30, 90)
"""Qualities of JPEG."""


def worn(view: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A worn view (H, W, C) of a plain one, drawn from ``rng``; other than three channels are worn as grey images."""
    smaller, spread, quality = rng.uniform(*SMALLER), rng.uniform(*NOISE), int(rng.integers(*QUALITY, endpoint=True))  # fmt: skip
    noise = rng.normal(0, spread, view.shape)
    if view.shape[2] == 3:
        return _worn(view, smaller, noise, quality)
    bands = zip(np.moveaxis(view, 2, 0), np.moveaxis(noise, 2, 0), strict=True)
    return np.stack([_worn(band, smaller, some, quality) for band, some in bands], axis=2)


def _worn(pixels: npt.NDArray[np.uint8], smaller: float, noise: npt.NDArray[np.float64], quality: int) -> npt.NDArray[np.uint8]:  # fmt: skip
    whole = Image.fromarray(np.ascontiguousarray(pixels))
    small = whole.resize([max(1, round(side * smaller)) for side in whole.size], Image.Resampling.BILINEAR)  # fmt: skip
    rough = np.asarray(small.resize(whole.size, Image.Resampling.BILINEAR)) + noise
    buffer = io.BytesIO()
    Image.fromarray(np.rint(np.clip(rough, 0, 255)).astype(np.uint8)).save(buffer, "JPEG", quality=quality)  # fmt: skip
    return np.asarray(Image.open(buffer), dtype=np.uint8)
