"""Another student, shown the very windows that were crafted for this one's teacher: from scratch, say, as a control."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tutelage.errors import UsageError
from tutelage.security.inquiry import Inquiry, pair
from tutelage.security.mimicry import UNTARGETED, Goal
from tutelage.security.rows import Row
from tutelage.security.subject import Subject
from tutelage.student import load

GOALS: tuple[Goal, ...] = ("copy", "copy away")


def beside_rows(inquiry: Inquiry, folder: str | Path) -> Iterator[Row]:
    """Copies at the headline cut and the graded budget, on the items that the other gets right.

    Raises:
        UsageError: it has other classes or looks at items differently.
    """
    other, own = load(folder), inquiry.subject.student
    if other.facts.classes != own.facts.classes or other.facts.spec != own.facts.spec:
        raise UsageError(
            "unlike", given=f"--beside {folder}, a student of other classes or another input", expected="a student of the same data and input",
            next="Take an arm of a comparison: tutelage compare RUN, then --beside runs/compare/NAME/arms/scratch-seed-0",
        )  # fmt: skip
    asked = replace(inquiry, subject=Subject(other, inquiry.subject.teacher, inquiry.subject.told))
    graded, cut, name = (
        inquiry.perturb.graded,
        inquiry.headline,
        f"{other.facts.mode} student beside",
    )
    for goal in GOALS:
        made = inquiry.crafter().craft(inquiry.items, goal, cut, inquiry.reads(), graded, inquiry.pursuit(goal))  # fmt: skip
        rows = pair(asked, f"beside: {goal}", "control", made["windows"], graded, cut=cut, on=name)
        yield from rows[1:] if goal in UNTARGETED else rows
