"""What an attack compares: activations at a cut, and the taps before it that heads read, whitened, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tutelage.features.engine import EngineSpec, run
from tutelage.features.extract import Extractor
from tutelage.modality import InputSpec
from tutelage.modality.perturb import batch_of
from tutelage.network.fold import Held
from tutelage.network.stages import Activation
from tutelage.network.taps import PREFIX, Tapped, channels_end, pooled
from tutelage.teachers import Teacher
from tutelage.training.loop import as_activation

CALIBRATED = 64
"""Windows that tell how much each channel varies, at most."""

FLOOR = 0.1
"""A channel counts as varying at least this share of what channels vary on average."""


class Eye(nn.Module):
    """The first ``cut`` stages of a teacher, from windows to one vector an item.

    Each channel is divided by its deviation over a few windows, and each of the activations (the one at the cut,
    and the pooled output of the stages in ``reads``) weighs the same; the squared distance of two looks is then
    the mean squared difference in deviations, comparable from cut to cut.

    Args:
        teacher: the public one; its weights stay as they are and take no gradient.
        spec: how windows are made.
        cut: stages that run, 1..L.
        reads: stages up to the cut whose pooled output is compared too.
        device: where they run, and where looks are.
        engine: runs them instead, fast and without gradients, where a modality searches by itself.
    """

    def __init__(self, teacher: Teacher, spec: InputSpec, cut: int, reads: Sequence[int] = (), device: str = "cpu", engine: EngineSpec | None = None) -> None:  # fmt: skip
        super().__init__()
        self.cut, self.reads = cut, tuple(k for k in reads if k < cut)
        self.modality, self.spec = teacher.modality, spec
        stages = [stage.module for stage in teacher.network.stages[:cut]]
        tapped = Tapped(stages, self.reads, first=teacher.prepare(spec))
        self.tapped = Held(tapped, device)
        self.scales: list[Tensor] = []
        self._extractor = None if engine is None else Extractor(teacher, cut, spec, engine)

    @property
    def device(self) -> str:
        """Where it runs."""
        return self.tapped.device

    def calibrate(self, windows: npt.NDArray[Any], batch: int = 32) -> Eye:
        """Learn how much each channel varies; returns itself.

        Args:
            windows: (N, ...); the first ``CALIBRATED`` are looked at.
        """
        seen = windows[:CALIBRATED]
        with torch.no_grad():
            looks = [self._seen(seen[i : i + batch]) for i in range(0, len(seen), batch)]
        self.scales = [_scale(torch.cat(parts)) for parts in zip(*looks, strict=True)]
        return self

    def forward(self, values: Tensor) -> Tensor:
        """Windows as numbers (N, ...) -> (N, F)."""
        return self._side_by_side(self._parts({"x": values}))

    def _side_by_side(self, parts: list[Tensor]) -> Tensor:
        scaled = [p * s for p, s in zip(parts, self.scales, strict=True)] if self.scales else parts
        weight = [1 / (len(parts) * p[0].numel()) ** 0.5 for p in parts]
        return torch.cat([p.flatten(1) * w for p, w in zip(scaled, weight, strict=True)], dim=1)

    def _seen(self, windows: npt.NDArray[Any]) -> list[Tensor]:
        batch = batch_of(np.ascontiguousarray(windows), self.modality, self.spec)
        if self._extractor is None:
            return self._parts(as_activation(batch))
        arrays = run(self._extractor.compile(batch), batch)
        return self._compared({name: torch.from_numpy(a).float() for name, a in arrays.items()})

    def _parts(self, batch: Activation) -> list[Tensor]:
        return self._compared(self.tapped(batch))

    def _compared(self, seen: Activation) -> list[Tensor]:
        """Activations side by side; where items differ in length, the mean over the places that the mask leaves in."""
        x = pooled(seen["x"], seen["mask"]) if "mask" in seen else seen["x"]
        return [*(seen[f"{PREFIX}{k}"] for k in self.reads), x]

    @torch.no_grad()
    def look(self, windows: npt.NDArray[Any], batch: int = 32) -> Tensor:
        """Windows (N, ...) -> (N, F), without gradients."""
        starts = range(0, len(windows), batch)
        parts = [self._side_by_side(self._seen(windows[i : i + batch])) for i in starts]
        return torch.cat(parts)


def as_values(windows: npt.NDArray[Any]) -> Tensor:
    """Windows as float32 numbers on their own scale."""
    return torch.from_numpy(np.ascontiguousarray(windows)).float()


def _scale(x: Tensor) -> Tensor:
    """One over each channel's deviation, shaped to multiply a batch."""
    axes = tuple(range(x.ndim))
    channel = 1 if x.ndim == 2 or (x.ndim == 4 and not channels_end(x)) else x.ndim - 1
    spread = x.std(tuple(a for a in axes if a != channel), correction=0, keepdim=True)
    least = FLOOR * spread.mean()
    return 1 / torch.maximum(spread, least.clamp_min(1e-6))
