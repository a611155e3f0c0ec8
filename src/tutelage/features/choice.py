"""Which engine: measured once on this machine with this teacher, and remembered with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tutelage.errors import UsageError
from tutelage.features.engine import Arrays, EngineSpec, Program
from tutelage.features.extract import trunk_program
from tutelage.features.measure import TOLERANCE, WORTH, measure, quick
from tutelage.files import cache_root
from tutelage.modality import InputSpec
from tutelage.runtime import MachineProfile, host, open_runtime
from tutelage.teachers import Teacher

__all__ = ["MANY", "NAMES", "EngineChoice", "choose_engine", "engine_for", "speed"]

NAMES = ("openvino-f32", "openvino-bf16", "torch-f32", "torch-bf16")
"""What ``--engine`` takes beside ``auto``."""

MANY = 256
"""Rows from which measuring reduced precision (about a second) is less than what it can save."""

Sample = Callable[[], Arrays]
"""Makes a batch of the user's own items, as the modality collates them."""


@dataclass(frozen=True)
class EngineChoice:
    """The engine, and why.

    Attributes:
        spec: of the engine.
        because: a sentence.
        table: a row a candidate: ``engine``, ``images_per_second``, ``error``, ``chosen``, ``why_not``.
    """

    spec: EngineSpec
    because: str
    table: tuple[Mapping[str, Any], ...] = ()


def engine_for(teacher: Teacher, spec: InputSpec, device: str = "auto", *, asked: str = "auto", sample: Sample | None = None) -> EngineChoice:  # fmt: skip
    """The engine for a teacher's whole backbone at an input size.

    Args:
        device: ``auto``, ``cpu``, ``cuda``, ...
        asked: one of ``NAMES``, or ``auto``: the fastest one.
        sample: a batch of the user's items, on which reduced precision is judged; without it, none is taken.

    Raises:
        UsageError: there is no such engine, or not on that device.
    """
    chosen = open_runtime(device).device
    if asked != "auto":
        return EngineChoice(named(asked, chosen), "the user chose it")
    program = trunk_program(teacher, len(teacher.card.stages), spec, teacher.blank(spec))
    return choose_engine(program, device=chosen, sample=sample)


def choose_engine(program: Program, *, device: str = "cpu", sample: Sample | None = None) -> EngineChoice:  # fmt: skip
    """The fastest engine for a program; see ``measure`` for the rule."""
    answer = _answer(program, device, sample)
    return EngineChoice(EngineSpec(**answer["spec"]), answer["because"], tuple(answer["table"]))


def named(asked: str, device: str) -> EngineSpec:
    """The engine that a user names.

    Raises:
        UsageError: see ``engine_for``.
    """
    if asked not in NAMES:
        raise UsageError(
            "no-such-engine", given=f"--engine {asked}", expected=f"auto, {', '.join(NAMES)}",
            next="Leave --engine out, and the fastest is measured.",
        )  # fmt: skip
    name, precision = asked.split("-")
    if name == "openvino" and device != "cpu":
        raise UsageError(
            "no-such-engine", given=f"--engine {asked} on {device}", expected="torch-f32 or torch-bf16 there",
            next=f"Type: --engine torch-{precision}   or: --device cpu",
        )  # fmt: skip
    if name == "openvino":
        from tutelage.features.openvino_engine import openvino_spec

        return openvino_spec(precision)
    from tutelage.features.torch_engine import torch_spec

    return torch_spec(device, precision)


def speed(teacher: Teacher, spec: InputSpec, engine: EngineSpec) -> float:
    """Images a second of a teacher's whole backbone in an engine, as measured when one was chosen.

    Args:
        engine: one that was not measured is taken to be a quarter as fast as the best.
    """
    program = trunk_program(teacher, len(teacher.card.stages), spec, teacher.blank(spec))
    table = _answer(program, engine.device, None)["table"]
    rates = {row["engine"]: float(row["images_per_second"]) for row in table}
    return rates.get(str(engine)) or max(rates.values()) / 4


def at_hand(spec: EngineSpec) -> EngineSpec:
    """The engine, or where its device is not in this machine, eager PyTorch in full precision on the processor."""
    try:
        open_runtime(spec.device)
    except UsageError:
        from tutelage.features.torch_engine import torch_spec

        return torch_spec()
    return spec


def _library(device: str) -> str:
    """Version of what is measured on a device beside eager PyTorch on the processor."""
    if device == "cpu":
        from tutelage.features.openvino_engine import openvino_spec

        return openvino_spec("f32").version
    import torch

    return f"{torch.__version__}|{torch.accelerator.current_accelerator()}"


def _answer(program: Program, device: str, sample: Sample | None) -> dict[str, Any]:
    """What was measured of a program on this machine, once: all engines, or without a sample the exact ones."""
    profile = MachineProfile(cache_root() / "machine.json")
    machine = f"{host()['processor']}|{host()['cores']}|{device}|{_library(device)}"
    question = f"engine 4|{TOLERANCE}|{WORTH}|{machine}|{program.key}"
    known = profile.known(question)
    if known is not None:
        return dict(known)
    if sample is None:
        return profile.recall(f"{question}|exact", lambda: quick(program, device))
    return profile.recall(question, lambda: measure(program, device, sample()))
