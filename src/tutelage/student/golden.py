"""Golden inputs: a few decoded items whose answers are kept, to be replayed on another machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.features.engine import run
from tutelage.student.artefact import Student
from tutelage.student.predict import judge, tail_features


def answered(
    student: Student, golden: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """Golden inputs and activations, with what the student says of them now."""
    rows = {n[len("activation/") :]: a for n, a in golden.items() if n.startswith("activation/")}
    probabilities, _ = judge(student, tail_features(student, rows))
    return {**golden, "probabilities": probabilities}


def replay(student: Student) -> float:
    """Largest difference between the kept probabilities and those computed here and now."""
    inputs = {n[len("input/") :]: a for n, a in student.golden.items() if n.startswith("input/")}
    extractor = student.extractor
    rows = (
        inputs if extractor.cut == 0 else extractor.rounded(run(extractor.compile(inputs), inputs))
    )
    probabilities, _ = judge(student, tail_features(student, rows))
    return float(np.abs(probabilities - student.golden["probabilities"]).max())
