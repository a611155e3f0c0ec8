"""Places: what leaves a stage, as a map, and which pixels of the input a place of it stands for."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from torch import Tensor

from tutelage.network.stages import Activation
from tutelage.network.taps import channels_end

PREFIX = 8
"""Tokens that stand for no place (class, distillation, registers), at most."""


def as_map(x: Tensor) -> Tensor | None:
    """What leaves a stage as ``(N, D, h, w)``; None if it has no places.

    A map is ``(N, D, h, w)``, or ``(N, h, w, D)`` where only that reading makes it square. Tokens
    ``(N, T, D)`` are a square map after at most ``PREFIX`` tokens that stand for no place.
    """
    if x.ndim == 4:
        return x.permute(0, 3, 1, 2) if channels_end(x) else x
    if x.ndim != 3:
        return None
    side = math.isqrt(x.shape[1])
    prefix = x.shape[1] - side * side
    if side < 2 or prefix > PREFIX:
        return None
    tokens = x[:, prefix:].transpose(1, 2)
    return tokens.reshape(*tokens.shape[:2], side, side)


def places_of(activation: Activation, x: Tensor) -> Tensor | None:
    """``x``, which is or is like the activation's main tensor, as a map; tokens of texts are a map of one row.

    Texts are told by the mask ``(N, T)`` that travels with them.
    """
    if x.ndim == 3 and "mask" in activation:
        return x.transpose(1, 2)[:, :, None, :]
    return as_map(x)


def centres(places: npt.NDArray[np.integer], shape: tuple[int, int], size: int) -> npt.NDArray[np.float64]:  # fmt: skip
    """Pixels (x, y) in the middle of what places stand for.

    Args:
        places: numbers (N,) of places of a map, row by row.
        shape: (h, w) of the map.
        size: height = width in pixels of the input.

    Returns:
        (N, 2).

    Example:
        >>> centres(np.array([0, 3]), (2, 2), 8).tolist()
        [[2.0, 2.0], [6.0, 6.0]]
    """
    rows, columns = np.divmod(np.asarray(places, dtype=np.float64), shape[1])
    return np.stack([(columns + 0.5) * size / shape[1], (rows + 0.5) * size / shape[0]], axis=1)
