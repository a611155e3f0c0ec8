"""Which stages moved: how far fine-tuning took a student's weights from its teacher's.

A tail is tuned with held batch norm folded into the convolutions before it, and keeps that scale; so both tails
are folded here, and what is compared is what they do to an activation, not how they are written.
"""

from __future__ import annotations

import copy

from torch import Tensor

from tutelage.network.fold import fold_held
from tutelage.network.stages import Activation, Network, Slice


def moved(teacher: Network, student: Network, cut: int, example: Activation) -> tuple[float, ...]:
    """For each stage ``||W_student - W_teacher|| / ||W_teacher||`` over all its parameters; 0 where it has none.

    Args:
        teacher, student: of the same stages.
        cut: stages that the two share: 0 for each of them.
        example: a few rows at the cut, by which folding is proved.
    """
    before, after = _parameters(teacher.slice(cut)), _parameters(student.slice(cut))
    folded = [_parameters(_folded(network.slice(cut), example)) for network in (teacher, student)]
    if all(_alike(*pair) for pair in zip(*folded, strict=True)):
        before, after = folded
    return (0.0,) * cut + tuple(_change(*pair) for pair in zip(before, after, strict=True))


def _folded(tail: Slice, example: Activation) -> Slice:
    own = copy.deepcopy(tail)
    fold_held(own, example)
    return own


def _parameters(tail: Slice) -> list[list[Tensor]]:
    return [[p.detach().double() for p in stage.parameters()] for stage in tail.stages]


def _alike(before: list[Tensor], after: list[Tensor]) -> bool:
    return [t.shape for t in before] == [t.shape for t in after]


def _change(before: list[Tensor], after: list[Tensor]) -> float:
    size = sum(float(old.square().sum()) for old in before)
    gap = sum(float((new - old).square().sum()) for old, new in zip(before, after, strict=True))
    return float((gap / size) ** 0.5) if size > 0 else 0.0
