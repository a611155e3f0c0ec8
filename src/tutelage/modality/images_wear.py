"""Wear: what happens to an image on its way that must not change what is seen in it.

Photos that were taken and stored by one pipeline carry its traces, and pooled features of early layers can tell
classes by them; the same photo sent through another then means something else. A worn view is the plain one made smaller
and large again, with faint sensor noise, and compressed once more.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutelage.modality.images_corrupt import compressed

FILTER = Image.Resampling.BILINEAR

SMALLER = (0.5, 1.0)
"""Shares of the side that it is made smaller to."""

NOISE = (1.0, 8.0)
"""Deviations of the noise, in steps of 255."""

QUALITY = (30, 90)
"""Qualities of JPEG."""


def worn(view: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A worn view (H, W, C) of a plain one, drawn from ``rng``."""
    smaller, spread, quality = rng.uniform(*SMALLER), rng.uniform(*NOISE), int(rng.integers(*QUALITY, endpoint=True))  # fmt: skip
    noise = rng.normal(0, spread, view.shape)
    rough = np.rint(np.clip(_rescaled(view, smaller) + noise, 0, 255)).astype(np.uint8)
    return compressed(rough, quality)


def _rescaled(view: npt.NDArray[np.uint8], smaller: float) -> npt.NDArray[np.uint8]:
    """Made smaller and as large as before, band by band."""
    whole = view.shape[1], view.shape[0]
    small = max(1, round(whole[0] * smaller)), max(1, round(whole[1] * smaller))
    bands = (Image.fromarray(band).resize(small, FILTER).resize(whole, FILTER) for band in np.moveaxis(view, 2, 0))  # fmt: skip
    return np.stack([np.asarray(band) for band in bands], axis=2)
