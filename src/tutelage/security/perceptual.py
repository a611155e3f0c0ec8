"""Mimicry under a perceptual budget, as Wang et al. (USENIX Security 2018, section 4) bound it: a distance, not a box.

Their change of variable (tanh) keeps values on the scale; a penalty on what exceeds the budget is doubled until
the distance is met. At the end the change is scaled by bisection, after rounding, so that the distance of every
returned window is within the budget exactly. Where even that fails the item itself is returned, which counts as a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tutelage.modality.perturb import Perturb
from tutelage.security.eye import as_values
from tutelage.security.pursuit import Losses, in_batches

RATE = 0.05
HALVINGS = 12


def pursue_perceptual(losses: Losses, windows: npt.NDArray[Any], budget: float, perturb: Perturb, *, steps: int = 300, tell: Callable[[int], None] | None = None) -> npt.NDArray[Any]:  # fmt: skip
    """Settled windows whose ``perturb.distance`` from the originals is at most ``budget``, with small losses.

    Args:
        losses: see ``pursuit.Losses``.
        windows: (N, ...).
        budget: in ``perturb.distance``.
        perturb: must have ``distance`` and ``relaxed``.
        steps: of Adam.
        tell: hears how many items are done.
    """

    def made(rows: slice) -> npt.NDArray[Any]:
        found = _batch(lambda v: losses(v, rows), windows[rows], budget, perturb, steps)
        return feasible(found.numpy(), windows[rows], budget, perturb)

    return in_batches(len(windows), made, tell)


def _batch(losses: Callable[[Tensor], Tensor], windows: npt.NDArray[Any], budget: float, perturb: Perturb, steps: int) -> Tensor:  # fmt: skip
    assert perturb.relaxed is not None
    origin, reach = as_values(windows), perturb.high - perturb.low
    inner = ((origin - perturb.low) / reach * 2 - 1).clamp(-0.999999, 0.999999)
    base = torch.atanh(inner)
    free = torch.zeros_like(base).requires_grad_(True)
    optimiser = torch.optim.Adam([free], lr=RATE)
    penalty = torch.full((len(origin),), 1.0)
    best, lowest = origin.clone(), torch.full((len(origin),), float("inf"))
    for _ in range(steps):
        values = perturb.low + reach * (torch.tanh(base + free) + 1) / 2
        found, far = losses(values).cpu(), perturb.relaxed(values, origin)
        over = (far / budget - 1).clamp_min(0)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward((found + penalty * over**2).sum())
        better = (far <= budget) & (found < lowest)
        best[better.detach()], lowest[better.detach()] = values.detach()[better], found.detach()[better]  # fmt: skip
        with torch.no_grad():
            penalty = torch.where(far > budget, penalty * 1.05, penalty / 1.05).clamp(0.01, 1e6)
        optimiser.step()
    last = values.detach()
    return torch.where(torch.isfinite(lowest).view(-1, *[1] * (last.ndim - 1)), best, last)


def feasible(values: npt.NDArray[np.floating], windows: npt.NDArray[Any], budget: float, perturb: Perturb) -> npt.NDArray[Any]:  # fmt: skip
    """Windows on the line from each original to its wish, settled, as far as the budget exactly allows.

    Returns:
        Windows that are all within the budget; the original where nothing beyond it is.
    """
    assert perturb.distance is not None
    whole = perturb.high - perturb.low
    change = values - windows.astype(np.float64)
    best, low, high = windows.copy(), np.zeros(len(windows)), np.ones(len(windows))
    share = np.ones(len(windows))
    for _ in range(HALVINGS):
        tried = perturb.settle(windows + change * share.reshape(-1, *[1] * (windows.ndim - 1)), windows, whole)  # fmt: skip
        fits = perturb.distance(tried, windows) <= budget
        best[fits] = tried[fits]
        low, high = np.where(fits, share, low), np.where(fits, high, share)
        share = np.where(fits & (share == 1), 1.0, (low + high) / 2)
    return best
