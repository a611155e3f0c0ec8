"""Single items worth a look: those that are mixed up, those that are hard, and labels that are probably wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.evaluation.calibration import softmax
from tutelage.evaluation.label_errors import suspected
from tutelage.training import Lesson, Trained

WRONG, HARD, SUSPECTS = 300, 24, 60
"""Items of each kind that are kept for the page; ``suspects.csv`` has all of them."""


@dataclass(frozen=True)
class Judged:
    """Items with what was said of them by a head that never saw them.

    Attributes:
        part: of the split.
        names: (N,).
        truth: class indices (N,).
        probabilities: (N, C) or, beside kept classes, wider.
    """

    part: str
    names: tuple[str, ...]
    truth: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]


def left_out(lesson: Lesson, trained: Trained) -> Judged | None:
    """Training items as the head on frozen features judges them without their group; None if there is no such head."""
    choice = trained.head or max(lesson.probes.values(), key=lambda c: len(c.left_out_truth), default=None)  # fmt: skip
    if choice is None or not choice.table:
        return None
    chosen = next((items for items, c in lesson.probes.items() if c is choice), lesson.parts.train)
    indices = lesson.readable(lesson.depth, chosen)
    if len(indices) != len(choice.left_out_truth):
        return None
    truth, logits = choice.left_out_truth, choice.left_out_logits / choice.head.temperature
    told = np.isfinite(logits[np.arange(len(truth)), truth])
    names = tuple(lesson.dataset.examples[i].name for i, known in zip(indices, told, strict=True) if known)  # fmt: skip
    return Judged("train", names, truth[told], softmax(logits[told]))


def cases(judged: Judged, classes: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Wrong answers, the most confident first, and right ones, the least confident first.

    Returns:
        ``wrong`` and ``hard``: rows of ``name, label, told, probability`` (of what was told), ``of_label``.
    """
    told, sure = judged.probabilities.argmax(1), judged.probabilities.max(1)
    wrong = np.flatnonzero(told != judged.truth)
    right = np.flatnonzero(told == judged.truth)
    chosen = {
        "wrong": wrong[np.argsort(-sure[wrong], kind="stable")][:WRONG],
        "hard": right[np.argsort(sure[right], kind="stable")][:HARD],
    }
    return {kind: [_row(judged, i, int(told[i]), classes) for i in items] for kind, items in chosen.items()}  # fmt: skip


def suspects(judged: Sequence[Judged], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Labels that are probably wrong, part by part, the surest first; rows as in ``cases``, and ``part``.

    ``told`` is the class that is believed instead.
    """
    rows = []
    for part in judged:
        own = part.probabilities[:, : len(classes)]
        for i in suspected(own, part.truth):
            others = np.where(np.arange(own.shape[1]) == part.truth[i], -np.inf, own[i])
            rows.append({**_row(part, int(i), int(others.argmax()), classes), "part": part.part})
    return sorted(rows, key=lambda row: row["of_label"] - row["probability"])


def _row(judged: Judged, item: int, told: int, classes: Sequence[str]) -> dict[str, Any]:
    row, truth = judged.probabilities[item], int(judged.truth[item])
    name = classes[told] if told < len(classes) else "another class"
    return {
        "name": judged.names[item], "label": classes[truth], "told": name,
        "probability": round(float(row[told]), 4), "of_label": round(float(row[truth]), 4),
    }  # fmt: skip


def named(results: Mapping[str, Any]) -> list[str]:
    """Every item that a page of these results may show, each once."""
    told = results.get("cases") or {}
    rows = [row for kind in ("wrong", "hard", "suspects") for row in told.get(kind, ())]
    found = [name for finding in results.get("findings", ()) for name in finding["where"][:4]]
    near = [one["item"] for row in results.get("neighbours", ()) for one in (row, *row["nearest"])]
    return list(
        dict.fromkeys([*(row["name"] for row in rows), *found, *near, *told.get("some", ())])
    )
