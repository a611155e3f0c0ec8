"""The receptive field of a stage's places, measured by gradient.

What a place could see by its kernels and strides is for deep stages more than the picture; what it does see
is concentrated in the middle (Luo et al., "Understanding the Effective Receptive Field", NeurIPS 2016). Both
are measured: where the gradient of the place in the middle is not zero, and where most of its energy is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tutelage.network.stages import Network
from tutelage.viewing.places import as_map, centres

MOST = 0.95
"""Share of the gradient's energy along each axis that the effective field holds."""


@dataclass(frozen=True)
class Field:
    """The field of a place in the middle.

    Attributes:
        support: side in pixels of the box outside of which nothing counts, at most the input's.
        effective: side in pixels of the box, around the place, that holds most of the energy.
    """

    support: int
    effective: int


def field_of(network: Network, x: Tensor, stage: int) -> Field | None:
    """The field of a stage; None if the stage or the input has no places.

    Args:
        network: in eval mode.
        x: a few prepared inputs (N, C, H, W).
        stage: its number, 1..L.
    """
    if x.ndim != 4 or not x.is_floating_point():
        return None
    given = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        places = as_map(network.trunk(stage)({"x": given})["x"])
        if places is None:
            return None
        middle = places[:, :, places.shape[2] // 2, places.shape[3] // 2]
        signs = torch.ones(middle.shape[1]).index_fill(0, torch.arange(1, middle.shape[1], 2), -1)
        (slope,) = torch.autograd.grad((middle * signs).sum(), [given])
    energy = slope.double().square().sum((0, 1)).numpy()
    where = np.array([places.shape[2] // 2 * places.shape[3] + places.shape[3] // 2])
    x_at, y_at = centres(where, (places.shape[2], places.shape[3]), x.shape[2])[0]
    return _measured(energy, float(x_at), float(y_at))


def _measured(energy: npt.NDArray[np.float64], x: float, y: float) -> Field:
    size = energy.shape[0]
    if energy.max() <= 0:
        return Field(size, size)
    rows, columns = energy.sum(1), energy.sum(0)
    support = max(_extent(rows), _extent(columns))
    half = max(_reach(rows, y), _reach(columns, x))
    return Field(support, min(support, max(1, 2 * half)))


def _extent(profile: npt.NDArray[np.float64]) -> int:
    seen = np.flatnonzero(profile > 1e-12 * profile.max())
    return int(seen[-1] - seen[0] + 1)


def _reach(profile: npt.NDArray[np.float64], middle: float) -> int:
    """Pixels to either side of the middle that hold most of a profile."""
    distance = np.abs(np.arange(len(profile)) + 0.5 - middle)
    order = np.argsort(distance, kind="stable")
    held = np.cumsum(profile[order]) / profile.sum()
    return int(np.ceil(distance[order][int(np.searchsorted(held, MOST))]))
