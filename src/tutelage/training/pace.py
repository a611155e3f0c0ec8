"""How fast tails train on this machine: remembered when one is first tuned, so that the next can be priced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tutelage.files import cache_root
from tutelage.runtime import MachineProfile, host
from tutelage.training.lesson import Lesson


def remembered_rate(lesson: Lesson, cut: int) -> float | None:
    """Images a second of a training step of the stages after a cut; None if none was tuned here yet."""
    kept = _profile().known(_question(lesson, cut))
    return float(kept) if isinstance(kept, int | float) else None


def remember_rate(
    lesson: Lesson, cut: int, items: int, history: Sequence[Mapping[str, Any]]
) -> None:
    """Keep the rate of the fastest epoch; the first answer stays."""
    seconds = [record["seconds"] for record in history if record.get("seconds")]
    if seconds:
        _profile().recall(_question(lesson, cut), lambda: items / min(seconds))


def _profile() -> MachineProfile:
    return MachineProfile(cache_root() / "machine.json")


def _question(lesson: Lesson, cut: int) -> str:
    card, spec, machine = lesson.teacher.card, lesson.activations.spec, host()
    place = f"{machine['processor']}|{machine['cores']}|{lesson.activations.engine.device}"
    return f"step|{place}|{card.weights_digest}|{cut}|{spec.size}"
