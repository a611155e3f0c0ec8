"""Pursuit: inside a budget around some windows, follow the gradient of a loss downhill by signs with momentum.

Momentum is that of Dong et al. (CVPR 2018); the step falls as a cosine, so that the end is fine enough for the
8-bit rounding that every attack ends with. Of all iterates the best by the loss is returned, an item at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tutelage.modality.perturb import Perturb
from tutelage.runtime import keep_freed_memory
from tutelage.security.eye import as_values

BATCH = 32

Losses = Callable[[Tensor, slice], Tensor]
"""(windows as numbers (B, ...), which rows of the whole they are) -> what is to be made small (B,)."""


@dataclass(frozen=True)
class Pursuit:
    """How the gradient is followed; part of every crafted set's name.

    Attributes:
        steps: gradients an item.
        momentum: share of the last direction that is kept.
        stride: of all steps together, in budgets.
        start: share of the budget that the random start may use; 0 starts at the original.
        optimiser: ``"sign"`` or ``"adam"``.
    """

    steps: int
    momentum: float = 0.5
    stride: float = 2.0
    start: float = 0.0
    optimiser: str = "sign"

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return dict(vars(self))


def pursue(losses: Losses, windows: npt.NDArray[Any], budget: float, perturb: Perturb, how: Pursuit, seed: int, tell: Callable[[int], None] | None = None, device: str = "cpu") -> npt.NDArray[Any]:  # fmt: skip
    """Windows inside the budget, settled, at which the losses are small.

    Args:
        losses: see ``Losses``; must be differentiable.
        windows: (N, ...) originals.
        budget: largest difference of a value, in the steps of ``perturb``.
        how: the pursuit.
        seed: of random starts; each batch has its own stream.
        tell: hears how many items are done.
        device: where the losses are.

    Returns:
        (N, ...) in the dtype of the originals.
    """

    def made(rows: slice) -> npt.NDArray[Any]:
        origin = as_values(windows[rows]).to(device)
        best = _batch(lambda v: losses(v, rows), origin, budget, perturb, how, stream(seed, rows))
        return perturb.settle(best.cpu().numpy(), windows[rows], budget)

    return in_batches(len(windows), made, tell)


def in_batches(count: int, made: Callable[[slice], npt.NDArray[Any]], tell: Callable[[int], None] | None = None) -> npt.NDArray[Any]:  # fmt: skip
    """What is made of so many rows, ``BATCH`` at a time.

    Args:
        made: which rows -> their windows.
        tell: hears how many are done.
    """
    keep_freed_memory()
    done = []
    for start in range(0, count, BATCH):
        rows = slice(start, min(start + BATCH, count))
        done.append(made(rows))
        if tell:
            tell(rows.stop)
    return np.concatenate(done)


def stream(seed: int, rows: slice) -> torch.Generator:
    """The random numbers of a batch."""
    return torch.Generator().manual_seed(seed * 1_000_003 + rows.start)


def inside(values: Tensor, origin: Tensor, budget: float, perturb: Perturb) -> Tensor:
    """The nearest values within the budget around an origin, and on the scale."""
    near = torch.minimum(torch.maximum(values, origin - budget), origin + budget)
    return near.clamp(perturb.low, perturb.high)


def _batch(losses: Callable[[Tensor], Tensor], origin: Tensor, budget: float, perturb: Perturb, how: Pursuit, rng: torch.Generator) -> Tensor:  # fmt: skip
    draw = torch.rand(origin.shape, generator=rng).to(origin.device) * 2 - 1
    values = inside(origin + how.start * budget * draw, origin, budget, perturb)
    best, lowest = values.clone(), torch.full((len(origin),), math.inf, device=origin.device)
    mover = _Mover(how, budget, len(origin))
    for step in range(how.steps + 1):
        at = values.detach().requires_grad_(step < how.steps)
        found = losses(at)
        better = found.detach() < lowest
        best[better], lowest[better] = at.detach()[better], found.detach()[better]
        if step < how.steps:
            (slope,) = torch.autograd.grad(found.sum(), at)
            values = inside(at.detach() - mover.move(slope, step), origin, budget, perturb)
    return best


class _Mover:
    """Turns gradients into steps."""

    def __init__(self, how: Pursuit, budget: float, count: int) -> None:
        self.how, self.budget = how, budget
        self.first: Tensor | float = 0.0
        self.second: Tensor | float = 0.0

    def move(self, slope: Tensor, step: int) -> Tensor:
        """The step to take against a gradient."""
        how = self.how
        size = how.stride * self.budget / how.steps * 0.5 * (1 + math.cos(math.pi * step / how.steps))  # fmt: skip
        if how.optimiser == "adam":
            self.first = 0.9 * self.first + 0.1 * slope
            self.second = 0.99 * self.second + 0.01 * slope**2
            mean, square = self.first / (1 - 0.9 ** (step + 1)), self.second / (1 - 0.99 ** (step + 1))  # fmt: skip
            return size * mean / (square.sqrt() + 1e-12)
        axes = tuple(range(1, slope.ndim))
        unit = slope / slope.abs().mean(axes, keepdim=True).clamp_min(1e-20)
        self.first = how.momentum * self.first + unit
        return size * self.first.sign()
