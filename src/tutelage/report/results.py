"""The results of a fit: one object that ``--json`` prints, that is kept, and that the page is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tutelage.data import Finding
from tutelage.features.activations import as_json
from tutelage.report.cases import SUSPECTS, Judged, cases, left_out
from tutelage.report.ledger import ledger
from tutelage.run import Run
from tutelage.student import Student
from tutelage.teachers import Card
from tutelage.training import FitOptions, Lesson, Trained

SHOWN = 12
"""Items on the page that show what the data is."""

FINDINGS = 60
"""Findings on the page; ``findings.csv`` has all of them."""


@dataclass(frozen=True)
class Tested:
    """The student on the test part.

    Attributes:
        metrics: what ``evaluate`` tells, and the share that was rejected.
        judged: its answers.
        neighbours: see ``report.neighbours``.
    """

    metrics: dict[str, Any]
    judged: Judged
    neighbours: list[dict[str, Any]] = field(default_factory=list)


def results_of(
    lesson: Lesson, trained: Trained, student: Student, tested: Tested | None,
    findings: Sequence[Finding], looked: Sequence[Judged], doubted: Sequence[Mapping[str, Any]], options: FitOptions, run: Run,
) -> dict[str, Any]:  # fmt: skip
    """Everything that the run tells, ready for JSON.

    Args:
        looked: parts whose items were judged by what never saw them, see ``looked_at``.
        doubted: labels of these that are probably wrong, the surest first.
    """
    decision, parts, metrics = trained.decision, lesson.parts, tested and tested.metrics
    return {
        "schema": 1,
        "run": str(run.folder),
        "student": str(run.folder / "student"),
        "teacher": lesson.teacher.card.name,
        "mode": decision.mode,
        "cut": decision.cut_json(),
        "because": list(decision.because),
        "evidence": [dict(row) for row in decision.evidence],
        "advice": dict(decision.facts),
        "teachers": [dict(row) for row in lesson.chosen.table],
        "heads": list(trained.head.table) if trained.head else [],
        "asked": decision.asked,
        "head": trained.student.head.kind,
        "parameters": {"trainable": trained.trainable, "total": trained.total},
        "seconds": {"total": _total(run), **{k: round(v, 4) for k, v in run.seconds.items()}},
        "test": metrics and {k: metrics[k] for k in ("accuracy", "low", "high", "n")},
        "metrics": metrics,
        "warnings": _warnings(lesson, trained, metrics, findings),
        "split": {"train": len(parts.train), "val": len(parts.val), "test": len(parts.test),
                  "set_aside": len(parts.set_aside), "reported": parts.reported, "seed": options.split_seed},
        "engine": str(student.facts.engine),
        "engines": engines_told(lesson),
        "digest": student.digest,
        "views": lesson.views,
        "input": student.facts.spec.size,
        "counters": as_json(lesson.activations.counters),
        "cost": ledger(lesson, trained, run, run.meter),
        "classes": list(student.facts.classes), "kept": len(student.facts.kept),
        "card": card_told(student), "stages": cost_of_stages(student.facts.card, student.facts.frozen),
        "findings": [finding.as_json() for finding in findings[:FINDINGS]], "found": len(findings),
        "neighbours": tested.neighbours if tested else [],
        "cases": _cases(lesson, student.facts.classes, looked, doubted),
    }  # fmt: skip


def card_told(student: Student) -> dict[str, Any]:
    """What a page says of the teacher."""
    card = student.facts.card
    return {"name": card.name, "source": card.source, "licence": card.licence, "trained_on": card.trained_on, "digest": card.digest}  # fmt: skip


def cost_of_stages(card: Card, frozen: int) -> list[dict[str, Any]]:
    """The stages in order: whether frozen, and their share of the operations."""
    total = max(1, card.macs)
    return [
        {"name": stage.name, "frozen": index < frozen, "share": stage.macs / total, "parameters": stage.parameters}
        for index, stage in enumerate(card.stages)
    ]  # fmt: skip


def looked_at(lesson: Lesson, trained: Trained, tested: Tested | None) -> list[Judged]:
    """The training items as they were left out, and the test items, as far as there are any."""
    parts = (left_out(lesson, trained), tested.judged if tested else None)
    return [part for part in parts if part is not None]


def _cases(lesson: Lesson, classes: Sequence[str], looked: Sequence[Judged], doubted: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # fmt: skip
    """Single items worth a look."""
    last = looked[-1] if looked else None
    chosen = (*lesson.parts.test, *lesson.parts.train)
    some = [lesson.dataset.examples[i].name for i in chosen[:: max(1, len(chosen) // SHOWN)][:SHOWN]]  # fmt: skip
    return {
        **(cases(last, classes) if last else {"wrong": [], "hard": []}), "of": last.part if last else None,
        "some": some, "suspects": list(doubted[:SUSPECTS]), "suspected": len(doubted),
    }  # fmt: skip


def engines_told(lesson: Lesson) -> dict[str, Any]:
    """Why this engine, and what was measured of the others."""
    chosen = lesson.engine
    return (
        {"because": chosen.because, "table": [dict(row) for row in chosen.table]} if chosen else {}
    )


def _total(run: Run) -> float:
    return round(sum(run.seconds.values()), 4)


def _warnings(lesson: Lesson, trained: Trained, metrics: Any, findings: Sequence[Finding]) -> list[str]:  # fmt: skip
    told = [*lesson.teacher.card.notes, *trained.warnings]
    if metrics is None:
        told.append("there is no test part: nothing tells how good the student is on new data")
    serious = [f for f in findings if f.severity != "info"]
    return told + [f"{f.kind}: {_named(f.where)}. {f.remedy}" for f in serious[:20]]


def _named(where: Sequence[str], most: int = 4) -> str:
    more = f" and {len(where) - most} more" if len(where) > most else ""
    return ", ".join(where[:most]) + more


def portable(results: Mapping[str, Any]) -> dict[str, Any]:
    """Results without what belongs to this machine or names the user's files."""
    return {
        k: v
        for k, v in results.items()
        if k
        not in ("run", "student", "warnings", "counters", "cost", "findings", "cases", "neighbours")
    }
