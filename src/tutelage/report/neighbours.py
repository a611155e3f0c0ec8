"""Nearest training items to test items that the student got wrong: what the teacher takes for the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.student import Student
from tutelage.training import Lesson

WRONG, NEAREST = 8, 3
"""Test items told of at most, the surest first; training items beside each."""


def neighbours(lesson: Lesson, student: Student, indices: Sequence[int], probabilities: npt.NDArray[np.float64]) -> list[dict[str, Any]]:  # fmt: skip
    """The surest mistakes, each with the training items whose frozen features are most like its own.

    Similarity is the cosine of features about the training items' mean. Only for a frozen network, whose features
    of all items are at hand.

    Args:
        indices: of test items (N,).
        probabilities: (N, C).
    """
    if student.facts.mode != "deep":
        return []
    told, sure = probabilities.argmax(1), probabilities.max(1)
    wrong = [n for n in np.argsort(-sure, kind="stable").tolist() if student.classes[told[n]] != lesson.labels([indices[n]])[0]][:WRONG]  # fmt: skip
    train = lesson.readable(lesson.depth, lesson.parts.train, 1)
    near = _nearest(lesson, train, [indices[n] for n in wrong]) if wrong else []
    return [
        {"item": lesson.dataset.examples[indices[n]].name, "label": lesson.labels([indices[n]])[0], "told": student.classes[told[n]], "probability": float(sure[n]), "nearest": [_row(lesson, train[i], share) for i, share in rows]}
        for n, rows in zip(wrong, near, strict=True)
    ]  # fmt: skip


def _nearest(lesson: Lesson, train: Sequence[int], asked: Sequence[int]) -> list[list[tuple[int, float]]]:  # fmt: skip
    """For each asked item its nearest training items: (place in ``train``, cosine), the nearest first."""
    blocks = lesson.activations.features(train, 1)
    mean = sum(block.sum(0, dtype=np.float64) for block in blocks) / len(train)
    wanted = _unit(lesson.features(asked) - mean)
    alike = np.concatenate([_unit(block - mean) @ wanted.T for block in blocks])
    order = np.argsort(-alike, axis=0, kind="stable")[:NEAREST]
    return [[(int(i), float(alike[i, n])) for i in order[:, n]] for n in range(len(asked))]


def _unit(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    unit: npt.NDArray[np.float64] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)  # fmt: skip
    return unit


def _row(lesson: Lesson, index: int, share: float) -> dict[str, Any]:
    return {
        "item": lesson.dataset.examples[index].name,
        "label": lesson.labels([index])[0],
        "similarity": share,
    }
