"""Whether a remedy paid: what it cost in accuracy over seeds, and what adversaries who know of it still achieve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.evaluation.crossed import mean_gain
from tutelage.evaluation.metrics import wilson
from tutelage.security.grade import GRADES

MARGIN = 0.02
"""Accuracy that may be lost, at the lower end of the interval."""

CUT = 0.75
"""Share of teacher-only success that must be gone."""

FLOOR = (2 / 3, 0.03)
"""The published level (Wang et al. 2018): share gone, and accuracy lost."""


@dataclass(frozen=True)
class Price:
    """Accuracy before and after, on the same test items.

    Attributes:
        before: (N,) whether the parent is right.
        after: (S, N) whether the student of each seed is.
        truth: (N,) class numbers.
        groups: of the items, or None.
        ece: calibration errors before and after (of the student that ships).
    """

    before: npt.NDArray[np.bool_]
    after: npt.NDArray[np.bool_]
    truth: npt.NDArray[np.int64]
    groups: tuple[str, ...] | None
    ece: tuple[float, float]

    def as_json(self) -> dict[str, Any]:
        """``before``, ``after``, ``low``: the last is the lower end of the difference's interval; and more."""
        change, low, high = mean_gain(self.after, self.before[None], self.groups)
        return {
            "before": float(self.before.mean()), "after": float(self.after.mean()), "difference": change, "low": low, "high": high,
            "margin": -MARGIN, "non_inferior": low > -MARGIN, "seeds": len(self.after), "n": len(self.before),
            "each_seed": [float(row.mean()) for row in self.after], "worst_class": self._worst_class(),
            "ece": {"before": self.ece[0], "after": self.ece[1]},
        }  # fmt: skip

    def _worst_class(self) -> float:
        """The largest loss of any class, mean over seeds, as a difference."""
        changes = [float(self.after[:, self.truth == c].mean() - self.before[self.truth == c].mean()) for c in np.unique(self.truth)]  # fmt: skip
        return min(changes, default=0.0)


@dataclass(frozen=True)
class Siege:
    """One adaptive attack against the parent and the hardened students, on items that all of them get right.

    Attributes:
        attack, cut, budget, targeted: see ``rows.Row``.
        how: what is new to the defence, e.g. ``"adam"``.
        before: (n,) whether the parent was fooled.
        after: (S, n) whether each seed's student was.
    """

    attack: str
    cut: int
    budget: float
    targeted: bool
    how: str
    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary; ``after`` is the worst seed's."""
        n, worst = len(self.before), self.worst
        low, high = wilson(worst * n, n)
        return {
            "attack": self.attack, "cut": self.cut, "budget": self.budget, "targeted": self.targeted, "how": self.how, "n": n,
            "before": self.first, "after": worst, "low": low, "high": high, "each_seed": [float(a.mean()) for a in self.after] if n else [],
        }  # fmt: skip

    @property
    def first(self) -> float:
        """Success against the parent."""
        return float(self.before.mean()) if len(self.before) else 0.0

    @property
    def worst(self) -> float:
        """Success against the seed that fares worst."""
        return float(self.after.mean(1).max()) if len(self.before) else 0.0


def reductions(sieges: Sequence[Siege], budget: float) -> dict[str, Any]:
    """How much of the worst adaptive success is gone at a budget: targeted and untargeted, each at its worst.

    The worst attack after is set against the worst before, whatever attack either is.
    """
    told: dict[str, Any] = {}
    for targeted, name in ((True, "targeted"), (False, "untargeted")):
        rows = [s for s in sieges if s.targeted is targeted and s.budget == budget]
        before, after = max((s.first for s in rows), default=0.0), max((s.worst for s in rows), default=0.0)  # fmt: skip
        told[name] = {"before": before, "after": after, "gone": None if before <= 0 else 1 - after / before}  # fmt: skip
    return told


def met(reduced: Mapping[str, Any], price: Mapping[str, Any], before: str | None, after: str | None) -> tuple[bool, list[str]]:  # fmt: skip
    """Whether the bar is met, and sentences that say how far it is."""
    gone = [v["gone"] for v in reduced.values() if v["gone"] is not None]
    least = min(gone, default=0.0)
    lower = before is not None and after is not None and GRADES.index(after) < GRADES.index(before)
    told = [
        f"of adaptive teacher-only success {least:.0%} is gone ({CUT:.0%} wanted)",
        f"accuracy changes by {round(100 * price['difference'], 1) + 0.0:+.1f} points, at worst {100 * price['low']:+.1f} ({-100 * MARGIN:+.0f} allowed), over {price['seeds']} seeds",
        f"the grade goes from {before or 'none'} to {after or 'none'}",
    ]  # fmt: skip
    if price["seeds"] < 3:
        told.append("fewer than three seeds: that the accuracy is kept is not tested")
    return least >= CUT and price["non_inferior"] and lower and price["seeds"] >= 3, told


def published_level(reduced: Mapping[str, Any], price: Mapping[str, Any]) -> bool:
    """Whether at least the published level is reached."""
    gone = [v["gone"] for v in reduced.values() if v["gone"] is not None]
    return bool(gone) and min(gone) >= FLOOR[0] and price["low"] > -FLOOR[1]
