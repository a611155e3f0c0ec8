"""Grad-CAM: which places of a stage's map speak for a class (Selvaraju et al., ICCV 2017, section 3).

    alpha_k = mean over places of dlogit / dA_k,    map = ReLU(sum_k alpha_k A_k)

Where a head reads several stages, a stage's map tells what goes through that stage: by itself as a tap,
and through the stages after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tutelage.errors import TeacherError
from tutelage.network.stages import Activation
from tutelage.viewing.answer import Answer
from tutelage.viewing.places import places_of


@dataclass(frozen=True)
class Heat:
    """How much each place speaks for a class.

    Attributes:
        stage: number of the stage whose places they are; 0 is the input.
        values: (N, h, w).
    """

    stage: int
    values: Tensor


def grad_cam(answer: Answer, activation: Activation, targets: Sequence[int], stage: int | None = None) -> Heat:  # fmt: skip
    """The map of a stage.

    Args:
        answer: whose logits they are.
        activation: at cut 0, N rows.
        targets: the class of each row (N,).
        stage: its number, 1..L; None takes the last one that has places and whose places the logits
            depend on (of a vision transformer that reads its class token the last stages' places do not).

    Raises:
        TeacherError: the stage has no places.
    """
    with torch.no_grad():
        seen = answer.on_the_way(activation)
    if stage is not None:
        found = _at(answer, seen[stage], targets, stage)
        if found is None:
            raise _placeless(f"stage {stage}")
        return Heat(stage, found[0])
    for number in range(len(answer.stages), 0, -1):
        found = _at(answer, seen[number], targets, number)
        if found is not None and found[1]:
            return Heat(number, found[0])
    raise _placeless("every stage of this network")


def _at(answer: Answer, before: Activation, targets: Sequence[int], stage: int) -> tuple[Tensor, bool] | None:  # fmt: skip
    """The map of a stage, and whether anything depends on its places; None if it has none."""
    values = places_of(before, before["x"].detach())
    if values is None:
        return None
    x = before["x"].detach().requires_grad_()
    with torch.enable_grad():
        logits = answer.after({**before, "x": x}, stage)
        (slope,) = torch.autograd.grad(logits[torch.arange(len(x)), list(targets)].sum(), [x])
    slopes = places_of(before, slope)
    if slopes is None:
        return None
    weights = slopes.mean((2, 3), keepdim=True)
    return (weights * values).sum(1).relu(), bool(slopes.abs().sum() > 0)


def _placeless(what: str) -> TeacherError:
    return TeacherError(
        "no-places", given=f"a map was asked of {what}, whose output has no places",
        expected="a stage whose output is a map or tokens", next="Name an earlier stage; see them with: tutelage teachers show NAME",
    )  # fmt: skip
