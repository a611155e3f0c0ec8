"""The end of a change: the student scored on the parent's own test part, from the cache, and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.data import Checked
from tutelage.errors import ArtefactError
from tutelage.evaluation.metrics import evaluate
from tutelage.features.activations import Activations, as_json
from tutelage.files import digest_json, read_csv, read_json, write_csv, write_json, write_text
from tutelage.report.lineage import model_card
from tutelage.report.page import render
from tutelage.report.results import card_told, cost_of_stages
from tutelage.report.ship import Fitted
from tutelage.report.thumbnails import read_pictures
from tutelage.run import Run
from tutelage.student import Student
from tutelage.student.change import Change, Register
from tutelage.student.predict import features_at, judge

COLUMNS = ("name", "label", "part", "group", "digest")


def read_register(folder: Path) -> list[dict[str, str]]:
    """The items of a run, as its ``split.csv`` has them.

    Raises:
        ArtefactError: it is not there.
    """
    try:
        return read_csv(folder / "split.csv")
    except OSError as error:
        raise ArtefactError(
            "no-run", given=f"{folder} has no split.csv", expected="the folder of a finished run, not of its student alone",
            next="Give it: tutelage fit NEW --extend runs/fit/NAME",
        ) from error  # fmt: skip


def grouped_by(folder: Path) -> str | None:
    """What kept items of a run together in a split: a column, a pattern, or nothing."""
    args = read_json(folder / "args.json") if (folder / "args.json").exists() else {}
    found = args.get("options", args).get("group_by")
    return str(found) if found else None


def reported_items(register: Register) -> list[Mapping[str, str]]:
    """Rows of the items that are only reported on: test, or val where the source had nothing else to report on."""
    parts = {row["part"] for row in register}
    return [row for row in register if row["part"] == ("test" if "test" in parts else "val")]


def score_again(student: Student, tested: Sequence[Mapping[str, str]], activations: Activations, first: int) -> dict[str, Any] | None:  # fmt: skip
    """Metrics on test items whose features are in the cache; None unless all of them are.

    Args:
        tested: rows of the register.
        first: index of the first of them among the items of ``activations``.
    """
    indices = range(first, first + len(tested))
    if not tested or len(activations.held(student.facts.frozen, indices)) < len(tested):
        return None
    probabilities, scores = judge(student, features_at(student, activations, indices))
    truth = np.array([student.classes.index(row["label"]) for row in tested])
    metrics = evaluate(probabilities, truth, student.classes)
    return {**metrics, "rejected": float((scores > student.reject.threshold).mean())}


def ship_change(
    student: Student, parent: Student, parent_run: Path, register: Register, checked: Checked, change: Change,
    metrics: dict[str, Any] | None, activations: Activations, run: Run,
) -> Fitted:  # fmt: skip
    """Write the run folder: the student, its register, results and lineage. The parent is not touched."""
    with run.phase("save"):
        saved = student.save(run.folder / "student")
    rows = [*_kept(register, checked, change), *_new(checked, change)]
    write_csv(run.folder / "split.csv", rows, COLUMNS)
    write_text(run.folder / "labels.txt", "".join(f"{name}\n" for name in saved.classes))
    results = _results(saved, parent, parent_run, rows, change, metrics, activations, run)
    told = _lineage(saved, parent_run, rows, change)
    for folder in (run.folder, run.folder / "student"):
        write_json(folder / "results.json", results)
    write_json(run.folder / "student" / "lineage.json", told)
    write_text(run.folder / "student" / "README.md", model_card(saved, results, told))
    with run.phase("report"):
        write_text(run.folder / "report.html", render(results, read_pictures(parent_run)))
    run.log({"done": True})
    return Fitted(saved, run.folder, results)


def _kept(register: Register, checked: Checked, change: Change) -> list[dict[str, str]]:
    gone = {checked.digests[i] for i in change.indices} if change.forget else set()
    return [{**row, "part": "forgotten"} if row["digest"] in gone and row["part"] == "train" else dict(row) for row in register]  # fmt: skip


def _new(checked: Checked, change: Change) -> list[dict[str, str]]:
    if change.forget:
        return []
    return [
        {"name": checked.dataset.examples[i].name, "label": label, "part": "train",
         "group": checked.groups[i], "digest": checked.digests[i]}
        for i, label in zip(change.indices, change.labels, strict=True)
    ]  # fmt: skip


def _results(student: Student, parent: Student, parent_run: Path, rows: Register, change: Change, metrics: dict[str, Any] | None, activations: Activations, run: Run) -> dict[str, Any]:  # fmt: skip
    before = read_json(parent_run / "results.json")
    counts = {part: sum(row["part"] == part for row in rows) for part in ("train", "val", "test")}
    new = [name for name in student.facts.classes if name not in parent.facts.classes]
    done = "forgotten" if change.forget else "added"
    sentence = f"{len(change.indices)} items {done} exactly; scaling, penalties and temperature are those of {parent.digest[:12]}"
    warnings = list(change.passed)
    if metrics is None and reported_items(rows):
        warnings.append("the test part's features are no longer in the cache, so it was not scored again: tutelage evaluate RUN DATA")  # fmt: skip
    if new:
        warnings.append(f"no test item is of the new classes {', '.join(new)}: nothing tells how well they are known")  # fmt: skip
    return {
        **before, "run": str(run.folder), "student": str(run.folder / "student"), "digest": student.digest,
        "because": [*before["because"], sentence], "warnings": warnings, "heads": [], "comparison": None, "cases": None, "neighbours": [],
        "seconds": {"total": round(sum(run.seconds.values()), 4), **{k: round(v, 4) for k, v in run.seconds.items()}},
        "test": metrics and {k: metrics[k] for k in ("accuracy", "low", "high", "n")}, "metrics": metrics,
        "split": {**before["split"], **counts}, "counters": as_json(activations.counters), "cost": None,
        "head": student.head.kind, "classes": list(student.facts.classes), "kept": len(student.facts.kept),
        "card": card_told(student), "stages": cost_of_stages(student.facts.card, student.facts.frozen),
        "findings": before.get("findings", []), "found": before.get("found", 0),
        "change": {"parent": parent.digest, done: len(change.indices), "new_classes": new, "before": before["test"]},
    }  # fmt: skip


def _lineage(student: Student, parent_run: Path, rows: Register, change: Change) -> dict[str, Any]:
    before = read_json(parent_run / "student" / "lineage.json")
    taught = sorted([row["digest"], row["label"]] for row in rows if row["part"] == "train")
    return {
        **before, "student": student.digest, "parent": before["student"],
        "data": {"digest": digest_json(taught), "items": len(rows), "classes": list(student.facts.classes)},
        "split": {"digest": digest_json(sorted([row["digest"], row["part"]] for row in rows))},
        "change": "forgotten" if change.forget else "added",
    }  # fmt: skip
