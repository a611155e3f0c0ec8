"""The fallback for a network whose graph cannot be cut: one stage, what its last linear layer reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tutelage.network.graph import untraceable
from tutelage.network.stages import Network, Stage, Through


class Features(nn.Module):
    """A network run whole, giving what one of its layers reads instead of what it returns."""

    def __init__(self, model: nn.Module, last: str) -> None:
        super().__init__()
        self.model, self.last = model, last

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` -> ``(N, D)``."""
        read: list[Tensor] = []
        layer = self.model.get_submodule(self.last)
        handle = layer.register_forward_pre_hook(lambda _, given: read.append(given[0]))
        try:
            self.model(x)
        finally:
            handle.remove()
        return read[-1]


@torch.no_grad()
def whole(module: nn.Module, example: Tensor) -> Network:
    """A network of one stage, ``features``; its old classifier stays inside and is not used.

    Args:
        module: in eval mode.
        example: one example of the input, ``(1, C, H, W)``.

    Raises:
        TeacherError: no linear layer in it reads ``(N, D)``.
    """
    seen: list[tuple[str, int]] = []
    layers = [(name, part) for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    handles = [part.register_forward_pre_hook(lambda _, given, n=name: seen.append((n, given[0].ndim))) for name, part in layers]  # fmt: skip
    try:
        module(example)
    finally:
        for handle in handles:
            handle.remove()
    flat = [name for name, dimensions in seen if dimensions == 2]
    if not flat:
        raise untraceable(module, "and no linear layer in it reads one vector an image")
    return Network(module, (Stage("features", Through(Features(module, flat[-1]))),))
