"""Engines measured against each other: how fast, and how far from eager PyTorch.

1. Eager PyTorch on ``FEW`` rows is the reference, and a candidate; it is measured on whole batches only
   where it is not far behind.
2. Full precision must give what eager PyTorch gives. The fastest such engine is taken ...
3. ... unless reduced precision is ``WORTH`` times as fast and moves the features of the user's own items by
   at most ``TOLERANCE`` of what makes these items differ from each other.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tutelage.features.engine import Arrays, Compiled, EngineSpec, Program, engine
from tutelage.features.ragged import FREE, MASK

SECONDS = 0.3
"""How long each candidate is measured, after a round that does not count."""

ROUND = 2
"""Batches at a time: enough to keep the streams of two cores busy."""

FEW = 4
"""Rows of the reference: eager PyTorch may be ten times slower than what it is compared with."""

BEHIND = 0.75
"""Of the best rate: an engine that is slower on few rows is not measured on whole batches."""

PLACES = 32
"""Length of ragged rows of noise."""

EXACT = 0.01
"""Largest relative error ``|a - b| / |b|`` of full precision: more is another function."""

TOLERANCE = 0.05
"""Largest error of reduced precision, ``|a - b| / |b - mean of b over items|``, root mean square over the
outputs. Students of EfficientNet-lite0 in bf16 (0.08) gave the same answer on 98.6 % of 2,354 test items and
lost 0.3 points; those of MobileNet-v2 (0.16) on 97.8 %; SqueezeNets have 0.01 (see docs/adr/0012)."""

WORTH = 1.2
"""How much faster reduced precision must be."""


@dataclass(frozen=True)
class Tried:
    """One candidate.

    Attributes:
        spec: of the engine.
        rate: rows a second; 0 if it is out.
        out: why it is out.
        error: see ``EXACT`` and ``TOLERANCE``; None for the reference.
        output: what it gave.
    """

    spec: EngineSpec
    rate: float
    out: str = ""
    error: float | None = None
    output: Arrays | None = None

    def told(self) -> str:
        """For the sentence."""
        off = "" if self.error is None or self.spec.precision == "f32" else f" (features off by {self.error:.0%} of their spread)"  # fmt: skip
        return f"{self.spec} not taken: {self.out}" if self.out else f"{self.spec} {self.rate:.0f}/s{off}"  # fmt: skip


def measure(program: Program, device: str, batch: Arrays) -> dict[str, Any]:
    """Every engine that a device has, on a batch of the user's items.

    Args:
        batch: up to ``program.batch`` rows; repeated where there are fewer.
    """
    whole = _repeated(batch, program.batch)
    tried = _exact(program, device, whole)
    for spec in _reduced(device):
        reference = next(t for t in tried if t.output is not None and not t.out)
        tried.append(_tried(program, spec, whole, reference))
    return _decide(tried)


def quick(program: Program, device: str) -> dict[str, Any]:
    """The engines of full precision alone, on noise."""
    return _decide(_exact(program, device, _noise(program)))


def _exact(program: Program, device: str, batch: Arrays) -> list[Tried]:
    """PyTorch on the device, and beside it what the processor has; the fastest first."""
    from tutelage.features.torch_engine import torch_spec

    plain = _reference(program, torch_spec(device), batch)
    if device != "cpu":
        return [_whole(program, plain, batch)]
    from tutelage.features.openvino_engine import openvino_spec

    found = _tried(program, openvino_spec("f32"), batch, plain)
    return [found, _whole(program, plain, batch) if plain.rate > BEHIND * found.rate else plain]


def _reduced(device: str) -> Sequence[EngineSpec]:
    """Engines of reduced precision that this machine computes natively."""
    if device != "cpu":
        from tutelage.features.torch_engine import torch_spec

        return [torch_spec(device, "bf16")]
    from tutelage.features.openvino_engine import native, openvino_spec

    return [openvino_spec("bf16")] if native("bf16") else []


def _reference(program: Program, spec: EngineSpec, batch: Arrays) -> Tried:
    """Eager PyTorch on a few rows; what it cannot run, nothing can."""
    some = replace(program, batch=FEW)
    few = {name: rows[:FEW] for name, rows in batch.items()}
    compiled = engine(spec)(some)
    start = time.perf_counter()
    output = next(iter(compiled.stream([few])))
    spent = time.perf_counter() - start
    if spent < SECONDS:  # else it is so slow that warming up does not matter
        start = time.perf_counter()
        next(iter(compiled.stream([few])))
        spent = time.perf_counter() - start
    return Tried(spec, FEW / spent, output=output)


def _whole(program: Program, plain: Tried, batch: Arrays) -> Tried:
    """The reference on whole batches, where it may win."""
    compiled = engine(plain.spec)(program)
    output, rate = _first(compiled, batch, program.batch)
    return replace(plain, rate=rate or _rate(compiled, batch, program.batch), output=output)


def _tried(program: Program, spec: EngineSpec, batch: Arrays, reference: Tried) -> Tried:
    """A candidate against what it should give: exactly so, or in reduced precision nearly."""
    try:
        compiled = engine(spec)(program)
        output, rate = _first(compiled, batch, program.batch)
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as failure:
        return Tried(spec, 0.0, f"it cannot run this network ({_first_line(failure)})")
    assert reference.output is not None
    exact = spec.precision == "f32"
    error = (_relative if exact else _of_spread)(output, reference.output)
    if not error <= (EXACT if exact else TOLERANCE):
        return Tried(spec, 0.0, f"its features are off by {error:.0%}{'' if exact else ' of their spread'}", error)  # fmt: skip
    return Tried(spec, rate or _rate(compiled, batch, program.batch), "", error, output)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:120]


def _decide(tried: list[Tried]) -> dict[str, Any]:
    full = max((t for t in tried if t.spec.precision == "f32"), key=lambda t: t.rate)
    reduced = [t for t in tried if t.spec.precision != "f32" and t.rate >= WORTH * full.rate]
    best = max(reduced or [full], key=lambda t: t.rate)
    because = f"{best.spec}: measured here {', '.join(t.told() for t in tried)}"
    return {
        "spec": best.spec.as_json(), "because": because,
        "table": [_row(t, best) for t in tried],
    }  # fmt: skip


def _row(tried: Tried, best: Tried) -> dict[str, Any]:
    slower = f"{best.rate / tried.rate:.1f} times slower" if 0 < tried.rate < best.rate else f"less than {WORTH} times faster"  # fmt: skip
    error = None if tried.error is None or not np.isfinite(tried.error) else tried.error
    return {
        "engine": str(tried.spec), "images_per_second": tried.rate, "error": error,
        "chosen": tried is best, "why_not": "" if tried is best else tried.out or slower,
    }  # fmt: skip


def _first(compiled: Compiled, batch: Arrays, size: int) -> tuple[Arrays, float]:
    """What it gives, and rows a second; 0 where the first round, in which memory is taken, was too short to tell."""
    start = time.perf_counter()
    output, *_ = compiled.stream([batch] * ROUND)
    spent = time.perf_counter() - start
    return output, ROUND * size / spent if spent > 2 * SECONDS else 0.0


def _rate(compiled: Compiled, batch: Arrays, size: int) -> float:
    """Rows a second with all its streams busy."""
    start, rows = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        rows += sum(size for _ in compiled.stream([batch] * ROUND))
    return rows / (time.perf_counter() - start)


def _relative(output: Arrays, exact: Arrays) -> float:
    """The largest of the outputs' relative errors, on the rows that ``exact`` has."""
    return max(_share(output[k][: len(rows)] - rows, rows) for k, rows in exact.items())


