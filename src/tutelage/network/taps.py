"""Taps: the pooled output of stages on the way, for what wants to know what each of them sees."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tutelage.network.stages import Activation

PREFIX = "tap."


class Tapped(nn.Module):
    """Some consecutive stages; the pooled outputs of some of them travel along as ``tap.K``.

    Args:
        stages: stages ``start`` + 1 to ``start`` + S of a network.
        taps: numbers K of stages in the whole network.
        start: stages before these.
        first: what prepares the input, if anything.
    """

    def __init__(self, stages: Sequence[nn.Module], taps: Sequence[int], start: int = 0, first: nn.Module | None = None) -> None:  # fmt: skip
        super().__init__()
        self.first, self.stages = first or nn.Identity(), nn.ModuleList(stages)
        self.taps, self.start = frozenset(taps), start

    def forward(self, batch: Activation) -> Activation:
        """Batch -> activation after the last stage, with a pooled ``(N, D_k)`` for each tap so far."""
        seen = {name: t for name, t in batch.items() if name.startswith(PREFIX)}
        activation = self.first({name: t for name, t in batch.items() if name not in seen})
        for number, stage in enumerate(self.stages, self.start + 1):
            activation = stage(activation)
            if number in self.taps:
                seen[f"{PREFIX}{number}"] = pooled(activation["x"], activation.get("mask"))
        return {**activation, **seen}


def joined(activation: Activation, reads: Sequence[int]) -> Tensor:
    """What a head reads ``(N, sum of D_k + D)``: some taps, in order, and the features last."""
    if not reads:
        return activation["x"]
    return torch.cat([*(activation[f"{PREFIX}{k}"] for k in reads), activation["x"]], dim=1)


def pooled(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """A map, a sequence or a vector -> ``(N, D)``, the mean over places, of those that a mask (N, T) leaves in.

    A map is ``(N, D, H, W)``, or ``(N, H, W, D)`` where only that reading makes it square.
    """
    if mask is not None and x.ndim == 3:
        return masked_mean(x, mask)
    if x.ndim <= 2:
        return x
    if x.ndim == 3:
        return x.mean(1)
    return x.mean((1, 2)) if channels_end(x) else x.mean((2, 3))


def channels_end(x: Tensor) -> bool:
    """Whether a map is ``(N, H, W, D)``: only if that reading alone makes it square."""
    first, second, third = x.shape[1:4]
    return first == second and second != third


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``(N, T, D)`` over the places where a mask ``(N, T)`` is not zero; ``(N, D)``."""
    share = (mask > 0).to(x.dtype).unsqueeze(-1)
    return (x * share).sum(1) / share.sum(1).clamp(min=1.0)
