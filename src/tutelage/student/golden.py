"""Golden inputs: a few decoded items whose answers are kept, to be replayed on another machine."""

from __future__ import annotations

import numpy as np

from tutelage.features.engine import run
from tutelage.student.artefact import Student
from tutelage.student.predict import judge, tail_features


def replay(student: Student) -> float:
    """Largest difference between the kept probabilities and those computed here and now."""
    inputs = {n[len("input/") :]: a for n, a in student.golden.items() if n.startswith("input/")}
    extractor = student.extractor
    rows = (
        inputs if extractor.cut == 0 else extractor.rounded(run(extractor.compile(inputs), inputs))
    )
    probabilities, _ = judge(student, tail_features(student, rows))
    return float(np.abs(probabilities - student.golden["probabilities"]).max())
