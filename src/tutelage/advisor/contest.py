"""Who stays among teachers: a score over a prior, and two reasons to go. Pure functions.

Score: the left-out accuracy of a head on frozen features, shrunken towards a prior as if that were
``PRIOR_ITEMS`` more items, on the logit scale. Left-out accuracy has the best record of what can be
measured without training; on a few images a published table knows more, on many it does not (the
published benchmarks of SFDA, TLLib, stable transfer and SHiFT).

Prior: only differences between the teachers count. All get the same level, the mean of what was
measured; a teacher's published ImageNet top-1 moves it from there by ``SLOPE`` times its distance, in
logits, from the mean of the others' (Kornblith et al., CVPR 2019: transfer and ImageNet accuracy are
linear in each other's logits). Without a published figure a teacher stands at the mean.

Reasons to go: being worse on the same items, or costing more without being better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]

PRIOR_ITEMS = 150
SLOPE = 0.25
"""A quarter of what near data show: on far data a better ImageNet network is no better. Of 0, 1/4, 1/2 and 1
it lost least over seven data sets (82 contests of four small teachers: 0.07 points on average; 1/2 lost 0.20)."""

SURE = 1.64
"""One-sided 5 % point of the normal distribution."""

DEARER = 2.0
"""Times the cost an image."""

WORST, BEST = 0.001, 0.999
"""A published accuracy is taken to lie between."""


@dataclass(frozen=True)
class Trial:
    """What one teacher showed.

    Attributes:
        name: of the teacher.
        correct: whether each left-out item is right (n,), the same items for all; none if nothing
            could be left out.
        top1: published ImageNet accuracy, 0..1; None if there is none.
        cost: of an image, in any unit that all share.
    """

    name: str
    correct: Bools
    top1: float | None
    cost: float

    @property
    def log_odds(self) -> float:
        """Of the left-out accuracy, half an item added to either side (Haldane 1956, Anscombe 1956)."""
        right, n = int(self.correct.sum()), len(self.correct)
        return math.log((right + 0.5) / (n - right + 0.5))


def priors(trials: Sequence[Trial]) -> list[float]:
    """Each teacher's accuracy as the prior has it."""
    return [_share(odds) for odds in _prior_log_odds(trials)]


def _prior_log_odds(trials: Sequence[Trial]) -> list[float]:
    level = sum(trial.log_odds for trial in trials) / len(trials)
    known = [_logit(trial.top1) for trial in trials if trial.top1 is not None]
    middle = sum(known) / len(known) if known else 0.0
    pulls = [0.0 if t.top1 is None else SLOPE * (_logit(t.top1) - middle) for t in trials]
    return [level + pull for pull in pulls]


def scores(trials: Sequence[Trial]) -> list[float]:
    """Each teacher's shrunken accuracy.

    Example:
        >>> even = np.arange(150) % 2 == 0
        >>> [round(q, 3) for q in scores([Trial("a", even, None, 1.0), Trial("b", even, None, 1.0)])]
        [0.5, 0.5]
    """
    pairs = zip(trials, _prior_log_odds(trials), strict=True)
    return [_share(_shrunken(t.log_odds, len(t.correct), prior)) for t, prior in pairs]


def _shrunken(measured: float, items: int, prior: float) -> float:
    return (items * measured + PRIOR_ITEMS * prior) / (items + PRIOR_ITEMS)


def paired(a: Bools, b: Bools) -> tuple[float, float]:
    """Accuracy of the first minus the second's on the same items, and its standard error.

    The error is that of two more items, one right by each alone (Bonett and Price 2012, as in
    ``evaluation.compare``): it does not vanish where the two agree on every item.
    """
    only_a, only_b, n = int((a & ~b).sum()), int((b & ~a).sum()), len(a)
    centre = (only_a - only_b) / (n + 2)
    error = math.sqrt(((only_a + only_b + 2) / (n + 2) - centre**2) / (n + 2))
    return (only_a - only_b) / n, error


def leader(trials: Sequence[Trial]) -> int:
    """The highest score; of equals the cheaper."""
    told = scores(trials)
    return max(range(len(trials)), key=lambda i: (told[i], -trials[i].cost, -i))


def dropped(trials: Sequence[Trial], whole: int) -> dict[int, str]:
    """Which teachers go after a round, and why; never all of them.

    Args:
        trials: of all that are still in, on the same n items.
        whole: items of the last round. Before it a difference is weighed against the standard error
            that the last round will have: a dear teacher does not go because few items tell little.
    """
    first = leader(trials)
    if not len(trials[first].correct):
        return {}  # nothing was measured: the prior alone decides
    gone = {i: why for i in range(len(trials)) if (why := _worse(trials[i], trials[first]))}
    left = [i for i in range(len(trials)) if i not in gone]
    shrink = math.sqrt(min(1.0, len(trials[first].correct) / max(1, whole)))
    close = [i for i in left if i == first or not _better(trials[first], trials[i], shrink)]
    cheap = min(close, key=lambda i: (trials[i].cost, i))
    dear = {i: why for i in left if (why := _dearer(trials[i], trials[cheap], shrink))}
    return gone | dear


def _worse(trial: Trial, best: Trial) -> str:
    """Why a teacher is worse than the leader on the same items; empty if it is not."""
    gap, error = paired(trial.correct, best.correct)
    if gap / error >= -SURE:
        return ""
    return f"{100 * -gap:.1f} points fewer right than {best.name} on the same {len(trial.correct)} items (z = {gap / error:.1f})"


def _better(trial: Trial, other: Trial, shrink: float) -> bool:
    """By at least one standard error?"""
    gap, error = paired(trial.correct, other.correct)
    return gap >= shrink * error


def _dearer(trial: Trial, cheap: Trial, shrink: float) -> str:
    """Why a teacher is not worth its cost; empty if it is."""
    if trial.cost <= DEARER * cheap.cost or _better(trial, cheap, shrink):
        return ""
    gap, _ = paired(trial.correct, cheap.correct)
    return (
        f"{trial.cost / cheap.cost:.1f} times the cost of {cheap.name} an item for "
        f"{100 * gap:+.1f} points, less than a standard error"
    )


def _logit(share: float) -> float:
    share = min(BEST, max(WORST, share))
    return math.log(share / (1 - share))


def _share(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))
