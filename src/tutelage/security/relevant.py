"""The relevant slice (ReMoS; Zhang et al., ICSE 2022): weights that the task uses least are set to zero, to be learned anew.

How much the task uses a weight is its magnitude times the mean activity of its input channel on training items; the
least used of each convolution and linear map are reset, because what they carry is the teacher's and not the task's.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn

from tutelage.security.eye import as_values

PROFILED = 64
"""Items whose activity is looked at."""


@torch.no_grad()
def reset_slice(body: nn.Module, windows: npt.NDArray[Any], share: float) -> int:
    """Set the least used share of each layer's weights to zero, in place; how many were.

    Args:
        body: from ``{"x": windows as numbers}`` to activations.
        windows: (N, ...) training items.
        share: 0..1.
    """
    layers = [m for m in body.modules() if isinstance(m, nn.Conv2d | nn.Linear) and m.weight.requires_grad]  # fmt: skip
    activity: dict[nn.Module, Tensor] = {}
    handles = [layer.register_forward_pre_hook(_profiler(activity)) for layer in layers]
    try:
        body({"x": as_values(windows[:PROFILED])})
    finally:
        for handle in handles:
            handle.remove()
    return sum(_reset(layer, activity[layer], share) for layer in layers if layer in activity)


def _profiler(activity: dict[nn.Module, Tensor]) -> Any:
    def look(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        x = given[0]
        channel = 1 if x.ndim == 4 else x.ndim - 1
        activity[layer] = x.abs().mean(tuple(a for a in range(x.ndim) if a != channel))

    return look


def _reset(layer: nn.Module, activity: Tensor, share: float) -> int:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    groups = getattr(layer, "groups", 1)
    own = activity.reshape(groups, -1).repeat_interleave(weight.shape[0] // groups, 0)
    used = weight.abs() * own.reshape(*own.shape, *[1] * (weight.ndim - 2))
    many = int(share * used.numel())
    if not many:
        return 0
    line = used.flatten().kthvalue(many).values
    least = used <= line
    weight[least] = 0.0
    return int(least.sum())
