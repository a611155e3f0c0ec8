"""Heat on an image: what a student saw, and beside it which places spoke for its answer."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutelage.modality.images_view import augment
from tutelage.modality.record import InputSpec

SIDE = 320
"""Pixels of each of the two pictures."""

GAP = 8

COLOURS = np.array([(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], np.float64)  # fmt: skip
"""Dark to light at even steps, told apart by the colour-blind and in print (of the family of "inferno")."""

FAINT, STRONG = 0.25, 0.75
"""How opaque heat is where there is none, and at its largest."""

Pixels = npt.NDArray[np.uint8]


def attribute(decoded: Image.Image, spec: InputSpec, heat: npt.NDArray[np.floating]) -> bytes:
    """PNG bytes: the plain view, and the same under its heat.

    Args:
        decoded: an RGB image, as ``read`` gives it.
        spec: how the view was made.
        heat: (h, w), nothing negative; blown up smoothly to the view.
    """
    return beside(augment(decoded, spec, None), heat)


def beside(view: Pixels, heat: npt.NDArray[np.floating]) -> bytes:
    """PNG bytes of a view (H, W, 3) and of the same under heat (h, w)."""
    plain = Image.fromarray(view).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    sheet = Image.new("RGB", (2 * SIDE + GAP, SIDE), (255, 255, 255))
    sheet.paste(plain, (0, 0))
    sheet.paste(Image.fromarray(laid(np.asarray(plain), heat)), (SIDE + GAP, 0))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def laid(view: Pixels, heat: npt.NDArray[np.floating]) -> Pixels:
    """Heat laid on a view (H, W, 3), scaled by its own maximum."""
    top = float(heat.max())
    scaled = Image.fromarray((heat / top if top > 0 else heat).astype(np.float32))
    size = (view.shape[1], view.shape[0])
    share = np.clip(np.asarray(scaled.resize(size, Image.Resampling.BICUBIC), np.float64), 0, 1)
    stops = np.linspace(0, 1, len(COLOURS))
    colour = np.stack([np.interp(share, stops, COLOURS[:, c]) for c in range(3)], axis=2)
    opaque = (FAINT + (STRONG - FAINT) * share)[:, :, None]
    grey = view.mean(2, keepdims=True)
    mixed: Pixels = np.rint((1 - opaque) * grey + opaque * colour).astype(np.uint8)
    return mixed


def attribute_bands(decoded: Pixels, spec: InputSpec, heat: npt.NDArray[np.floating]) -> bytes:
    """As ``attribute``, of an image of any number of channels (H, W, C): the first three, or one as grey."""
    from tutelage.modality.images_bands import augment_bands

    view = augment_bands(decoded, spec, None)
    shown = view[:, :, :3] if view.shape[2] > 2 else np.repeat(view[:, :, :1], 3, axis=2)
    return beside(np.ascontiguousarray(shown), heat)
