"""Rows of the audit's table: how often one attack fooled the student, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.evaluation.metrics import wilson

THREATS = {
    "T0": "the teacher alone, no item of the task",
    "T1": "the teacher and a few items of the wanted class",
    "T2": "a few label queries beside",
    "T3": "the student itself (white box), or many queries of it",
    "control": "the same budget without this teacher",
    "accident": "no adversary: noise, blur, compression",
}


@dataclass(frozen=True)
class Row:
    """One attack at one budget.

    Attributes:
        attack: its name.
        threat: key of ``THREATS``.
        cut: stages whose output was imitated, or None.
        budget: in the modality's steps, or in its distance for ``measure`` other than ``"linf"``.
        targeted: whether a success is the wanted class.
        fooled: (n,) of the items that the student gets right, share of askings that succeeded.
        residual: how far the teacher was from its goal on average; None where there is no goal.
        measure: what the budget bounds.
        on: the crafting network's name, or None.
    """

    attack: str
    threat: str
    cut: int | None
    budget: float
    targeted: bool
    fooled: npt.NDArray[np.float64]
    residual: float | None = None
    measure: str = "linf"
    on: str | None = None

    @property
    def success(self) -> float:
        """Share of the items that it fooled; 0 of none."""
        return float(self.fooled.mean()) if len(self.fooled) else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, 95 %."""
        return wilson(float(self.fooled.sum()), len(self.fooled))

    def as_json(self) -> dict[str, Any]:
        """A row of ``audit --json``."""
        low, high = self.interval
        residual = None if self.residual is None else round(self.residual, 6)
        return {
            "attack": self.attack, "threat": self.threat, "cut": self.cut, "budget": self.budget, "targeted": self.targeted,
            "success": self.success, "low": low, "high": high, "n": len(self.fooled), "residual": residual,
            "measure": self.measure, "on": self.on,
        }  # fmt: skip


def worst(rows: Sequence[Row], *, targeted: bool, budget: float) -> Row | None:
    """The surely most successful teacher-only row (T0 or T1) at a budget under the plain measure.

    By the lower end of the interval: of rows on few and on many items the few ones would win by luck.
    """
    found = at_budget(rows, ("T0", "T1"), targeted=targeted, budget=budget)
    return max(found, key=lambda r: (r.interval[0], r.success), default=None)


def at_budget(rows: Sequence[Row], threats: Sequence[str], *, targeted: bool, budget: float) -> list[Row]:  # fmt: skip
    """Rows of some rungs at a budget under the plain measure that have an item."""
    return [
        r for r in rows
        if r.threat in threats and r.targeted is targeted and r.budget == budget and r.measure == "linf" and len(r.fooled)
    ]  # fmt: skip


def find(rows: Sequence[Row], attack: str, budget: float | None = None, targeted: bool = False) -> Row | None:  # fmt: skip
    """The first row of an attack."""
    for row in rows:
        if row.attack == attack and row.targeted is targeted and budget in (None, row.budget):
            return row
    return None
