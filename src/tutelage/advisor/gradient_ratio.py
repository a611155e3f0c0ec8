"""Gradient-to-weight ratio: how much each stage would have to move for the new task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tutelage.heads.linear import LinearHead
from tutelage.network.stages import Activation, Network
from tutelage.network.taps import Tapped
from tutelage.training.loop import HeadModule, Pupil

Batch = tuple[Activation, npt.NDArray[np.int64]]


def gradient_ratio(network: Network, batches: Iterable[Batch], head: LinearHead, reads: Sequence[int] = ()) -> dict[str, float]:  # fmt: skip
    """RGN of each stage that has parameters, ``||g_l|| / ||theta_l||``, mean over the mini-batches.

    g is the gradient of the mean cross-entropy under the head (at its temperature), theta the weights,
    both of the whole stage, biases and batch norm's scale included. Lee et al., "Surgical Fine-Tuning
    Improves Adaptation to Distribution Shifts", ICLR 2023 (arXiv 2210.11466), section 4, where it is
    taken of each tensor alone and scales the learning rates. Statistics are held, and dropout is off.

    Args:
        network: it is left as it was: weights, gradients, statistics and modes.
        batches: activation at cut 0 with the class indices (n,); a few mini-batches do.
        head: (D, C), on the features of the last stage and of those that it reads beside it.
        reads: numbers of the stages that the head reads beside the last.

    Returns:
        Stage -> ratio, in the order of the stages; empty without batches.

    Example:
        ``gradient_ratio(network, [(activation, truth)], head)["stem"]``
    """
    stages = {
        s.name: parameters for s in network.stages if (parameters := list(s.module.parameters()))
    }
    backbone, judge = Tapped([s.module for s in network.stages], reads), HeadModule(head)
    pupil = Pupil(backbone, judge.requires_grad_(False), reads)
    rows = []
    with _movable(network.model):
        for activation, truth in batches:
            loss = nn.functional.cross_entropy(pupil(activation), torch.as_tensor(truth))
            rows.append(_ratios(loss, list(stages.values())))
    return dict(zip(stages, np.mean(rows, axis=0).tolist(), strict=True)) if rows else {}


def _ratios(loss: Tensor, stages: Sequence[Sequence[nn.Parameter]]) -> list[float]:
    every = [parameter for parameters in stages for parameter in parameters]
    given = iter(torch.autograd.grad(loss, every, allow_unused=True))
    gradients = [[next(given) for _ in parameters] for parameters in stages]
    return [_norm(g) / max(_norm(p), 1e-12) for g, p in zip(gradients, stages, strict=True)]


def _norm(tensors: Sequence[Tensor | None]) -> float:
    """Length of all of them as one vector; what the loss does not depend on counts as zeros."""
    squares = [float(t.detach().double().square().sum()) for t in tensors if t is not None]
    return float(np.sqrt(sum(squares)))


@contextmanager
def _movable(model: nn.Module) -> Iterator[None]:
    """Eval mode, and every parameter open to gradients; then all as before."""
    modes = [(part, part.training) for part in model.modules()]
    opened = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    model.eval().requires_grad_(True)
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
        for parameter, flag in opened:
            parameter.requires_grad_(flag)
