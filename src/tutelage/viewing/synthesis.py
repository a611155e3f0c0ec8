"""Synthesis: pictures that excite a channel, by gradient ascent. An illustration, not evidence.

objective x parameterisation x transform x model, four small values that know nothing of each other (the
idea of Lucid; Olah, Mordvintsev, Schubert, "Feature Visualization", Distill 2017). What comes out depends
on all four, and a channel may answer to other things as well: look at the patches beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tutelage.viewing.leak import Leak
from tutelage.viewing.objective import Objective
from tutelage.viewing.parameterisation import Parameterisation
from tutelage.viewing.transform import Transform, moved

SHAKEN = moved()
"""The moves that are made unless others are asked for."""

Model = Callable[[Tensor], Tensor]
"""Pictures (N, C, H, W) in 0..1 -> the map of a stage (N, D, h, w)."""


@dataclass(frozen=True)
class Ascent:
    """How pictures are climbed to.

    Attributes:
        steps: of Adam.
        rate: learning rate, in the parameterisation's own units.
        transform: the random moves before each step.
        leak: share of the gradient that shut rectifiers pass in the first half of the steps.
    """

    steps: int = 96
    rate: float = 0.1
    transform: Transform = SHAKEN
    leak: float = 0.1


def synthesise(model: Model, objective: Objective, parameterisation: Parameterisation, count: int, rng: torch.Generator, ascent: Ascent = Ascent()) -> Tensor:  # fmt: skip
    """``count`` pictures (N, C, H, W) in 0..1 that excite what the objective names.

    Args:
        model: from pictures to a stage; its weights stay as they are.
        rng: all the randomness: of the start and of the moves.
    """
    parameters = parameterisation.start(count, rng).requires_grad_()
    optimiser = torch.optim.Adam([parameters], lr=ascent.rate)
    for step in range(ascent.steps):
        pictures = ascent.transform(parameterisation.pictures(parameters), rng)
        with Leak(ascent.leak if 2 * step < ascent.steps else 0.0):
            loss = -objective.score(model(pictures)).sum()
        (parameters.grad,) = torch.autograd.grad(loss, [parameters])
        optimiser.step()
    with torch.no_grad():
        return parameterisation.pictures(parameters)
