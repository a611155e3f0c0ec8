"""White-box reference: what an adversary can do who holds the student itself. An upper mark, not the threat.

PGD is that of Madry et al. (ICLR 2018): signs of the cross-entropy's gradient from a random start. APGD is that of Croce
and Hein (ICML 2020, algorithm 1): momentum, and a step that is halved where it no longer helps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tutelage.modality.perturb import Perturb
from tutelage.network.fold import Held
from tutelage.network.taps import Tapped, joined
from tutelage.security.eye import as_values
from tutelage.security.pursuit import Losses, Pursuit, in_batches, inside, pursue, stream
from tutelage.student import Student
from tutelage.training.loop import HeadModule

Logits = Callable[[Tensor], Tensor]
"""Windows as numbers (B, ...) -> logits (B, C), with gradients."""


class Glass(nn.Module):
    """A student with gradients: windows as numbers -> logits (N, C) of its own head, in float32.

    Engine and rounding are left out; what is found is always judged with them. Of a student that still knows its
    teacher's classes the gradient follows the new head.

    Args:
        student: on the processor.
        device: where a copy of it runs, and where logits are.
    """

    def __init__(self, student: Student, device: str = "cpu") -> None:
        super().__init__()
        stages = [stage.module for stage in student.network.stages]
        self.reads = student.facts.reads
        tapped = Tapped(stages, self.reads, first=student.teacher.prepare(student.facts.spec))
        self.body = Held(tapped, device)
        self.head = HeadModule(student.head).requires_grad_(False).to(device)

    @property
    def device(self) -> str:
        """Where logits are."""
        return self.body.device

    def forward(self, values: Tensor) -> Tensor:
        """(N, ...) -> (N, C)."""
        logits: Tensor = self.head(joined(self.body({"x": values}), self.reads))
        return logits


def pgd(logits: Logits, windows: npt.NDArray[Any], truth: npt.NDArray[np.int64], budget: float, perturb: Perturb, *, steps: int = 20, seed: int = 0, draws: int = 1, device: str = "cpu") -> npt.NDArray[Any]:  # fmt: skip
    """Settled windows inside the budget that the network answers wrongly, where it could be made to.

    Args:
        logits: of the network under attack.
        windows: (N, ...).
        truth: (N,) class numbers.
        budget: see ``Perturb``.
        steps: gradients an item.
        seed: of the random start.
        draws: forward passes that a gradient is averaged over; more than one for a random network (Athalye et
            al., ICML 2018).
        device: where logits are.
    """
    loss, how = _averaged(logits, truth, draws), Pursuit(steps, momentum=0.0, stride=5.0, start=1.0)
    return pursue(
        lambda v, rows: -loss(v, rows), windows, budget, perturb, how, seed, device=device
    )


def apgd(logits: Logits, windows: npt.NDArray[Any], truth: npt.NDArray[np.int64], budget: float, perturb: Perturb, *, steps: int = 40, seed: int = 0, draws: int = 1, device: str = "cpu") -> npt.NDArray[Any]:  # fmt: skip
    """APGD on the cross-entropy; arguments and result as of ``pgd``."""
    loss = _averaged(logits, truth, draws)

    def made(rows: slice) -> npt.NDArray[Any]:
        origin = as_values(windows[rows]).to(device)
        best = _apgd_batch(lambda v: loss(v, rows), origin, budget, perturb, steps, stream(seed, rows))  # fmt: skip
        return perturb.settle(best.cpu().numpy(), windows[rows], budget)

    return in_batches(len(windows), made)


def _averaged(logits: Logits, truth: npt.NDArray[np.int64], draws: int) -> Losses:
    """The cross-entropy of each row, the mean of several forward passes."""

    def loss(values: Tensor, rows: slice) -> Tensor:
        aim = torch.from_numpy(truth[rows])
        return torch.stack([_lost(logits(values), aim) for _ in range(draws)]).mean(0)

    return loss


def _apgd_batch(loss: Callable[[Tensor], Tensor], origin: Tensor, budget: float, perturb: Perturb, steps: int, rng: torch.Generator) -> Tensor:  # fmt: skip
    many, shape, at = len(origin), (-1, *[1] * (origin.ndim - 1)), origin.device
    draw = 2 * torch.rand(origin.shape, generator=rng).to(at) - 1
    now = inside(origin + budget * draw, origin, budget, perturb)
    before, size = now.clone(), torch.full((many,), 2.0 * budget, device=at)
    value, slope = _graded(loss, now)
    best, top = now.clone(), value.clone()
    top_slope, rises, kept_top, kept_size = slope.clone(), torch.zeros(many, device=at), top.clone(), size.clone()  # fmt: skip
    looks = _checkpoints(steps)
    last_look = 0
    for step in range(1, steps + 1):
        with torch.no_grad():
            ahead = inside(now + size.view(shape) * slope.sign(), origin, budget, perturb)
            share = 1.0 if step == 1 else 0.75
            ahead = now + share * (ahead - now) + (1 - share) * (now - before)
            ahead = inside(ahead, origin, budget, perturb)
        previous, (before, now) = value, (now, ahead)
        value, slope = _graded(loss, now)
        rises += (value > previous).float()
        better = value > top
        best[better], top[better], top_slope[better] = now[better], value[better], slope[better]
        if step in looks:
            stuck = rises < 0.75 * (step - last_look)
            idle = (kept_size == size) & (kept_top >= top)
            kept_size, kept_top = size.clone(), top.clone()
            halve = stuck | idle
            size[halve] /= 2
            now[halve], slope[halve], value[halve] = best[halve], top_slope[halve], top[halve]
            rises, last_look = torch.zeros(many, device=at), step
    return best


def _checkpoints(steps: int) -> set[int]:
    """Steps at which step sizes are looked at (Croce and Hein, section 3.1)."""
    points, shares = set(), [0.0, 0.22]
    while shares[-1] < 1:
        points.add(max(1, round(shares[-1] * steps)))
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return points


def _graded(loss: Callable[[Tensor], Tensor], values: Tensor) -> tuple[Tensor, Tensor]:
    at = values.detach().requires_grad_(True)
    found = loss(at)
    (slope,) = torch.autograd.grad(found.sum(), at)
    return found.detach(), slope


def _lost(logits: Tensor, truth: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits, truth.to(logits.device), reduction="none")


def slope_sizes(logits: Logits, windows: npt.NDArray[Any], truth: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:  # fmt: skip
    """Largest magnitude of the loss's gradient at each window (N,): zero tells that gradients are masked."""
    _, slope = _graded(lambda v: _lost(logits(v), torch.from_numpy(truth)), as_values(windows))
    sizes: npt.NDArray[np.float64] = slope.abs().flatten(1).amax(1).double().numpy()
    return sizes
