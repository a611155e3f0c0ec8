"""Predictions with their reasons, written down: a picture an input, and a list of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tutelage.data import open_unlabelled
from tutelage.files import write_json
from tutelage.report.thumbnails import pictured, write_pictures
from tutelage.run import open_run, silent
from tutelage.student import Student
from tutelage.student.predict import Prediction, predictions
from tutelage.viewing.explain import Explained, Explainer, Explanation, explained


def tell_reasons(student: Student, inputs: Any, method: str, out: Path) -> Iterator[Explained]:
    """Explain every input into a new folder ``out/predict/NAME``, whose ``results.json`` lists them at the end.

    Raises:
        NotYetError: the student's modality cannot show heat.
    """
    Explainer(student, method)
    examples = open_unlabelled(inputs, student.teacher.modality)
    home = (student.folder or Path("student")).absolute().parent
    args = {"student": str(student.folder), "method": method, "inputs": len(examples)}
    run = open_run(out, "predict", home.name, args, silent)
    return _written(student, [example.item for example in examples], method, run.folder)


def _written(student: Student, items: list[Any], method: str, folder: Path) -> Iterator[Explained]:
    lines: list[dict[str, Any]] = []
    pictures: dict[str, dict[str, str]] = {}
    for prediction, why in explained(student, predictions(student, items), items, folder, method):
        lines.append(_line(prediction, why))
        if why is not None:
            pictures[why.picture.name] = pictured(why.picture.read_bytes(), "png")
        yield prediction, why
    told = {"schema": 1, "run": str(folder), "student_digest": student.digest, "teacher_digest": student.facts.card.digest}  # fmt: skip
    write_pictures(folder, pictures)
    write_json(folder / "results.json", {**told, "method": method, "predictions": lines})


def _line(prediction: Prediction, why: Explanation | None) -> dict[str, Any]:
    return {**prediction.as_json(), "explanation": why and why.as_json()}
