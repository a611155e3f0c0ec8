"""Golden inputs: a few decoded items whose answers are kept, to be replayed on another machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import ArtefactError
from tutelage.features.engine import run
from tutelage.student.artefact import Student
from tutelage.student.predict import judge, tail_features


def answered(
    student: Student, golden: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """Golden inputs and activations, with what the student says of them now."""
    rows = {n[len("activation/") :]: a for n, a in golden.items() if n.startswith("activation/")}
    if not _any(rows):
        return {**golden, "probabilities": np.zeros((0, len(student.classes)))}
    probabilities, _ = judge(student, tail_features(student, rows))
    return {**golden, "probabilities": probabilities}


def replay(student: Student) -> float:
    """Largest difference between the kept probabilities and those computed here and now.

    Raises:
        ArtefactError: no golden input is left.
    """
    inputs = {n[len("input/") :]: a for n, a in student.golden.items() if n.startswith("input/")}
    if not _any(inputs):
        raise ArtefactError(
            "no-golden", given="a student that had to forget all its golden inputs", expected="some to replay",
            next="Fit again: tutelage fit DATA",
        )  # fmt: skip
    extractor = student.extractor
    rows = (
        inputs if extractor.cut == 0 else extractor.rounded(run(extractor.compile(inputs), inputs))
    )
    probabilities, _ = judge(student, tail_features(student, rows))
    return float(np.abs(probabilities - student.golden["probabilities"]).max())


def _any(rows: Mapping[str, npt.NDArray[Any]]) -> bool:
    return any(len(array) for array in rows.values())
