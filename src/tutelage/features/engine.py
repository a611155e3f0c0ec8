"""Engines: what runs frozen stages fast. The frozen part is inference, so it is treated as inference.

An engine compiles a program (a module with a static batch shape) to a function from a batch of
arrays to a dict of arrays. Short batches are padded, so that a row depends on its item alone:
alone == in any batch, bit-exact, is the law of every engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import nn

Arrays = dict[str, npt.NDArray[Any]]
Layout = Mapping[str, tuple[tuple[int, ...], str]]

BATCH = 16
"""Rows of the static batch: large enough to fill the cores, small enough that one photo is quick."""


@dataclass(frozen=True)
class EngineSpec:
    """Names one way to run a program; part of every digest, and written into the student.

    Attributes:
        name: ``"openvino"`` or ``"torch"``.
        precision: ``"f32"`` or ``"bf16"`` (of the arithmetic inside; what leaves is float32).
        device: ``"cpu"``, ``"cuda"``, ...
        version: of the library.
    """

    name: str
    precision: str
    device: str
    version: str

    def as_json(self) -> dict[str, str]:
        """A plain dictionary."""
        return dict(vars(self))

    def __str__(self) -> str:
        return f"{self.name} {self.precision}"


@dataclass(frozen=True)
class Program:
    """A function to compile.

    Attributes:
        key: digest of everything that changes the function (weights, slice, spec), not the engine.
        module: makes the module, from activation to activation, in eval mode; called only if needed.
        inputs: name -> (shape of one row, numpy dtype); an axis of length ``ragged.FREE`` differs from batch to batch.
        batch: rows of the static batch.
    """

    key: str
    module: Callable[[], nn.Module]
    inputs: Layout
    batch: int = BATCH


class Compiled(Protocol):
    """A compiled program."""

    spec: EngineSpec

    def stream(self, batches: Iterable[Arrays]) -> Iterator[Arrays]:
        """Batches of up to ``Program.batch`` rows -> their outputs, in order, overlapped."""
        ...


Engine = Callable[[Program], Compiled]


def run(compiled: Compiled, arrays: Arrays, batch: int = BATCH) -> Arrays:
    """All rows of ``arrays`` through a compiled program."""
    count = len(next(iter(arrays.values())))
    cuts = ({k: a[i : i + batch] for k, a in arrays.items()} for i in range(0, count, batch))
    outputs = list(compiled.stream(cuts))
    return {name: np.concatenate([o[name] for o in outputs]) for name in outputs[0]}


def padded(batch: Arrays, size: int) -> Arrays:
    """The batch with zero rows added up to ``size``."""
    count = len(next(iter(batch.values())))
    if count == size:
        return batch
    return {k: np.concatenate([a, np.zeros((size - count, *a.shape[1:]), a.dtype)]) for k, a in batch.items()}  # fmt: skip


def engine(spec: EngineSpec) -> Engine:
    """The engine that a spec names."""
    if spec.name == "openvino":
        from tutelage.features.openvino_engine import compile_program

        return lambda program: compile_program(program, spec)
    from tutelage.features.torch_engine import TorchCompiled

    return lambda program: TorchCompiled(program, spec)
