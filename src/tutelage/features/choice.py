"""Which engine: measured once on this machine with this teacher, and remembered with its reason."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
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
    if device != "cpu":
        from tutelage.features.torch_engine import torch_spec

        return torch_spec(device), f"PyTorch: the device is {device}"
    answer = _answer(program)
    return EngineSpec(**answer["spec"]), answer["because"]


def speed(teacher: Teacher, spec: InputSpec, engine_name: str) -> float:
    """Images a second of a teacher's whole backbone in an engine, as measured when one was chosen.

    Args:
        engine_name: as ``str`` of an ``EngineSpec`` gives it, e.g. ``"torch f32"``. One that was not
            measured, or by its first batch alone, is taken to be at least a quarter as fast as the best.
    """
    program = trunk_program(teacher, len(teacher.card.stages), spec, teacher.blank(spec))
    rates: dict[str, float] = _answer(program)["rates"]
    return max(float(rates.get(engine_name, 0.0)), max(rates.values()) / 4)


def _answer(program: Program) -> dict[str, Any]:
    """What was measured of a program on this machine, once."""
    from tutelage.features.openvino_engine import openvino_spec

    question = f"engine 2|{host()['processor']}|{host()['cores']}|{openvino_spec('f32').version}|{program.key}"
    profile = MachineProfile(cache_root() / "machine.json")
    return profile.recall(question, lambda: _measure(program))


def _measure(program: Program) -> dict[str, Any]:
    from tutelage.features.openvino_engine import openvino_spec
    from tutelage.features.torch_engine import torch_spec

    batch = _noise(program)
    plain = _tried(program, torch_spec(), batch, None, math.inf)
    candidates, best = [], plain.rate
    for spec in (openvino_spec("f32"), openvino_spec("bf16")):
        candidates.append(_tried(program, spec, batch, plain.output, best))
        best = max(best, candidates[-1].rate)
    if plain.rate > best / 4:
        plain = _tried(program, torch_spec(), batch, None, best)
    return _decide([*candidates, plain])


@dataclass(frozen=True)
class _Tried:
    """One candidate: rows a second (0 if it is out), why it is out, and what it gave."""

    spec: EngineSpec
    rate: float
    out: str = ""
    output: Arrays | None = None


def _tried(program: Program, spec: EngineSpec, batch: Arrays, exact: Arrays | None, best: float) -> _Tried:  # fmt: skip
    """Measure a candidate: one batch, and more if that was not four times slower than ``best``.

    Args:
        exact: what eager PyTorch gave, the reference; None for PyTorch itself.
    """
    try:
        compiled = engine(spec)(program)
        start = time.perf_counter()
        output = next(iter(compiled.stream([batch])))
        rate = program.batch / (time.perf_counter() - start)
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        if exact is None:
            raise  # not even PyTorch runs it
        return _Tried(spec, 0.0, f"it cannot run this network ({_first_line(error)})")
    if exact is not None and not (error_ := _error(output, exact)) <= TOLERANCE:
        return _Tried(spec, 0.0, f"its features are off by {error_:.0%}")
    if rate > best / 4:
        rate = _rate(compiled, batch, program.batch)
    return _Tried(spec, rate, "", output)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:120]


def _decide(candidates: list[_Tried]) -> dict[str, Any]:
    full = max((c for c in candidates if c.spec.precision == "f32"), key=lambda c: c.rate)
    reduced = [c for c in candidates if c.spec.precision != "f32" and c.rate >= 1.2 * full.rate]
    best = max(reduced or [full], key=lambda c: c.rate).spec
    told = ", ".join(
        f"{c.spec} not taken: {c.out}" if c.out else f"{c.spec} {c.rate:.0f}/s" for c in candidates
    )
    rates = {str(c.spec): c.rate for c in candidates if c.rate > 0}
    return {"spec": best.as_json(), "because": f"{best}: measured here {told}", "rates": rates}


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
