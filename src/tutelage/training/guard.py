"""The guard: a tuned tail ships only if items that it was not tuned on speak for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.evaluation.calibration import fit_temperature, log_softmax

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


ASKED = (0.0, 0.05)
"""What is expected of a cut that the user chose: nothing, give or take five points."""


@dataclass(frozen=True)
class Verdict:
    """What the guard found.

    Attributes:
        ships: whether the tail ships.
        gain: accuracy of the tail minus that of the frozen head, on the validation items.
        error: standard error of the gain.
        because: a sentence.
    """

    ships: bool
    gain: float
    error: float
    because: str


def guard(before: Floats, after: Floats, truth: Ints, prior: tuple[float, float] | None = None) -> Verdict:  # fmt: skip
    """Compare the tail with the frozen head that it started from, on the same validation items.

    Few items say little, so what they show is weighed against what was expected before: the mean of the
    two, by their precisions (two normal distributions). The tail ships where that is a gain, and where its
    log-loss, at its own best temperature, is not worse by more than two standard errors. Where the user chose
    the cut, nothing was expected, and ``ASKED`` stands for that.

    Args:
        before: logits (V, C) by the frozen head.
        after: logits (V, C) by the tail.
        truth: classes (V,).
        prior: expected gain in accuracy, and its standard deviation.
    """
    right_before, right_after = before.argmax(1) == truth, after.argmax(1) == truth
    each = right_after.astype(float) - right_before
    gain, error = float(each.mean()), gain_error(each)
    lost = surprise(after, truth) - surprise(before, truth)
    slack = 2 * float(lost.std() / np.sqrt(len(lost)))
    ships = weighed(gain, error, prior or ASKED) >= 0 and bool(lost.mean() <= slack)
    told = f"tuning moved {len(truth)} validation items from {right_before.mean():.1%} to {right_after.mean():.1%} right"
    return Verdict(ships, gain, error, told if ships else f"{told}: the frozen head is shipped")


def weighed(gain: float, error: float, prior: tuple[float, float]) -> float:
    """The gain that is believed after looking: measured and expected, by their precisions."""
    mean, spread = prior
    trust = spread**2 / (spread**2 + error**2)
    return trust * gain + (1 - trust) * mean


def gain_error(each: Floats) -> float:
    """Standard error of a mean difference in {-1, 0, 1} (V,), with one win and one loss added."""
    padded = np.concatenate([each, [1.0, -1.0]])
    return float(padded.std() / np.sqrt(len(padded)))


def surprise(logits: Floats, truth: Ints) -> Floats:
    """Minus the log-probability of the truth (V,), at the temperature that suits these items best."""
    told = log_softmax(logits / fit_temperature(logits, truth))
    return np.asarray(-told[np.arange(len(truth)), truth])
