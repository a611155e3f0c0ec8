"""Metrics of a single-label classifier on labelled items that it never saw.

Every figure is finite, or None where it does not exist (say, recall of a class without items).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, TrainingError
from tutelage.evaluation.calibration import expected_calibration_error, reliability

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST = 1e-12
"""No probability is taken to be smaller in the log-loss, so that one surprise does not make it infinite."""

COVERAGES = tuple(k / 20 for k in range(20, 0, -1))


def wilson(successes: float, n: float, z: float = 1.96) -> tuple[float, float]:
    """Interval (low, high) of a proportion (Wilson, JASA 1927).

    Args:
        successes: how many, 0..n.
        n: of how many; with none, the interval is (0, 1).
        z: normal quantile; 1.96 gives 95 %.

    Example:
        >>> [round(bound, 3) for bound in wilson(80, 100)]
        [0.711, 0.867]
    """
    if n <= 0:
        return 0.0, 1.0
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def evaluate(probabilities: npt.ArrayLike, truth: npt.ArrayLike, classes: Sequence[str]) -> dict[str, Any]:  # fmt: skip
    """Everything that is said about a student on labelled data.

    Args:
        probabilities: (N, C), rows summing to one.
        truth: class indices (N,).
        classes: names (C,).

    Returns:
        ``accuracy`` with its Wilson interval ``low``, ``high`` and ``n``; ``balanced_accuracy``,
        ``macro_f1``, ``ece``, ``log_loss``, ``brier``; ``per_class`` name -> precision, recall, f1, n;
        ``confusion`` C x C, rows are the truth; ``coverage``, a list of points; ``reliability``, bins of confidence.

    Raises:
        DataError: there are no items.
        TrainingError: a probability is not finite.
    """
    table, answer = np.asarray(probabilities, dtype=np.float64), np.asarray(truth, dtype=np.int64)
    _refuse_broken(table)
    guess, n = table.argmax(1), len(answer)
    hits = int((guess == answer).sum())
    low, high = wilson(hits, n)
    counts = confusion(answer, guess, len(classes))
    per_class = {name: _of_class(counts, c) for c, name in enumerate(classes)}
    return {
        "accuracy": hits / n, "low": low, "high": high, "n": n,
        "balanced_accuracy": _mean([row["recall"] for row in per_class.values()]),
        "macro_f1": _mean([row["f1"] for row in per_class.values()]),
        "ece": expected_calibration_error(table, answer),
        "log_loss": log_loss(table, answer), "brier": brier(table, answer),
        "per_class": per_class, "confusion": counts.tolist(), "coverage": coverage(table, answer),
        "reliability": reliability(table, answer),
    }  # fmt: skip


def _refuse_broken(table: Floats) -> None:
    if not len(table):
        raise DataError(
            "nothing-to-evaluate", given="no labelled item", expected="at least one",
            next="Give labelled data that the student never saw: tutelage evaluate RUN DATA",
        )  # fmt: skip
    if not np.isfinite(table).all():
        raise TrainingError(
            "broken-probabilities", given="a probability is NaN or infinite", expected="finite numbers",
            next="Look for NaN in the weights with: tutelage doctor",
        )  # fmt: skip


def confusion(truth: Ints, guess: Ints, classes: int) -> Ints:
    """Counts (C, C): row = truth, column = guess."""
    return np.bincount(truth * classes + guess, minlength=classes**2).reshape(classes, classes)


def condensed(metrics: dict[str, Any], own: int, other: str = "another class") -> dict[str, Any]:
    """The tables of ``evaluate`` for the first ``own`` classes, the many others in one column.

    ``macro_f1`` is that of the own classes; the other figures stay those over all classes.
    """
    names = list(metrics["per_class"])[:own]
    counts = np.array(metrics["confusion"])[:own]
    narrow = np.column_stack([counts[:, :own], counts[:, own:].sum(1)])
    square = np.vstack([narrow, np.zeros((1, own + 1), narrow.dtype)])
    rows = {name: metrics["per_class"][name] for name in names}
    lacking = {"precision": None, "recall": None, "f1": None, "n": 0}
    own_f1 = _mean([row["f1"] for row in rows.values()])
    return {
        **metrics, "macro_f1": own_f1,
        "per_class": {**rows, other: lacking}, "confusion": square.tolist(),
    }  # fmt: skip


def _of_class(counts: Ints, c: int) -> dict[str, float | int | None]:
    hit, told, real = int(counts[c, c]), int(counts[:, c].sum()), int(counts[c].sum())
    return {
        "precision": hit / told if told else None, "recall": hit / real if real else None,
        "f1": 2 * hit / (told + real) if told + real else None, "n": real,
    }  # fmt: skip


def _mean(values: Sequence[Any]) -> float:
    known = [value for value in values if value is not None]
    return float(sum(known) / len(known))


def log_loss(probabilities: Floats, truth: Ints) -> float:
    """Mean of minus the log-probability of the truth, in nats."""
    told = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(told, LEAST)).mean())


def brier(probabilities: Floats, truth: Ints) -> float:
    """Mean squared distance to the truth, summed over classes, in [0, 2] (Brier 1950)."""
    return float(np.square(probabilities - np.eye(probabilities.shape[1])[truth]).sum(1).mean())


def coverage(probabilities: Floats, truth: Ints) -> list[dict[str, float]]:
    """Accuracy on the most confident share of items, for shares from 1 down to 0.05.

    Returns:
        Points ``coverage`` (share really kept), ``accuracy`` on it, ``threshold`` (least confidence kept).
    """
    confidence, n = probabilities.max(1), len(truth)
    order = np.argsort(-confidence, kind="stable")
    right = np.cumsum((probabilities.argmax(1) == truth)[order])
    kept = sorted({math.ceil(share * n) for share in COVERAGES}, reverse=True)
    return [
        {"coverage": k / n, "accuracy": float(right[k - 1] / k), "threshold": float(confidence[order[k - 1]])}
        for k in kept
    ]  # fmt: skip
