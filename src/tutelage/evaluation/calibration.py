"""Calibration: from logits to probabilities that mean what they say.

A logit of minus infinity is allowed everywhere: the class is impossible for that row.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tutelage.errors import TrainingError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BINS = 15
"""Bins of the expected calibration error (Guo et al. 2017)."""

SHARPEST, SOFTEST = 1e-4, 1e4
"""Bounds of the temperature, in units of the typical spread of a row's logits."""


def log_softmax(logits: npt.ArrayLike) -> Floats:
    """Log-probabilities (N, C) of logits (N, C)."""
    scores = np.asarray(logits, dtype=np.float64)
    shifted: Floats = scores - scores.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def softmax(logits: npt.ArrayLike) -> Floats:
    """Probabilities (N, C) of logits (N, C); every row sums to one."""
    scores = np.asarray(logits, dtype=np.float64)
    shares: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def negative_log_likelihood(logits: npt.ArrayLike, truth: Ints) -> Floats:
    """Minus the log-probability of the truth (N,); infinite where the truth was held impossible."""
    return -log_softmax(logits)[np.arange(len(truth)), truth]


def fit_temperature(logits: npt.ArrayLike, truth: Ints, weights: npt.ArrayLike | None = None) -> float:  # fmt: skip
    """The T > 0 for which ``softmax(logits / T)`` is likeliest, on items that the head did not see.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2. The truth is
    smoothed by ``1 / (n + 2)``, shared by the possible classes, as in Platt 1999, section 2.2: a head
    that is right on all of a few items does not become certain. The loss is convex in 1/T; a Newton
    search in its logarithm stays inside a bracket.

    Args:
        logits: (N, C); rows whose true class is at minus infinity tell nothing and are skipped.
        truth: class indices (N,).
        weights: of the rows (N,), all equal if not given.

    Returns:
        T; 1.0 where no row tells anything.

    Raises:
        TrainingError: a logit is NaN or plus infinity.

    Example:
        >>> fit_temperature([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0]], np.array([0, 0, 1])) > 2
        True
    """
    scores = np.asarray(logits, dtype=np.float64)
    _refuse_broken(scores)
    share = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=np.float64)
    telling = np.isfinite(scores[np.arange(len(truth)), truth]) & (share > 0)
    if not telling.any():
        return 1.0
    return _likeliest(
        *_centred(scores[telling], truth[telling]), share[telling] / share[telling].sum()
    )


def _refuse_broken(scores: Floats) -> None:
    if np.isnan(scores).any() or np.isposinf(scores).any():
        raise TrainingError(
            "broken-logits", given="a logit is NaN or infinite", expected="finite logits",
            next="Look for NaN in the teacher's weights with: tutelage doctor",
        )  # fmt: skip


def _centred(scores: Floats, truth: Ints) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Logits relative to their smoothed target, whose own score thereby becomes zero."""
    rows, count = np.arange(len(truth)), len(truth)
    possible = np.isfinite(scores)
    finite = np.where(possible, scores, 0.0)
    smoothing = 1.0 / (count + 2.0)
    average = finite.sum(1) / possible.sum(1)
    target = (1 - smoothing) * scores[rows, truth] + smoothing * average
    return np.where(possible, scores - target[:, None], 0.0), possible


def _likeliest(scores: Floats, possible: npt.NDArray[np.bool_], share: Floats) -> float:
    spread = float(np.sqrt(share @ np.square(scores).mean(1)))
    if spread <= 0:
        return 1.0
    low, high = -math.log(SOFTEST * spread), -math.log(SHARPEST * spread)
    position = -math.log(spread)
    for _ in range(100):
        slope, bend = _slope(scores, possible, share, math.exp(position))
        low, high = (low, position) if slope > 0 else (position, high)
        step = position - slope / bend if bend > 0 else math.inf
        following = step if low < step < high else (low + high) / 2
        if abs(following - position) < 1e-10:
            break
        position = following
    return math.exp(-position)


def _slope(scores: Floats, possible: npt.NDArray[np.bool_], share: Floats, sharpness: float) -> tuple[float, float]:  # fmt: skip
    """First and second derivative of the loss by the logarithm of 1/T."""
    heated = np.where(possible, scores * sharpness, -np.inf)
    probability = softmax(heated)
    mean = np.einsum("nc,nc->n", probability, scores)
    variance = np.einsum("nc,nc,nc->n", probability, scores, scores) - np.square(mean)
    slope = sharpness * float(share @ mean)
    return slope, slope + sharpness**2 * float(share @ variance)


def reliability(probabilities: npt.ArrayLike, truth: Ints, bins: int = BINS) -> list[dict[str, float]]:  # fmt: skip
    """How often items of about the same confidence are right (Guo et al. 2017, section 2); empty bins are left out.

    Args:
        probabilities: (N, C).
        truth: class indices (N,).
        bins: equally wide; bin b holds confidences in (b/bins, (b+1)/bins].

    Returns:
        ``n``, mean ``confidence`` and ``accuracy`` of each bin.
    """
    table = np.asarray(probabilities, dtype=np.float64)
    confidence, correct = table.max(1), table.argmax(1) == truth
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights=w, minlength=bins) for w in (confidence, correct)]
    return [
        {"n": int(n), "confidence": float(c / n), "accuracy": float(a / n)}
        for n, c, a in zip(counts, *sums, strict=True)
        if n
    ]


def expected_calibration_error(
    probabilities: npt.ArrayLike, truth: Ints, bins: int = BINS
) -> float:
    """Mean gap between confidence and accuracy over equally wide bins of confidence, in [0, 1].

    Guo et al. 2017, equation 5; bin b holds confidences in (b/bins, (b+1)/bins].

    Args:
        probabilities: (N, C).
        truth: class indices (N,).
        bins: their number.
    """
    rows = reliability(probabilities, truth, bins)
    gaps = sum(row["n"] * abs(row["accuracy"] - row["confidence"]) for row in rows)
    return float(gaps / sum(row["n"] for row in rows))
