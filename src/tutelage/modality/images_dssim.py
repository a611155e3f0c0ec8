"""DSSIM: how unlike two images look, ``(1 - MS-SSIM) / 2``, as Wang et al. (USENIX Security 2018) budget it.

MS-SSIM is that of Wang, Simoncelli and Bovik (Asilomar 2003): five scales of weights .0448 .2856 .3001 .2363
.1333, contrast at each and luminance at the last, under an 11 x 11 Gaussian window of deviation 1.5, with
K1 = 0.01, K2 = 0.03, averaged over channels. Images whose short side is below ``LEAST`` have no five scales of a whole
window: of these it is SSIM at one scale (the same window), and ``scales`` says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SIZE, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
LEAST = 161
"""Short side in pixels from which five halvings leave more than a window."""


def scales(side: int) -> int:
    """5, or 1 for images under ``LEAST`` pixels."""
    return len(WEIGHTS) if side >= LEAST else 1


def dssim(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """DSSIM (N,) of image pairs (N, H, W, C) in 0..255; 0 is the same."""
    import torch

    with torch.no_grad():
        pairs = [torch.as_tensor(np.asarray(a)).double() for a in (first, second)]
        found: npt.NDArray[np.float64] = dssim_relaxed(*pairs).numpy()
    return found


def dssim_relaxed(first: Any, second: Any) -> Any:
    """The same for tensors (N, H, W, C), with gradients."""
    import torch
    from torch.nn import functional

    x, y = (t.permute(0, 3, 1, 2) for t in (first, second))
    many = scales(min(x.shape[2:]))
    product = torch.ones(x.shape[:2], dtype=x.dtype)
    for scale in range(many):
        luminance, contrast = _terms(x, y)
        last = scale == many - 1
        value = luminance * contrast if last else contrast
        power = WEIGHTS[scale] if many > 1 else 1.0
        means = value.mean((2, 3)).clamp_min(1e-6)
        product = product * means**power
        if not last:
            x, y = (functional.avg_pool2d(t, 2) for t in (x, y))
    return (1 - product.mean(1)) / 2


def _terms(x: Any, y: Any) -> tuple[Any, Any]:
    """Luminance and contrast-structure maps (N, C, H - 10, W - 10)."""
    mean_x, mean_y = _blur(x), _blur(y)
    squares, product = mean_x**2 + mean_y**2, mean_x * mean_y
    spread = _blur(x * x + y * y) - squares
    shared = _blur(x * y) - product
    return (2 * product + C1) / (squares + C1), (2 * shared + C2) / (spread + C2)


def _blur(x: Any) -> Any:
    """Gaussian mean under every whole window."""
    import torch
    from torch.nn import functional

    places = torch.arange(SIZE, dtype=x.dtype) - (SIZE - 1) / 2
    kernel = torch.exp(-(places**2) / (2 * SIGMA**2))
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, -1)
    across = functional.conv2d(x, kernel[:, :, None, :], groups=x.shape[1])
    return functional.conv2d(across, kernel[:, :, :, None], groups=x.shape[1])
