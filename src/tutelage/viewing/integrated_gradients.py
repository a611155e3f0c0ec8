"""Integrated gradients: what each pixel adds to a logit (Sundararajan, Taly, Yan, ICML 2017, section 3).

    attribution_i = (x_i - b_i) * integral over a in 0..1 of dlogit / dx_i at b + a (x - b)

by Gauss-Legendre quadrature. The attributions add up to logit(x) - logit(b), but for the quadrature's error,
which is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tutelage.viewing.answer import Answer

STEPS = 64
"""Points of the quadrature."""

AT_ONCE = 16
"""Points that go through the network together."""


@dataclass(frozen=True)
class Attributed:
    """What each value of the input adds.

    Attributes:
        values: as the input, (N, ...).
        missing: (N,) logit(x) - logit(b) minus the sum of the attributions: the quadrature's error.
    """

    values: Tensor
    missing: Tensor


def integrated_gradients(answer: Answer, x: Tensor, targets: Sequence[int], baseline: Tensor | None = None, steps: int = STEPS) -> Attributed:  # fmt: skip
    """Attributions of inputs.

    Args:
        answer: whose logits they are.
        x: the main tensor at cut 0 (N, ...), floating point.
        targets: the class of each row (N,).
        baseline: (N, ...) or (1, ...); zeros if None, which is the mean colour where the input is normalised.
        steps: points of the quadrature.
    """
    base = torch.zeros_like(x) if baseline is None else baseline.expand_as(x)
    rows = [_row(answer, x[i : i + 1], base[i : i + 1], int(t), steps) for i, t in enumerate(targets)]  # fmt: skip
    values = torch.cat(rows)
    chosen = torch.arange(len(x)), list(targets)
    with torch.no_grad():
        gained = answer(x)[chosen] - answer(base)[chosen]
    return Attributed(values, gained - values.flatten(1).sum(1))


def _row(answer: Answer, x: Tensor, base: Tensor, target: int, steps: int) -> Tensor:
    points, weights = np.polynomial.legendre.leggauss(steps)
    shares = torch.as_tensor((points + 1) / 2, dtype=x.dtype)
    heights = torch.as_tensor(weights / 2, dtype=x.dtype)
    total = torch.zeros_like(x)
    for first in range(0, steps, AT_ONCE):
        some, height = shares[first : first + AT_ONCE], heights[first : first + AT_ONCE]
        shape = (-1, *[1] * (x.ndim - 1))
        between = (base + some.view(shape) * (x - base)).requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(answer(between)[:, target].sum(), [between])
        total += (slope * height.view(shape)).sum(0, keepdim=True)
    return total * (x - base)
