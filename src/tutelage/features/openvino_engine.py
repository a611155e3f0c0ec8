"""OpenVINO as an engine: the network is converted once, kept as OpenVINO's own files, and read back.

Converting needs PyTorch and takes seconds; reading back needs neither.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.errors import ArtefactError
from tutelage.features.engine import Arrays, EngineSpec, Program, padded
from tutelage.features.ragged import FREE
from tutelage.files import cache_root, digest_file, digest_json, read_json, write_json
from tutelage.runtime import cores

EXAMPLE = 16
"""Places of the rows that a program of free length is traced with."""

CONVERTER = 2
"""Raised whenever conversion changes what the files compute."""


class OpenVinoCompiled:
    """A compiled model with one request a stream, kept busy in turn."""

    def __init__(self, compiled: Any, names: list[str], program: Program, spec: EngineSpec) -> None:
        self.spec = spec
        self._names, self._batch = names, program.batch
        self._inputs = sorted(program.inputs)
        streams = max(1, int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")))
        self._requests = [compiled.create_infer_request() for _ in range(streams)]

    def stream(self, batches: Iterable[Arrays]) -> Iterator[Arrays]:
        """Batches in, outputs out, in order; as many under way as there are streams."""
        free, busy = deque(self._requests), deque[tuple[Any, int]]()
        for batch in batches:
            if not free:
                yield self._finish(busy, free)
            request, count = free.popleft(), len(next(iter(batch.values())))
            whole = padded(batch, self._batch)
            request.start_async({i: np.ascontiguousarray(whole[k]) for i, k in enumerate(self._inputs)})  # fmt: skip
            busy.append((request, count))
        while busy:
            yield self._finish(busy, free)

    def _finish(self, busy: deque[tuple[Any, int]], free: deque[Any]) -> Arrays:
        request, count = busy.popleft()
        request.wait()
        outputs = {n: request.get_output_tensor(i).data[:count].copy() for i, n in enumerate(self._names)}  # fmt: skip
        free.append(request)
        return outputs


def openvino_spec(precision: str) -> EngineSpec:
    """OpenVINO on the CPU."""
    from importlib.metadata import version

    return EngineSpec("openvino", precision, "cpu", version("openvino"))


@lru_cache(maxsize=4)
def native(precision: str) -> bool:
    """Does the processor compute in it?"""
    import openvino

    return precision == "f32" or precision.upper() in openvino.Core().get_property(
        "CPU", "OPTIMIZATION_CAPABILITIES"
    )


def compile_program(program: Program, spec: EngineSpec) -> OpenVinoCompiled:
    """Read the converted program back, converting it first if this machine has not yet.

    A student made in bf16 runs in f32, with a warning, on a processor that has no bf16.
    """
    import openvino

    model, names = _converted(program, spec)
    there = native(spec.precision)
    if not there:
        warnings.warn(f"this processor has no {spec.precision}: f32 is computed instead, and about one answer in a hundred may differ", stacklevel=2)  # fmt: skip
    hints = {
        "INFERENCE_PRECISION_HINT": spec.precision if there else "f32",
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": cores(),
        "INFERENCE_NUM_THREADS": cores(),
    }
    return OpenVinoCompiled(
        openvino.Core().compile_model(model, "CPU", hints), names, program, spec
    )


def _converted(program: Program, spec: EngineSpec) -> tuple[Any, list[str]]:
    import openvino

    inputs = {name: [list(shape), dtype] for name, (shape, dtype) in program.inputs.items()}
    key = digest_json([CONVERTER, program.key, inputs, program.batch, spec.version])
    folder = cache_root() / "engines" / key[:32]
    if not _sound(folder):
        _convert(program, folder)
    names: list[str] = read_json(folder / "program.json")["outputs"]
    return openvino.Core().read_model(folder / "model.xml"), names


def _sound(folder: Path) -> bool:
    try:
        digests = read_json(folder / "program.json")["files"]
        return all(digest_file(folder / name) == digest for name, digest in digests.items())
    except (ArtefactError, OSError, KeyError):
        return False  # not there, or damaged: it is converted again


def _convert(program: Program, folder: Path) -> None:
    import openvino

    folder.parent.mkdir(parents=True, exist_ok=True)
    model, names = _trace(program)
    work = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    openvino.save_model(model, work / "model.xml", compress_to_fp16=False)
    digests = {name: digest_file(work / name) for name in ("model.xml", "model.bin")}
    write_json(work / "program.json", {"outputs": names, "files": digests})
    _publish(work, folder)


def _publish(work: Path, folder: Path) -> None:
    """Put a finished folder in place; if another process was first, its folder stays if sound."""
    if folder.exists() and not _sound(folder):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        os.rename(work, folder)
    except OSError:
        shutil.rmtree(work, ignore_errors=True)
        if not _sound(folder):
            raise


def _trace(program: Program) -> tuple[Any, list[str]]:
    """Trace the module and read the trace; outputs leave in the order of their sorted names.

    A function is traced, not a module: the weights become constants, and PyTorch does not rebuild
    every submodule. The front end is called directly, because ``convert_model`` spends three
    times as long on rewrites that compiling does again.
    """
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    inner, inputs = program.module().eval().requires_grad_(False), sorted(program.inputs)
    names: list[str] = []

    def flat(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Tensors in, tensors out: what tracing understands."""
        given = {k: t.float() if t.dtype == torch.float16 else t for k, t in zip(inputs, tensors, strict=True)}  # fmt: skip
        outputs = inner(given)
        names[:] = sorted(outputs)
        return tuple(outputs[name] for name in names)

    free = {k: (program.batch, *program.inputs[k][0]) for k in inputs}
    shapes = {k: tuple(EXAMPLE if side == FREE else side for side in free[k]) for k in inputs}
    examples = tuple(torch.from_numpy(np.zeros(shapes[k], program.inputs[k][1])) for k in inputs)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated, and is what OpenVINO reads
        traced = torch.jit.trace(flat, examples, check_trace=False)  # type: ignore[no-untyped-call]
        front = FrontEndManager().load_by_framework("pytorch")
        decoder = TorchScriptPythonDecoder(traced, example_input=examples)  # must outlive convert
        model = front.convert(front.load(decoder))
    model.reshape({i: list(free[k]) for i, k in enumerate(inputs)})
    return model, names
