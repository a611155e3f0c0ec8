"""The first step inside the network: from what ``collate`` gives to the activation at cut 0."""

from __future__ import annotations

import torch
from torch import nn

from tutelage.modality import InputSpec
from tutelage.network.stages import Activation


class PreparePixels(nn.Module):
    """``{"x": uint8 (N, H, W, C)}`` -> ``{"x": float32 (N, C, H, W)}``, normalised by the spec."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(1, -1, 1, 1), persistent=False)

    def forward(self, batch: Activation) -> Activation:
        """Batch -> activation at cut 0."""
        pixels = batch["x"].permute(0, 3, 1, 2).to(torch.float32) / 255.0
        return {**batch, "x": (pixels - self.mean) / self.std}
