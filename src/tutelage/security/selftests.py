"""Self-tests of an audit: if one fails, the figures do not mean what they say, and no grade is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tutelage.security.rows import Row, find

SLACK = 0.03
"""Shares may exceed each other by this much, or by two items, before it means something."""

SURE = 0.95
"""Success that a white box must have at the sanity budget."""


@dataclass(frozen=True)
class SelfTest:
    """One test of the audit itself.

    Attributes:
        name: what must hold.
        passed: whether it does.
        told: the figures, in a sentence.
    """

    name: str
    passed: bool
    told: str

    def as_json(self) -> dict[str, object]:
        """A plain dictionary."""
        return dict(vars(self))


@dataclass(frozen=True)
class Evidence:
    """What the tests look at.

    Attributes:
        rows: of the audit.
        nothing: share fooled by originals moved by a budget of zero.
        sanity: share fooled by a white-box attack at the sanity budget, and its budget.
        white: the strongest white-box share, and its square-attack counterpart, on the same items.
        teacher: the best untargeted teacher-only share at the graded budget on the same items.
        slopes: largest gradient at each item (N,); None where none is taken.
        random: whether the student answers the same item differently.
    """

    rows: Sequence[Row]
    nothing: float
    sanity: tuple[float, float]
    white: float
    square: float
    teacher: float
    count: int
    slopes: npt.NDArray[np.float64] | None
    random: bool


def self_tests(evidence: Evidence) -> tuple[SelfTest, ...]:
    """All of them."""
    slack = max(SLACK, 2 / max(1, evidence.count))
    budget = evidence.sanity[1]
    return (
        SelfTest("a budget of zero fools nothing", evidence.nothing == 0, f"{evidence.nothing:.1%} fooled"),
        *_growing(evidence.rows, slack),
        _falling(evidence.rows),
        *_sloping(evidence.slopes),
        SelfTest(
            f"a white box at {budget:g} succeeds", evidence.sanity[0] >= SURE, f"{evidence.sanity[0]:.1%} fooled, {SURE:.0%} expected"),
        SelfTest(
            "random search does not beat gradients (else they are masked)", evidence.square <= evidence.white + slack,
            f"queries {evidence.square:.1%}, white box {evidence.white:.1%}"),
        SelfTest(
            "the white box does not lose to the teacher alone (else gradients are masked)", evidence.white >= evidence.teacher - slack,
            f"white box {evidence.white:.1%}, teacher only {evidence.teacher:.1%}"),
        SelfTest(
            "randomness is averaged", True,
            "the student is random: every item was asked several times, and gradients are means over draws" if evidence.random
            else "the student answers the same each time"),
    )  # fmt: skip


def _sloping(slopes: npt.NDArray[np.float64] | None) -> list[SelfTest]:
    """Nine of ten items have a gradient; nothing where none is taken."""
    if slopes is None:
        return []
    share = float((slopes > 0).mean()) if len(slopes) else 0.0
    return [
        SelfTest(
            "gradients are not zero", share >= 0.9, f"{share:.0%} of the items have a gradient"
        )
    ]


def _growing(rows: Sequence[Row], slack: float) -> list[SelfTest]:
    """Success does not fall with the budget beyond what few items explain, attack by attack."""
    found: dict[tuple[str, int | None, bool], list[Row]] = {}
    for row in rows:
        if row.measure == "linf" and row.threat in ("T1", "T3"):
            found.setdefault((row.attack, row.cut, row.targeted), []).append(row)
    series = {k: sorted(v, key=lambda r: r.budget) for k, v in found.items() if len(v) > 1}
    falls = [
        f"{key[0]} at cut {key[1]}: {low.success:.1%} at {low.budget:g}, {high.success:.1%} at {high.budget:g}"
        for key, line in series.items()
        for low, high in pairwise(line)
        if high.interval[1] < low.interval[0] - slack
    ]
    told = "; ".join(falls) or f"{len(series)} series of budgets rise or stay"
    return [SelfTest("success does not fall with the budget", not falls, told)]


def _falling(rows: Sequence[Row]) -> SelfTest:
    """Mimicry brings the teacher nearer to its goal."""
    residuals = [r.residual for r in rows if r.attack in ("mimic", "mimic one") and r.residual is not None and r.measure == "linf"]  # fmt: skip
    worst = max(residuals, default=0.0)
    return SelfTest("mimicry brings the teacher nearer to its goal", worst < 1, f"the worst residual is {worst:.2f} of the distance before")  # fmt: skip


def strongest(rows: Sequence[Row], budget: float) -> float:
    """The best white-box share by gradients at a budget."""
    found = [
        r for r in (find(rows, name, budget) for name in ("pgd", "apgd", "search")) if r is not None
    ]
    return max((r.success for r in found), default=0.0)
