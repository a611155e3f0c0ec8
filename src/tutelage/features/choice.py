"""Which engine: measured once on this machine with this teacher, and remembered with its reason."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tutelage.features.engine import Arrays, Compiled, EngineSpec, Program, engine
from tutelage.features.extract import trunk_program
from tutelage.files import cache_root
from tutelage.modality import InputSpec
from tutelage.runtime import MachineProfile, host, open_runtime
from tutelage.teachers import Teacher

SECONDS = 0.4
"""How long each candidate is measured, after one batch that does not count; one whose first batch
took four times as long as the best's is not measured further."""

TOLERANCE = 0.05
"""Largest relative error of features, ``|a - b| / |b|``, that reduced precision may bring."""


def engine_for(teacher: Teacher, spec: InputSpec, device: str = "auto") -> tuple[EngineSpec, str]:
    """The engine for a teacher's whole backbone at an input size, and the sentence that says why."""
    chosen = open_runtime(device).device
    program = trunk_program(teacher, len(teacher.card.stages), spec, teacher.blank(spec))
    return choose_engine(program, device=chosen)


def choose_engine(program: Program, *, device: str = "cpu") -> tuple[EngineSpec, str]:
    """The fastest engine for a program, and the sentence that says why.

    Reduced precision is taken only where it is at least a fifth faster and within ``TOLERANCE``.
    """
    from tutelage.features.openvino_engine import openvino_spec

    if device != "cpu":
        from tutelage.features.torch_engine import torch_spec

        return torch_spec(device), f"PyTorch: the device is {device}"
    question = f"engine|{host()['processor']}|{host()['cores']}|{openvino_spec('f32').version}|{program.key}"
    answer = MachineProfile(cache_root() / "machine.json").recall(
        question, lambda: _measure(program)
    )
    return EngineSpec(**answer["spec"]), answer["because"]


def _measure(program: Program) -> dict[str, Any]:
    from tutelage.features.openvino_engine import openvino_spec
    from tutelage.features.torch_engine import torch_spec

    batch = _noise(program)
    exact, best, candidates = None, 0.0, []
    for spec in (openvino_spec("f32"), openvino_spec("bf16"), torch_spec()):
        compiled = engine(spec)(program)
        start = time.perf_counter()
        output = next(iter(compiled.stream([batch])))
        rate = program.batch / (time.perf_counter() - start)
        exact = output if exact is None else exact
        error = _error(output, exact)
        if error > TOLERANCE:
            rate = 0.0
        elif rate > best / 4:
            rate = _rate(compiled, batch, program.batch)
        best = max(best, rate)
        candidates.append((rate, error, spec))
    return _decide(candidates)


def _decide(candidates: list[tuple[float, float, EngineSpec]]) -> dict[str, Any]:
    full = max((c for c in candidates if c[2].precision == "f32"), key=lambda c: c[0])
    reduced = [c for c in candidates if c[2].precision != "f32" and c[0] >= 1.2 * full[0]]
    best = max(reduced or [full], key=lambda c: c[0])
    told = ", ".join(
        f"{spec} {rate:.0f}/s" if rate else f"{spec} not taken: its features are off by {error:.0%}"
        for rate, error, spec in candidates
    )
    return {"spec": best[2].as_json(), "because": f"{best[2]}: measured here {told}"}


def _rate(compiled: Compiled, batch: Arrays, size: int) -> float:
    start, rows = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        rows += sum(size for _ in compiled.stream([batch, batch]))
    return rows / (time.perf_counter() - start)


def _error(output: Arrays, exact: Arrays) -> float:
    errors = [np.linalg.norm(output[k] - exact[k]) / max(1e-12, float(np.linalg.norm(exact[k]))) for k in exact]  # fmt: skip
    return float(max(errors))


def _noise(program: Program) -> Arrays:
    rng = np.random.default_rng(0)
    shapes = {k: ((program.batch, *shape), dtype) for k, (shape, dtype) in program.inputs.items()}
    return {
        k: rng.integers(0, 256, shape).astype(dtype) if np.dtype(dtype).kind == "u" else rng.standard_normal(shape).astype(dtype)
        for k, (shape, dtype) in shapes.items()
    }  # fmt: skip
