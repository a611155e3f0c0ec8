"""Perturbations of images: a window is what the network sees, uint8 (H, W, C), after resize and crop."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutelage.modality.images_corrupt import CORRUPTIONS
from tutelage.modality.images_dssim import dssim, dssim_relaxed
from tutelage.modality.perturb import Perturb, Window
from tutelage.modality.record import InputSpec


def embed(window: Window, spec: InputSpec) -> npt.NDArray[np.uint8]:
    """An image array whose plain view is exactly this window: the window, with a frame that the crop takes off.

    The frame repeats the outermost pixels, so that the short side has ``spec.resize`` pixels and nothing is
    scaled. Bicubic and bilinear filters at scale one and whole offsets give back the pixels themselves.

    Args:
        window: (size, size, C) uint8.
        spec: of the student.

    Returns:
        (S, S, C) uint8 with S = max(resize, size), rounded up so that the frame is even.
    """
    side = max(spec.resize, spec.size)
    before = round((side - spec.size) / 2)
    after = side - spec.size - before
    return np.pad(window, ((before, after), (before, after), (0, 0)), mode="edge")


def settle(values: npt.NDArray[np.floating], origin: Window, budget: float) -> Window:
    """Round to 8 bits, at most ``budget`` from the original, between 0 and 255."""
    whole, start = np.rint(values), origin.astype(np.float64)
    reach = np.floor(budget + 1e-6)
    inside: Window = np.clip(np.clip(whole, start - reach, start + reach), 0, 255).astype(np.uint8)
    return inside


def picture(window: Window) -> bytes:
    """PNG bytes of a window; of other than three channels the first three, or the first as grey."""
    shown = window[:, :, :3] if window.shape[2] >= 3 else window[:, :, 0]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(shown)).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


PERTURB = Perturb(
    item=embed,
    low=0.0,
    high=255.0,
    unit="/255",
    budgets=(2.0, 4.0, 8.0),
    graded=4.0,
    sanity=32.0,
    settle=settle,
    corruptions=CORRUPTIONS,
    distance=dssim,
    distance_name="DSSIM",
    perceptual=(0.001, 0.003, 0.005, 0.01),
    relaxed=dssim_relaxed,
    picture=picture,
)
