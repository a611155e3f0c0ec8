"""LEEP: how well the teacher's own guesses tell the new classes (Nguyen et al., ICML 2020)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, TrainingError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SLACK = 0.01
"""A row of probabilities may miss one by as much: half precision does."""


def leep(probabilities: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Log Expected Empirical Prediction, in nats; 0 is best, minus the entropy of the classes is chance.

    ``mean_i log sum_z P(y_i | z) t_iz`` with ``P(y, z) = sum_{i: y_i = y} t_iz / N`` and
    ``P(y | z) = P(y, z) / P(z)``: Nguyen et al., "LEEP: A New Measure to Evaluate Transferability of
    Learned Representations", ICML 2020 (arXiv 2002.12462), section 2.

    Args:
        probabilities: t, of the teacher's K classes for each item (N, K), rows summing to one.
        truth: class indices of the new task (N,).

    Raises:
        TrainingError: a probability is not finite.
        DataError: rows that are no probabilities, fewer than two items, one class, or unequal lengths.

    Example:
        >>> round(leep([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]], [0, 0, 1, 1]), 3)
        -0.198
    """
    table, answer = labelled(probabilities, truth, what="probabilities")
    if table.min() < 0 or np.abs(table.sum(1) - 1).max() > SLACK:
        raise DataError(
            "not-probabilities", given="rows that are negative somewhere or do not sum to one",
            expected="probabilities of the teacher's classes", next="Give the softmax of its logits.",
        )  # fmt: skip
    joint = np.stack([table[answer == c].sum(0) for c in range(int(answer.max()) + 1)])
    given = joint / np.where(joint.sum(0) > 0, joint.sum(0), 1.0)
    told = [np.log(table[answer == c] @ row) for c, row in enumerate(given)]
    return float(np.concatenate(told).mean())


def labelled(values: npt.ArrayLike, truth: npt.ArrayLike, *, what: str = "features") -> tuple[Floats, Ints]:  # fmt: skip
    """What every score takes, as float64 (N, D) and class indices (N,) without gaps, or the error that says why not.

    Raises:
        TrainingError: a value is not finite.
        DataError: unequal lengths, fewer than two items, or one class.
    """
    table, names = np.asarray(values, dtype=np.float64), np.asarray(truth)
    if table.ndim != 2 or names.shape != table.shape[:1] or not table.shape[1]:
        raise DataError(
            "unpaired", given=f"{what} of shape {table.shape} and class indices of shape {names.shape}",
            expected="shapes (N, D) and (N,)", next="Give one class index for each row.",
        )  # fmt: skip
    if not np.isfinite(table).all():
        raise TrainingError(
            f"broken-{what}", given=f"{what} that are NaN or infinite", expected="finite numbers",
            next="Look for NaN in the weights with: tutelage doctor",
        )  # fmt: skip
    classes, answer = np.unique(names, return_inverse=True)
    if len(names) < 2:
        raise DataError(
            "too-few-items", given=f"{len(names)} labelled items", expected="at least two",
            next="Add labelled items.",
        )  # fmt: skip
    if len(classes) < 2:
        raise DataError(
            "one-class", given=f"{len(names)} items of one class", expected="at least two classes",
            next="Add items of another class.",
        )  # fmt: skip
    return table, np.asarray(answer, dtype=np.int64)
