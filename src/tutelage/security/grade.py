"""The grade: how easily a student is fooled by somebody who holds its public teacher, by a rule that is printed."""

from __future__ import annotations

from dataclasses import dataclass

GRADES = ("low", "medium", "high", "critical")
"""From the best to the worst."""

LINES = {"critical": (0.50, 0.80), "high": (0.20, 0.50), "medium": (0.05, 0.20)}
"""Grade -> success from which it is given: targeted, untargeted."""

GAP = 0.05
"""An inheritance gap below it is none."""

GENERIC = 0.10
"""A gap whose whole interval lies below it leaves nothing that could be the teacher's: the weakness is generic."""


@dataclass(frozen=True)
class Graded:
    """A grade with its reason.

    Attributes:
        grade: one of ``GRADES``.
        because: sentences.
    """

    grade: str
    because: tuple[str, ...]


def rule(unit: str, budget: float) -> str:
    """The rule in a sentence."""
    lines = "; ".join(f"{name}: targeted >= {t:.0%} or untargeted >= {u:.0%}" for name, (t, u) in LINES.items())  # fmt: skip
    return (
        f"Teacher-only success at {budget:g}{unit}, lower end of the 95 % interval, worst attack: {lines}; low: below. "
        f"One grade better where the whole interval of the inheritance gap is below {100 * GENERIC:.0f} points: the weakness is then not the teacher's."
    )


def grade(targeted: float, untargeted: float, gap: float | None) -> Graded:
    """The grade of two success rates and the gap.

    Args:
        targeted, untargeted: 0..1, of teacher-only attacks, as sure as they are to be counted (the end of an interval).
        gap: teacher-crafted minus control-crafted success, 0..1, at the upper end of its interval; None if there was no
            control, or if it shall not count.

    Example:
        >>> grade(0.6, 0.9, 0.8).grade
        'critical'
    """
    found = next((n for n, (t, u) in LINES.items() if targeted >= t or untargeted >= u), "low")
    said = [
        f"at least {targeted:.0%} targeted and {untargeted:.0%} untargeted by the 95 % intervals"
    ]
    if gap is not None and gap < GENERIC and found != "low":
        better = GRADES[GRADES.index(found) - 1]
        said.append(f"a control does as well (gap at most {100 * gap:.0f} points), so {found} becomes {better}: the weakness is generic")  # fmt: skip
        found = better
    return Graded(found, tuple(said))
