"""Adaptive attacks: an adversary who knows of the defence tries what it was not trained on.

Fresh items, targets and starts; another optimiser; a cut and a budget that no twin was made with; and several cuts at
once. Where a student undoes edits before it reads, the same is tried on what is left after that too. The adversary still
has the teacher alone. Figures are told at their worst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from tutelage.security.examiner import Examiner
from tutelage.security.inquiry import Inquiry
from tutelage.security.judged import Siege
from tutelage.security.mimicry import UNTARGETED, Goal
from tutelage.security.pursuit import Pursuit
from tutelage.security.subject import Subject
from tutelage.student import Student

BEYOND = 1.5
"""Times the graded budget: a budget that no twin has."""


@dataclass(frozen=True)
class Plan:
    """One adaptive attack."""

    goal: Goal
    cut: int
    budget: float
    how: str
    pursuit: Pursuit


def plan(inquiry: Inquiry, trained_cuts: Sequence[int]) -> list[Plan]:
    """What is tried.

    Args:
        inquiry: on the parent, with a fresh seed.
        trained_cuts: cuts that twins were made at.
    """
    graded, depth, steps = inquiry.perturb.graded, inquiry.subject.depth, inquiry.preset.steps
    other = next((k for k in range(depth - 1, 0, -1) if k not in trained_cuts and inquiry.subject.teacher.card.stages[k - 1].parameters), depth)  # fmt: skip
    sign, adam = Pursuit(steps), Pursuit(steps, optimiser="adam")
    away = Pursuit(steps, start=0.5)
    if inquiry.perturb.search is not None:
        return [
            Plan("copy", depth, graded, "fresh items, targets and own head", sign),
            Plan("copy away", depth, graded, "fresh items and own head", sign),
            Plan("displace", depth, graded, "nothing imitated", sign),
            Plan("copy away", other, graded, "another cut", sign),
            Plan("copy away", depth, BEYOND * graded, "a larger budget", sign),
        ]
    return [
        Plan("copy", depth, graded, "fresh items, targets and own head", sign),
        Plan("copy away", depth, graded, "fresh items and own head", sign),
        Plan("copy away", depth, graded, "another optimiser", adam),
        Plan("mimic one", depth, graded, "one item imitated", sign),
        Plan("copy", other, graded, "a cut without twins", sign),
        Plan("copy", depth, BEYOND * graded, "a budget without twins", sign),
        Plan("copy away", depth, BEYOND * graded, "a budget without twins", away),
    ]


def besiege(inquiry: Inquiry, students: Sequence[Student], plans: Sequence[Plan]) -> list[Siege]:
    """Every plan against the parent and each hardened student, on items that all of them get right."""
    examiners = [inquiry.examiner, *(Examiner(Subject(s, inquiry.subject.teacher, ""), inquiry.items) for s in students)]  # fmt: skip
    right: npt.NDArray[np.bool_] = np.logical_and.reduce([e.right for e in examiners])
    found = []
    specs = dict.fromkeys([inquiry.subject.student.facts.spec, *(s.facts.spec for s in students)])
    for each, spec in product(plans, specs):
        own = spec == inquiry.subject.student.facts.spec
        how = each.how if own else f"{each.how}; crafted on what is restored"
        crafter = replace(replace(inquiry, optimiser=each.pursuit.optimiser).crafter(), spec=spec)
        windows = crafter.craft(inquiry.items, each.goal, each.cut, inquiry.reads(), each.budget, each.pursuit, inquiry.told(f"adaptive: {each.goal} at cut {each.cut}, {how}"))["windows"]  # fmt: skip
        told = [e.answers(windows) for e in examiners]
        for targeted in (False,) if each.goal in UNTARGETED else (True, False):
            shares = [e.hits(t, targeted)[right] for e, t in zip(examiners, told, strict=True)]
            found.append(Siege(each.goal, each.cut, each.budget, targeted, how, shares[0], np.stack(shares[1:])))  # fmt: skip
    return found
