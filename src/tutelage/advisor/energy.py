"""Energy and largest probability: how sure the teacher's own classifier is of an item."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tutelage.errors import TrainingError
from tutelage.evaluation.calibration import log_softmax

Floats = npt.NDArray[np.float64]


def energy(logits: npt.ArrayLike) -> Floats:
    """``ln sum_k exp(f_k)`` of each item (N,): minus its free energy at temperature 1; lower is stranger.

    Liu et al., "Energy-based Out-of-distribution Detection", NeurIPS 2020 (arXiv 2010.03759), section 3.

    Args:
        logits: f, of the teacher's own classes (N, K).

    Raises:
        TrainingError: a logit is not finite.

    Example:
        >>> energy([[0.0, 0.0]]).round(3).tolist()
        [0.693]
    """
    scores = finite(logits)
    top = scores.max(axis=1)
    return np.asarray(top - log_softmax(scores).max(axis=1))


def max_probability(logits: npt.ArrayLike) -> Floats:
    """``max_k softmax(f)_k`` of each item (N,); lower is stranger.

    Hendrycks and Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples in
    Neural Networks", ICLR 2017 (arXiv 1610.02136).

    Args:
        logits: f, of the teacher's own classes (N, K).

    Raises:
        TrainingError: a logit is not finite.

    Example:
        >>> max_probability([[0.0, 0.0]]).tolist()
        [0.5]
    """
    return np.asarray(np.exp(log_softmax(finite(logits)).max(axis=1)))


def summary(values: npt.ArrayLike) -> dict[str, float]:
    """Mean and standard deviation (divided by N) of energies or probabilities (N,)."""
    table = np.asarray(values, dtype=np.float64)
    return {"mean": float(table.mean()), "sd": float(table.std())}


def finite(logits: npt.ArrayLike) -> Floats:
    """Logits as float64 (N, K).

    Raises:
        TrainingError: one is not finite.
    """
    scores = np.asarray(logits, dtype=np.float64)
    if not np.isfinite(scores).all():
        raise TrainingError(
            "broken-logits", given="logits of the teacher that are NaN or infinite", expected="finite numbers",
            next="Look for NaN in the weights with: tutelage doctor",
        )  # fmt: skip
    return scores
