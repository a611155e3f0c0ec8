"""Objectives: what a synthesised picture is to excite. Small values that add and can be weighed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Objective:
    """A number for each picture of a batch; the larger the better.

    Attributes:
        name: for captions.
        score: map (N, D, h, w) -> (N,).

    Example:
        ``(channels([3, 7]) + 0.1 * centre([3, 7])).score(activation)``
    """

    name: str
    score: Callable[[Tensor], Tensor]

    def __add__(self, other: Objective) -> Objective:
        return Objective(f"{self.name} + {other.name}", lambda x: self.score(x) + other.score(x))

    def __rmul__(self, weight: float) -> Objective:
        return Objective(f"{weight:g} {self.name}", lambda x: weight * self.score(x))


def channels(wanted: Sequence[int]) -> Objective:
    """Picture i is to excite channel ``wanted[i]`` everywhere: the mean over places."""
    return Objective("channel", lambda x: _picked(x, wanted).mean((1, 2)))


def centre(wanted: Sequence[int]) -> Objective:
    """Picture i is to excite channel ``wanted[i]`` at the place in the middle."""
    return Objective("centre", lambda x: _picked(x, wanted)[:, x.shape[2] // 2, x.shape[3] // 2])


def _picked(x: Tensor, wanted: Sequence[int]) -> Tensor:
    """Channel ``wanted[i]`` of row i: (N, D, h, w) -> (N, h, w)."""
    return x[torch.arange(len(wanted)), list(wanted)]
