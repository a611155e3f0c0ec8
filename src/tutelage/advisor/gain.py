"""What tuning is expected to add to the frozen head, with its uncertainty.

1. Its mean is what the literature shows (``classical``): far from the teacher's data tuning wins a share of
   what the head gets wrong; near to it, it loses a little; with few images a class it loses much.
2. Its uncertainty is what our own exhaustive grid of real data sets shows of 1.: how far data sets as a
   whole are off (``error``), and single tasks (``spread``). ``gains.json`` holds these, and how they were made.

Linear fits of the grid, alone or on top of 1., had twice the mean regret of 1. alone on data sets left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from tutelage.advisor.evidence import Evidence
from tutelage.teachers import Card
from tutelage.teachers.tuning import Habit, habit_of

ENOUGH = 20
"""Images a class from which a tail can be tuned without losing more than it wins (BSCD-FSL)."""

SHARE = {"late": 0.05, "mid": 0.20, "full": 0.20}
"""Of the head-room, what tuning wins where nothing is near: 18 to 32 % for whole networks at 20 and 50 images
a class on CropDiseases, EuroSAT and ISIC (Guo et al., ECCV 2020, table 2)."""
NEAR_COSTS = 0.02
"""What it loses on the teacher's own kind of data: 3 to 7 points on pets and dogs (Agostinelli et al., ECCV 2022)."""
FEW_COSTS = 0.03
"""What each halving of the images a class below ``ENOUGH`` costs."""

FEW = 10
"""Images a class below which single tasks scatter much more."""


@dataclass(frozen=True)
class Gain:
    """The expected gain of a cut over the frozen head, in accuracy (0.01 is a point).

    Attributes:
        mean: expected.
        error: standard error of the expectation itself: what more experience would take away.
        spread: standard deviation of what one data set will really show.
    """

    mean: float
    error: float
    spread: float

    def row(self) -> dict[str, Any]:
        """For tables."""
        return {"gain": self.mean, "gain_error": self.error, "gain_spread": self.spread}


@dataclass(frozen=True)
class Doubt:
    """How far the expectation of one kind of cut was off on the grid.

    Attributes:
        error: root mean square of the data sets' mean residuals, over the root of their number.
        spread: standard deviation of single tasks around the expectation.
        few: the same below ``FEW`` images a class.
    """

    error: float
    spread: float
    few: float

    def around(self, mean: float, each: float) -> Gain:
        """The gain with that mean, for a task of so many images a class."""
        return Gain(mean, self.error, self.few if each < FEW else self.spread)


NOTHING = Gain(0.0, 0.0, 0.0)


def kind_of(card: Card, cut: int) -> str:
    """``deep``, ``late``, ``mid`` or ``full``: cuts of different networks that are alike in what they tune."""
    share = card.share(cut)
    if cut in (0, len(card.stages)):
        return "full" if cut == 0 else "deep"
    return "mid" if share <= 0.6 else "late"


def classical(kind: str, evidence: Evidence, near: float | None) -> float:
    """The expected gain of one kind of cut, in accuracy.

    ``SHARE * head-room * (1 - near) - NEAR_COSTS * near^2 - FEW_COSTS * max(0, log2(20 / images a class))``;
    the whole network is half a point behind the middle cut, for what it costs.

    Args:
        kind: ``late``, ``mid`` or ``full``.
        evidence: of the task.
        near: similarity to the teacher's own data, 0..1; None counts as a half.
    """
    known = 0.5 if near is None else near
    won = SHARE[kind] * evidence.headroom * (1 - known) - NEAR_COSTS * known**2
    return won - _losses(kind, evidence)


def expected_gains(evidence: Evidence, near: float | None, card: Card, cuts: Sequence[int], doubts: Mapping[str, Doubt] | None = None) -> dict[int, Gain]:  # fmt: skip
    """Cut -> what tuning after it is expected to add to the frozen head.

    Args:
        evidence, near: see ``classical``.
        card: of the teacher.
        cuts: K.
        doubts: by kind of cut; those that are shipped if not given.
    """
    known, habit, found = doubts or shipped(), habit_of(card), {}
    for cut in cuts:
        kind = kind_of(card, cut)
        found[cut] = NOTHING if kind == "deep" else _expected(kind, evidence, near, habit, known[kind])  # fmt: skip
    return found


def _expected(kind: str, evidence: Evidence, near: float | None, habit: Habit, doubt: Doubt) -> Gain:  # fmt: skip
    """By the family's own experience where it has some and nothing tells how near the data is."""
    if near is not None or kind not in habit.wins:
        return doubt.around(classical(kind, evidence, near), evidence.each)
    own = habit.wins[kind] * evidence.headroom - _losses(kind, evidence)
    gain = doubt.around(own, evidence.each)
    return replace(gain, error=max(gain.error, habit.error))


def _losses(kind: str, evidence: Evidence) -> float:
    """What tuning loses for few items a class, and what the whole network is behind for its cost."""
    return FEW_COSTS * max(0.0, math.log2(ENOUGH / evidence.each)) + (
        0.005 if kind == "full" else 0.0
    )


def learn(residuals: Mapping[str, Sequence[tuple[float, float, float]]]) -> Doubt:
    """The doubt that a grid shows.

    Args:
        residuals: data set -> (images a class, measured minus expected, noise of the measurement) of its tasks.
    """
    many = {k: [r for each, r, _ in rows if each >= FEW] for k, rows in residuals.items()}
    means = np.array([np.mean(rows) for rows in many.values() if rows])
    error = math.sqrt(float(np.square(means).mean()) / len(means))
    spreads = [_beyond_noise([row for rows in residuals.values() for row in rows if (row[0] < FEW) == few]) for few in (False, True)]  # fmt: skip
    return Doubt(error, spreads[0], max(spreads))


def _beyond_noise(rows: Sequence[tuple[float, float, float]]) -> float:
    """Root mean square of residuals, without what the measurement itself adds; at least half a point."""
    square = float(np.mean([r * r - noise**2 for _, r, noise in rows])) if rows else 0.0
    return math.sqrt(max(square, 0.005**2))


@lru_cache(maxsize=1)
def shipped() -> dict[str, Doubt]:
    """The doubts that come with the package; ``deep`` is that of left-out accuracy itself."""
    told = json.loads((files("tutelage.advisor") / "gains.json").read_text(encoding="utf-8"))
    return {kind: Doubt(**one) for kind, one in told["doubts"].items()}
