"""One self-contained page that tells the story of a run: opens offline, sends nothing anywhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from tutelage.data import Finding
from tutelage.report.ledger import as_rows
from tutelage.report.lineage import environment
from tutelage.student import Student
from tutelage.training import Lesson

SHOWN = 12
"""Test items on the page: enough to see what the data is."""

THUMBNAIL = 96


def render(lesson: Lesson, student: Student, results: Mapping[str, Any], findings: Sequence[Finding]) -> str:  # fmt: skip
    """The page as HTML."""
    template = environment().get_template("report.html.jinja")
    stages = [_stage(lesson, student, index) for index in range(lesson.depth)]
    return template.render(
        results=results, student=student, card=student.facts.card, findings=findings, stages=stages,
        pictures=_pictures(lesson), confusion=_confusion(results), comparison=results.get("comparison"),
        cost=as_rows(results["cost"]),
    )  # fmt: skip


def _stage(lesson: Lesson, student: Student, index: int) -> dict[str, Any]:
    facts = student.facts.card.stages[index]
    share = facts.macs / max(1, student.facts.card.macs)
    return {"name": facts.name, "frozen": index < student.facts.frozen, "share": share, "parameters": facts.parameters}  # fmt: skip


def _pictures(lesson: Lesson) -> list[dict[str, str]]:
    show = lesson.teacher.modality.show
    if show is None:
        return []
    chosen = (*lesson.parts.test, *lesson.parts.train)
    step = max(1, len(chosen) // SHOWN)
    return [_picture(lesson, i) for i in chosen[::step][:SHOWN]]


def _picture(lesson: Lesson, index: int) -> dict[str, str]:
    example, show = lesson.dataset.examples[index], lesson.teacher.modality.show
    png = show(example.item, THUMBNAIL) if show else b""
    return {
        "name": example.name,
        "label": str(example.label),
        "data": base64.b64encode(png).decode(),
    }


def _confusion(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The confused pairs, worst first: at most ten."""
    metrics = results.get("metrics")
    if not metrics:
        return []
    names = list(metrics["per_class"])
    pairs = [
        {"true": names[t], "told": names[p], "count": count}
        for t, row in enumerate(metrics["confusion"])
        for p, count in enumerate(row)
        if t != p and count
    ]
    return sorted(pairs, key=lambda pair: -pair["count"])[:10]
