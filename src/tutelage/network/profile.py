"""What each stage costs: parameters, multiply-accumulates, shape and bytes of what leaves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tutelage.network.stages import Activation, Network, count_parameters
from tutelage.network.uncompiled import uncompiled


@dataclass(frozen=True)
class StageProfile:
    """One stage at one input size.

    Attributes:
        name: the stage's name.
        shape: of one row of the main tensor that leaves it, e.g. ``(112, 14, 14)``.
        parameters: scalars.
        macs: multiply-accumulates an image (half the floating-point operations counted).
    """

    name: str
    shape: tuple[int, ...]
    parameters: int
    macs: int

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return {"name": self.name, "shape": list(self.shape), "parameters": self.parameters, "macs": self.macs}  # fmt: skip


@torch.no_grad()
def profile(network: Network, activation: Activation) -> tuple[StageProfile, ...]:
    """Run one activation (batch of 1) through the stages and count.

    The network must be in eval mode; it is left as it was.
    """
    rows = []
    for stage in network.stages:
        with uncompiled(), FlopCounterMode(display=False) as counter:
            activation = stage.module(activation)
        shape = tuple(activation["x"].shape[1:])
        macs = counter.get_total_flops() // 2
        rows.append(StageProfile(stage.name, shape, count_parameters(stage.module), macs))
    return tuple(rows)
