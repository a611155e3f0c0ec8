"""The task as a value: labels, probabilities, calibration, metrics and JSON hang on it.

There is one so far, a single label an item. Its siblings have names already, so that a recipe or a
table may ask for them and is told "not yet" by one error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, NotYetError, UsageError
from tutelage.evaluation.calibration import fit_temperature, softmax
from tutelage.evaluation.metrics import evaluate

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """What is predicted.

    Attributes:
        kind: ``"single"``.
        encode: labels (N,) and class names (C,) -> targets (N, C).
        probabilities: logits (N, C) -> probabilities (N, C).
        calibrate: logits (N, C) of left-out items and their truth (N,) -> temperature.
        evaluate: probabilities (N, C), truth (N,) and class names -> figures, ready for JSON.
    """

    kind: str
    encode: Callable[[Sequence[str], Sequence[str]], Floats]
    probabilities: Callable[[npt.ArrayLike], Floats]
    calibrate: Callable[[npt.ArrayLike, npt.NDArray[np.int64]], float]
    evaluate: Callable[[npt.ArrayLike, npt.ArrayLike, Sequence[str]], dict[str, Any]]

    def targets(self, labels: Sequence[str], classes: Sequence[str]) -> Floats:
        """Targets (N, C) float64 of labels (N,).

        Raises:
            DataError: labels that are not among the classes; all of them are named.

        Example:
            >>> SINGLE.targets(["bee"], ["ant", "bee"])
            array([[0., 1.]])
        """
        return self.encode(labels, classes)

    def as_json(self) -> str:
        """Its name, which ``task_named`` takes back."""
        return self.kind


def _one_hot(labels: Sequence[str], classes: Sequence[str]) -> Floats:
    place = {name: column for column, name in enumerate(classes)}
    unknown = sorted({str(label) for label in labels} - set(place))
    if unknown:
        raise DataError(
            "unknown-label", given=f"labels {', '.join(map(repr, unknown[:8]))}",
            expected=f"labels among {', '.join(map(repr, classes[:8]))}",
            next="Mend the labels, or leave those items out.",
        )  # fmt: skip
    table = np.zeros((len(labels), len(classes)))
    table[np.arange(len(labels)), [place[label] for label in labels]] = 1.0
    return table


SINGLE = Task("single", _one_hot, softmax, fit_temperature, evaluate)

_TASKS: Mapping[str, Task | None] = {"single": SINGLE, "multi": None, "number": None}


def task_named(name: str) -> Task:
    """The task of that name.

    Raises:
        NotYetError: ``multi`` (several labels an item) and ``number`` (regression) do not exist yet.
        UsageError: there is no such task.
    """
    if name not in _TASKS:
        raise UsageError(
            "unknown-task", given=f"task {name!r}", expected=f"one of {', '.join(_TASKS)}",
            next="Leave the task out: it is single.",
        )  # fmt: skip
    task = _TASKS[name]
    if task is None:
        raise NotYetError(
            "task-not-yet", given=f"task {name!r}", expected="the task single, one label an item",
            next="Give one label an item; the other tasks come in a later version.",
        )  # fmt: skip
    return task
