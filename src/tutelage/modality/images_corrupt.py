"""Corruptions by accident, at severities 1 to 5: twelve of the kinds of Hendrycks and Dietterich (ICLR 2019).

The kinds and the idea of five severities are theirs; the code and its strengths are our own, so figures are not
comparable with those on ImageNet-C. A window is uint8 (H, W, C); lengths are in shares of its side, so that a small
input is not hit harder than a large one.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutelage.modality.perturb import Corruption, Window

Floats = npt.NDArray[np.float64]


def _unit(window: Window) -> Floats:
    return np.asarray(window, dtype=np.float64) / 255


def _whole(values: Floats) -> Window:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def gaussian_noise(window: Window, severity: int, rng: np.random.Generator) -> Window:
    """Noise of a sensor in bad light."""
    spread = (0.04, 0.06, 0.08, 0.12, 0.18)[severity - 1]
    return _whole(_unit(window) + rng.normal(0, spread, window.shape))


def shot_noise(window: Window, severity: int, rng: np.random.Generator) -> Window:
    """Noise of few photons."""
    photons = (250, 120, 60, 30, 15)[severity - 1]
    return _whole(rng.poisson(_unit(window) * photons) / photons)


def impulse_noise(window: Window, severity: int, rng: np.random.Generator) -> Window:
    """Dead and stuck pixels."""
    share = (0.01, 0.02, 0.04, 0.07, 0.12)[severity - 1]
    draw = rng.random(window.shape[:2])[:, :, None]
    values = np.where(draw < share / 2, 0, np.where(draw < share, 255, window))
    return values.astype(np.uint8)


def defocus_blur(window: Window, severity: int, rng: np.random.Generator) -> Window:
    """Out of focus: a disk."""
    radius = max(1, round((0.006, 0.010, 0.014, 0.02, 0.027)[severity - 1] * window.shape[0]))
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (rows**2 + columns**2 <= radius**2).astype(np.float64)
    return _whole(_filtered(_unit(window), disk / disk.sum()))


def motion_blur(window: Window, severity: int, rng: np.random.Generator) -> Window:
    """The camera moved."""
    length = max(2, round((0.02, 0.035, 0.05, 0.07, 0.1)[severity - 1] * window.shape[0]))
    angle, kernel = rng.uniform(0, np.pi), np.zeros((2 * length + 1, 2 * length + 1))
    for step in np.linspace(-length / 2, length / 2, 4 * length):
        kernel[round(length + step * np.sin(angle)), round(length + step * np.cos(angle))] = 1
    return _whole(_filtered(_unit(window), kernel / kernel.sum()))


def zoom_blur(window: Window, severity: int, rng: np.random.Generator) -> Window:
    """The camera came nearer."""
    most = (0.04, 0.07, 0.1, 0.14, 0.2)[severity - 1]
    factors = np.linspace(0, most, 8)
    return _whole(np.mean([_unit(_zoomed(window, 1 + factor)) for factor in factors], axis=0))


def fog(window: Window, severity: int, rng: np.random.Generator) -> Window:
    """A veil of uneven light."""
    strength = (0.2, 0.3, 0.4, 0.55, 0.7)[severity - 1]
    veil = 0.6 + 0.4 * _clouds(window.shape[0], window.shape[1], rng)
    return _whole(_unit(window) * (1 - strength) + strength * veil[:, :, None])


def brightness(window: Window, severity: int, rng: np.random.Generator) -> Window:
    """Too much light."""
    return _whole(_unit(window) + (0.08, 0.15, 0.22, 0.3, 0.4)[severity - 1])


def darkness(window: Window, severity: int, rng: np.random.Generator) -> Window:
    """Too little light."""
    return _whole(_unit(window) * (0.8, 0.65, 0.5, 0.37, 0.25)[severity - 1])


def contrast(window: Window, severity: int, rng: np.random.Generator) -> Window:
    """A flat exposure."""
    values, share = _unit(window), (0.75, 0.6, 0.45, 0.3, 0.18)[severity - 1]
    return _whole((values - values.mean()) * share + values.mean())


def pixelate(window: Window, severity: int, rng: np.random.Generator) -> Window:
    """A small picture blown up."""
    share = (0.6, 0.5, 0.4, 0.3, 0.22)[severity - 1]
    small = max(1, round(share * window.shape[0])), max(1, round(share * window.shape[1]))
    rows = np.arange(window.shape[0]) * small[0] // window.shape[0]
    columns = np.arange(window.shape[1]) * small[1] // window.shape[1]
    bands = [Image.fromarray(band).resize(small[::-1], Image.Resampling.BOX) for band in np.moveaxis(window, 2, 0)]  # fmt: skip
    grown: Window = np.stack([np.asarray(band) for band in bands], axis=2)[rows][:, columns]
    return grown


def jpeg(window: Window, severity: int, rng: np.random.Generator) -> Window:
    """Saved too small."""
    return compressed(window, (60, 40, 25, 15, 8)[severity - 1])


def compressed(window: Window, quality: int) -> Window:
    """Saved as JPEG and opened again; channels other than a picture's three are compressed one by one."""
    if window.shape[2] == 3:
        return np.asarray(_compressed(Image.fromarray(window), quality))
    bands = [np.asarray(_compressed(Image.fromarray(b), quality)) for b in np.moveaxis(window, 2, 0)]  # fmt: skip
    return np.stack(bands, axis=2)


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert(image.mode)


def _filtered(values: Floats, kernel: Floats) -> Floats:
    from scipy.ndimage import convolve

    bands = [convolve(band, kernel, mode="nearest") for band in np.moveaxis(values, 2, 0)]
    return np.stack(bands, axis=2)


def _zoomed(window: Window, factor: float) -> Window:
    height, width = window.shape[:2]
    top, left = height * (1 - 1 / factor) / 2, width * (1 - 1 / factor) / 2
    box = (left, top, width - left, height - top)
    bands = [Image.fromarray(b).resize((width, height), Image.Resampling.BILINEAR, box=box) for b in np.moveaxis(window, 2, 0)]  # fmt: skip
    return np.stack([np.asarray(band) for band in bands], axis=2)


def _clouds(height: int, width: int, rng: np.random.Generator) -> Floats:
    """Random values in 0..1 of many wave lengths."""
    total, weight, size = np.zeros((height, width)), 1.0, 2
    while size < max(height, width):
        coarse = Image.fromarray((rng.random((size, size)) * 255).astype(np.uint8))
        layer: npt.NDArray[Any] = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))  # fmt: skip
        total, weight, size = total + weight * layer / 255, weight / 2, size * 2
    return np.asarray((total - total.min()) / max(1e-9, float(total.max() - total.min())))


CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType({
    "gaussian noise": gaussian_noise, "shot noise": shot_noise, "impulse noise": impulse_noise,
    "defocus blur": defocus_blur, "motion blur": motion_blur, "zoom blur": zoom_blur, "fog": fog,
    "brightness": brightness, "darkness": darkness, "contrast": contrast, "pixelate": pixelate, "jpeg": jpeg,
})  # fmt: skip
