"""Eager PyTorch as an engine: channels-last, float32 or autocast to bf16, on any device that PyTorch has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from tutelage.features.engine import Arrays, EngineSpec, Program, padded
from tutelage.network.stages import channels_last, copied


class TorchCompiled:
    """A program run eagerly, without gradients."""

    def __init__(self, program: Program, spec: EngineSpec) -> None:
        self.spec = spec
        self._batch = program.batch
        module = program.module().eval()
        self._module = (
            channels_last(module) if spec.device == "cpu" else copied(module, spec.device)
        )

    def stream(self, batches: Iterable[Arrays]) -> Iterator[Arrays]:
        """One batch after the other."""
        return map(self._run, batches)

    @torch.inference_mode()
    def _run(self, batch: Arrays) -> Arrays:
        count = len(next(iter(batch.values())))
        given = {k: torch.from_numpy(np.array(a)).to(self.spec.device) for k, a in padded(batch, self._batch).items()}  # fmt: skip
        with torch.autocast(self.spec.device.split(":")[0], torch.bfloat16, enabled=self.spec.precision == "bf16"), full_precision():  # fmt: skip
            outputs = self._module(_floating(given))
        return {name: t[:count].float().cpu().contiguous().numpy() for name, t in outputs.items()}


@contextmanager
def full_precision() -> Iterator[None]:
    """What is float32 is computed in float32: accelerators round it to 10 bits unless they are told not to."""
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    ):
        yield


def _floating(activation: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k: t.float() if t.dtype == torch.float16 else t for k, t in activation.items()}


def torch_spec(device: str = "cpu", precision: str = "f32") -> EngineSpec:
    """Eager PyTorch on a device; ``bf16`` is autocast."""
    return EngineSpec("torch", precision, device, torch.__version__.split("+")[0])
