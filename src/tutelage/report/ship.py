"""The end of a fit: score the test part, write the run folder, hand over the student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.data import Finding
from tutelage.evaluation.metrics import condensed, evaluate, wilson
from tutelage.features.activations import as_json
from tutelage.files import write_csv, write_json, write_text
from tutelage.report.items import write_items
from tutelage.report.ledger import ledger
from tutelage.report.lineage import lineage, model_card
from tutelage.report.neighbours import neighbours
from tutelage.report.page import render
from tutelage.run import Run
from tutelage.student import Student
from tutelage.student.predict import features_at, judge
from tutelage.training import FitOptions, Lesson, Trained


@dataclass(frozen=True)
class Fitted:
    """What ``fit`` hands over.

    Attributes:
        student: saved and ready.
        run: its run folder.
        results: the object that ``fit --json`` prints.
    """

    student: Student
    run: Path
    results: Mapping[str, Any]


def evaluate_test(lesson: Lesson, trained: Trained) -> dict[str, Any] | None:
    """Metrics on the test part, through the path of ``predict``; None if there is no test part."""
    if not lesson.parts.test:
        return None
    student = trained.student
    with lesson.run.phase("evaluate"):
        indices = lesson.readable(student.facts.frozen, lesson.parts.test, 1)
        if not indices:
            return None
        probabilities, scores = judge(student, features_at(student, lesson.activations, indices))
        write_items(lesson, student, indices, probabilities)
        metrics = evaluate(probabilities, lesson.truth(indices), student.classes)
        if student.facts.kept:
            metrics = condensed(metrics, len(student.facts.classes))
        near = neighbours(lesson, student, indices, probabilities)
    return {**metrics, "rejected": float((scores > student.reject.threshold).mean()), "neighbours": near}  # fmt: skip


def ship(lesson: Lesson, trained: Trained, metrics: dict[str, Any] | None, options: FitOptions, run: Run, beside: Sequence[Mapping[str, Any]] = ()) -> Fitted:  # fmt: skip
    """Write everything; the student's folder first, then what tells of it."""
    findings = all_findings(lesson)
    with run.phase("save"):
        student = trained.student.save(run.folder / "student")
        _write_tables(lesson, findings, student.classes, run.folder)
    results = _results(lesson, trained, student, metrics, findings, options, run)
    results["comparison"] = compared(results, beside)
    told = lineage(lesson, trained, student)
    for folder in (run.folder, run.folder / "student"):
        write_json(folder / "results.json", results if folder == run.folder else _portable(results))
    write_json(run.folder / "student" / "lineage.json", told)
    write_text(run.folder / "student" / "README.md", model_card(student, results, told))
    with run.phase("report"):
        write_text(run.folder / "report.html", render(lesson, student, results, findings))
    (run.folder / "checkpoint.safetensors").unlink(missing_ok=True)
    run.log({"done": True})
    return Fitted(student, run.folder, results)


def compared(
    results: Mapping[str, Any], beside: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """The student beside other methods that were scored on the same test items.

    Args:
        beside: rows of ``{"method", "correct", "n", "seconds"}``.
    """
    test = results["test"]
    if not beside or test is None:
        return None
    own = {"method": f"student of {results['teacher']} ({results['mode']})", **test, "seconds": results["seconds"]["total"]}  # fmt: skip
    rows = [own, *(_row(other) for other in beside)]
    best = max(rows, key=lambda row: row["accuracy"])
    overlap = [row for row in rows if row is not best and row["high"] >= best["low"]]
    unsure = (
        f"; its interval overlaps that of {' and '.join(r['method'] for r in overlap)}"
        if overlap
        else ""
    )
    verdict = f"Best here: {best['method']}{unsure}."
    return {"rows": [{**row, "best": row is best} for row in rows], "verdict": verdict}


def _row(other: Mapping[str, Any]) -> dict[str, Any]:
    low, high = wilson(other["correct"], other["n"])
    accuracy = other["correct"] / other["n"]
    return {"method": other["method"], "accuracy": accuracy, "low": low, "high": high, "n": other["n"], "seconds": other["seconds"]}  # fmt: skip


def all_findings(lesson: Lesson) -> list[Finding]:
    """What check, split and extraction found."""
    broken = lesson.activations.counters.unreadable
    names = {lesson.checked.digests[i]: e.name for i, e in enumerate(lesson.dataset.examples)}
    late = [
        Finding(
            "unreadable",
            "error",
            (names[digest],),
            f"{why}. It was left out; replace or remove it.",
        )
        for digest, why in broken.items()
    ]
    return [*lesson.checked.findings, *lesson.parts.findings, *late]


def _write_tables(lesson: Lesson, findings: Sequence[Finding], classes: Sequence[str], folder: Path) -> None:  # fmt: skip
    rows = lesson.parts.as_rows(lesson.checked)
    write_csv(folder / "split.csv", rows, ("name", "label", "part", "group", "digest"))
    write_csv(folder / "findings.csv", [_flat(f) for f in findings], ("kind", "severity", "where", "remedy"))  # fmt: skip
    write_text(folder / "labels.txt", "".join(f"{name}\n" for name in classes))


def _flat(finding: Finding) -> dict[str, str]:
    return {**finding.as_json(), "where": "; ".join(finding.where)}


def _results(
    lesson: Lesson, trained: Trained, student: Student, metrics: dict[str, Any] | None,
    findings: Sequence[Finding], options: FitOptions, run: Run,
) -> dict[str, Any]:  # fmt: skip
    decision, parts = trained.decision, lesson.parts
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
        "metrics": metrics and {k: v for k, v in metrics.items() if k != "neighbours"},
        "neighbours": metrics["neighbours"] if metrics else [],
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


def _portable(results: Mapping[str, Any]) -> dict[str, Any]:
    """Results without what belongs to this machine or names the user's files."""
    return {
        k: v
        for k, v in results.items()
        if k not in ("run", "student", "warnings", "counters", "cost", "neighbours")
    }
