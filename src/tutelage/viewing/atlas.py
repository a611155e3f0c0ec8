"""The layer atlas: what each stage of a teacher, or of a student, sees in the user's own items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from tutelage.advisor.evidence import evidence_of, judgeable
from tutelage.network.stages import Activation, Network
from tutelage.training import Lesson
from tutelage.viewing.channels import shown_stage
from tutelage.viewing.drawing import sheet
from tutelage.viewing.field import Field, field_of
from tutelage.viewing.filters import first_filters
from tutelage.viewing.items import Items, looked_at
from tutelage.viewing.look import Sight, look
from tutelage.viewing.moved import moved
from tutelage.viewing.separability import separability
from tutelage.viewing.subject import Subject
from tutelage.viewing.wish import Wish

FEW = 4
"""Items that receptive fields are measured on, and folding is proved by."""

RULE = "the channels whose mean output differs most between your classes (share of their variance between classes)"


@dataclass(frozen=True)
class Atlas:
    """What is told, and the pictures that go with it.

    Attributes:
        told: the object that ``view --json`` prints, but for the run's own facts.
        pictures: name -> picture, encoded.
    """

    told: Mapping[str, Any]
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def draw_atlas(lesson: Lesson, subject: Subject, wish: Wish) -> Atlas:
    """Look, measure and draw."""
    run, names = lesson.run, lesson.teacher.card.names
    numbers = wish.numbers(names)
    network = lesson.teacher.network if subject.student is None else subject.student.network
    readings = readings_of(lesson, subject)
    with run.phase("look"):
        items = looked_at(lesson, wish.items)
        sights = _sights(lesson, subject, network, items)
        fields = _fields(lesson, network, items, numbers)
    rows, pictures = [_row(lesson, s, items, readings, subject) for s in sights], dict[str, bytes]()
    for changed, row in zip(_moved(lesson, subject, items), rows, strict=True):
        row["moved"] = changed
    with run.phase("draw"):
        _draw_filters(lesson, network, pictures)
        for done, number in enumerate(numbers):
            seen = fields.get(number)
            row, sight = rows[number - 1], sights[number - 1]
            row["field"] = seen and {"support": seen.support, "effective": seen.effective}
            row["picked"], drawn = shown_stage(lesson, network, sight, seen, items, wish)
            pictures |= drawn
            run.progress("draw", done + 1, len(numbers))
    return Atlas(_told(lesson, subject, wish, rows, pictures, len(items.names)), pictures)


def readings_of(lesson: Lesson, subject: Subject) -> dict[str, dict[str, Any]]:
    """Stage -> what the decision read there: the fit's own numbers, or those that ``advise`` would have."""
    evidence = ((subject.told or {}).get("advice") or {}).get("evidence")
    if evidence is None and judgeable(lesson):
        evidence = evidence_of(lesson).as_json()
    return {row["stage"]: dict(row) for row in (evidence or {}).get("readings", ())}


def _sights(lesson: Lesson, subject: Subject, network: Network, items: Items) -> tuple[Sight, ...]:
    teacher = None if subject.student is None else lesson.teacher.network
    cut = 0 if subject.student is None else subject.student.facts.frozen
    return look(network, lesson.teacher.prepare(lesson.activations.spec), items.batches, teacher, cut)  # fmt: skip


def _moved(lesson: Lesson, subject: Subject, items: Items) -> Sequence[float | None]:
    if subject.student is None:
        return [None] * lesson.depth
    teacher, cut = lesson.teacher.network, subject.student.facts.frozen
    with torch.no_grad():
        crossing = teacher.trunk(cut)(_few(lesson, items))
    return moved(teacher, subject.student.network, cut, crossing)


def _few(lesson: Lesson, items: Items) -> Activation:
    """Some items at cut 0."""
    few = {name: torch.from_numpy(a[:FEW]) for name, a in items.batches[0].items()}
    prepared: Activation = lesson.teacher.prepare(lesson.activations.spec)(few)
    return prepared


def _fields(lesson: Lesson, network: Network, items: Items, numbers: Sequence[int]) -> dict[int, Field]:  # fmt: skip
    x = _few(lesson, items)["x"]
    found = {number: field_of(network, x, number) for number in numbers}
    return {number: seen for number, seen in found.items() if seen is not None}


def _row(lesson: Lesson, sight: Sight, items: Items, readings: Mapping[str, Any], subject: Subject) -> dict[str, Any]:  # fmt: skip
    frozen = None if subject.student is None else sight.number <= subject.student.facts.frozen
    return {
        "name": sight.name, "number": sight.number, "frozen": frozen, "channels": sight.pooled.shape[1],
        "map": list(sight.shape) if sight.shape else None, "field": None,
        "separability": float(separability(sight.pooled, items.truth).mean()),
        "reading": readings.get(sight.name), "cka": sight.alike, "moved": None, "picked": [],
    }  # fmt: skip


def _draw_filters(lesson: Lesson, network: Network, pictures: dict[str, bytes]) -> None:
    show = lesson.teacher.modality.show
    filters = first_filters(network, lesson.activations.spec.channels)
    if show is not None and filters is not None:
        pictures["filters"] = sheet(show, filters, 40, 16)


def _told(lesson: Lesson, subject: Subject, wish: Wish, rows: list[dict[str, Any]], pictures: Mapping[str, bytes], count: int) -> dict[str, Any]:  # fmt: skip
    student, told = subject.student, subject.told or {}
    illustrated = any(name.endswith("synthesis") for name in pictures)
    return {
        "of": told.get("run"), "teacher": lesson.teacher.card.name, "teacher_digest": lesson.teacher.card.digest,
        "student_digest": student and student.digest, "mode": student and student.facts.mode, "cut": told.get("cut"),
        "images": count, "classes": list(lesson.classes), "input": lesson.activations.spec.size, "stages": rows, "rule": RULE,
        "synthesis": {"size": wish.size, "steps": wish.steps, "seed": wish.seed, "is": "illustration, not evidence"} if illustrated else None,
        "filters": "filters" if "filters" in pictures else None, "warnings": _warnings(lesson, wish, rows, pictures),
    }  # fmt: skip


def _warnings(lesson: Lesson, wish: Wish, rows: Sequence[Mapping[str, Any]], pictures: Mapping[str, bytes]) -> list[str]:  # fmt: skip
    told = []
    if lesson.teacher.modality.show is None:
        told.append(
            f"{lesson.teacher.modality.name.partition('/')[0]} items cannot be shown as pictures: figures only"
        )
    elif "filters" not in pictures:
        told.append("the first stage is no convolution of the input: it has no filters to show")
    if all(row["reading"] is None for row in rows):
        told.append("no class has two items: what a stage tells apart cannot be judged")
    return told
