"""The end of a fit: score the test part, write the run folder, hand over the student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.data import Finding
from tutelage.evaluation.metrics import condensed, evaluate, wilson
from tutelage.files import write_csv, write_json, write_text
from tutelage.report.cases import Judged, named, suspects
from tutelage.report.items import write_items
from tutelage.report.lineage import lineage, model_card
from tutelage.report.neighbours import neighbours
from tutelage.report.page import render
from tutelage.report.results import Tested, looked_at, portable, results_of
from tutelage.report.thumbnails import thumbnails, write_pictures
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


def evaluate_test(lesson: Lesson, trained: Trained) -> Tested | None:
    """The test part judged through the path of ``predict``; None if there is no test part."""
    if not lesson.parts.test:
        return None
    student = trained.student
    with lesson.run.phase("evaluate"):
        indices = lesson.readable(student.facts.frozen, lesson.parts.test, 1)
        if not indices:
            return None
        probabilities, scores = judge(student, features_at(student, lesson.activations, indices))
        write_items(lesson, student, indices, probabilities)
        truth = lesson.truth(indices)
        metrics = evaluate(probabilities, truth, student.classes)
        if student.facts.kept:
            metrics = condensed(metrics, len(student.facts.classes))
        near = neighbours(lesson, student, indices, probabilities)
    names = tuple(lesson.dataset.examples[i].name for i in indices)
    rejected = float((scores > student.reject.threshold).mean())
    judged = Judged("test", names, truth, probabilities)
    return Tested({**metrics, "rejected": rejected}, judged, near)


def ship(lesson: Lesson, trained: Trained, tested: Tested | None, options: FitOptions, run: Run, beside: Sequence[Mapping[str, Any]] = ()) -> Fitted:  # fmt: skip
    """Write everything; the student's folder first, then what tells of it."""
    findings, looked = all_findings(lesson), looked_at(lesson, trained, tested)
    doubted = suspects(looked, trained.student.facts.classes)
    with run.phase("save"):
        student = trained.student.save(run.folder / "student")
        _write_tables(lesson, findings, doubted, student.classes, run.folder)
    results = results_of(lesson, trained, student, tested, findings, looked, doubted, options, run)
    results["comparison"] = compared(results, beside)
    told = lineage(lesson, trained, student)
    for folder in (run.folder, run.folder / "student"):
        write_json(folder / "results.json", results if folder == run.folder else portable(results))
    write_json(run.folder / "student" / "lineage.json", told)
    write_text(run.folder / "student" / "README.md", model_card(student, results, told))
    with run.phase("report"):
        pictures = thumbnails(named(results), lesson.dataset, lesson.teacher.modality)
        write_pictures(run.folder, pictures)
        write_text(run.folder / "report.html", render(results, pictures))
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


def _write_tables(lesson: Lesson, findings: Sequence[Finding], doubted: Sequence[Mapping[str, Any]], classes: Sequence[str], folder: Path) -> None:  # fmt: skip
    rows = lesson.parts.as_rows(lesson.checked)
    write_csv(folder / "split.csv", rows, ("name", "label", "part", "group", "digest"))
    write_csv(folder / "findings.csv", [_flat(f) for f in findings], ("kind", "severity", "where", "remedy"))  # fmt: skip
    write_csv(folder / "suspects.csv", doubted, ("name", "part", "label", "told", "probability", "of_label"))  # fmt: skip
    write_text(folder / "labels.txt", "".join(f"{name}\n" for name in classes))


def _flat(finding: Finding) -> dict[str, str]:
    return {**finding.as_json(), "where": "; ".join(finding.where)}


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
