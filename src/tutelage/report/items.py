"""``test_items.csv``: what the student says of each test item, so that two students can be compared in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tutelage.files import read_csv, write_csv
from tutelage.student import Student
from tutelage.training import Lesson

FILE = "test_items.csv"
COLUMNS = ("name", "label", "told", "probability", "correct")


def write_items(lesson: Lesson, student: Student, indices: Sequence[int], probabilities: npt.NDArray[np.float64]) -> None:  # fmt: skip
    """One row an item, into the run's folder; ``correct`` is 1 or 0.

    Args:
        indices: of the items (N,).
        probabilities: (N, C), columns in the order of the student's classes.
    """
    rows = []
    for index, row in zip(indices, probabilities, strict=True):
        example, best = lesson.dataset.examples[index], int(row.argmax())
        told, correct = student.classes[best], int(student.classes[best] == str(example.label))
        rows.append({"name": example.name, "label": example.label, "told": told, "probability": f"{row[best]:.6g}", "correct": correct})  # fmt: skip
    write_csv(lesson.run.folder / FILE, rows, COLUMNS)


def read_items(folder: Path) -> dict[str, bool]:
    """Name of each test item -> whether the student is right; empty if the run kept no such file."""
    path = folder / FILE
    if not path.exists():
        return {}
    return {row["name"]: row["correct"] == "1" for row in read_csv(path)}


def item_groups(folder: Path, names: Sequence[str]) -> tuple[str, ...] | None:
    """The group of each of a run's items (copies, ``--group-by``); None if none has a companion in its group."""
    known = {row["name"]: row["group"] for row in read_csv(folder / "split.csv")}
    groups = tuple(known[name] for name in names)
    return groups if len(set(groups)) < len(groups) else None
