"""Transforms: small random moves before each step, so that a picture does not depend on single pixels.

``(pictures (N, C, H, W), rng) -> pictures``; each picture is moved by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Transform = Callable[[Tensor, torch.Generator], Tensor]


def moved(jitter: float = 0.06, scale: float = 0.1, degrees: float = 8.0) -> Transform:
    """Shift, scale and rotate at random; what comes in from outside is mirrored.

    Args:
        jitter: largest shift, as a share of the side.
        scale: largest change of size, as a share.
        degrees: largest turn.
    """

    def move(pictures: Tensor, rng: torch.Generator) -> Tensor:
        drawn = 2 * torch.rand((len(pictures), 4), generator=rng) - 1
        angle, size = drawn[:, 0] * math.radians(degrees), 1 + scale * drawn[:, 1]
        cos, sin = angle.cos() * size, angle.sin() * size
        shift = 2 * jitter * drawn[:, 2:]
        theta = torch.stack([cos, -sin, shift[:, 0], sin, cos, shift[:, 1]], dim=1).view(-1, 2, 3)
        grid = functional.affine_grid(theta, list(pictures.shape), align_corners=False)
        return functional.grid_sample(
            pictures, grid, padding_mode="reflection", align_corners=False
        )

    return move


def composed(*transforms: Transform) -> Transform:
    """One after the other; none of them is the identity."""

    def all_of_them(pictures: Tensor, rng: torch.Generator) -> Tensor:
        for transform in transforms:
            pictures = transform(pictures, rng)
        return pictures

    return all_of_them