def _of_spread(output: Arrays, exact: Arrays) -> float:
    """Relative to how the rows differ from their mean, by which a head tells them apart; root mean square."""
    errors = [_share(output[k][: len(rows)] - rows, rows - rows.mean(0)) for k, rows in exact.items()]  # fmt: skip
    return float(np.sqrt(np.mean(np.square(errors))))


def _share(part: Any, whole: Any) -> float:
    return float(np.linalg.norm(part) / max(1e-12, float(np.linalg.norm(whole))))


def _repeated(batch: Arrays, size: int) -> Arrays:
    count = len(next(iter(batch.values())))
    if count >= size:
        return {name: rows[:size] for name, rows in batch.items()}
    return {name: np.resize(rows, (size, *rows.shape[1:])) for name, rows in batch.items()}


def _noise(program: Program) -> Arrays:
    rng = np.random.default_rng(0)
    free = {k: ((program.batch, *shape), dtype) for k, (shape, dtype) in program.inputs.items()}
    shapes = {k: (tuple(PLACES if side == FREE else side for side in shape), dtype) for k, (shape, dtype) in free.items()}  # fmt: skip
    return {k: _drawn(rng, shape, np.dtype(dtype), k) for k, (shape, dtype) in shapes.items()}


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> Any:  # fmt: skip
    """Random bytes, numbers that any table of embeddings has, normal values; every place of a mask is true."""
    if name == MASK:
        return np.ones(shape, dtype)
    if dtype.kind in "ui":
        return rng.integers(0, 256 if dtype.kind == "u" else 2, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)
