"""Which teacher: measured by successive halving on a subset of the training items, over a weak prior.

1. The subset: ``n0 = min(N, max(20 C, 500), 2000)`` items, every class in its share. Each teacher looks
   at a quarter of it; those that stay (``contest``) look at all of it (halving: Karnin et al., ICML 2013).
2. What is measured is the left-out accuracy of the head that would ship without tuning. What a teacher
   saw goes into the cache that the fit reads: of the winner nothing is computed twice.
3. Costs are images a second as first measured on this machine, kept in its profile and rounded to half
   octaves, so that the same choice is made again.
4. No more than a share of the budget is spent: no teacher and no round is begun that would not fit, as far
   as what went before tells. A round that the time ends in the middle does not count.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.advisor.contender import (
    Allowance,
    Contender,
    Contest,
    expected,
    load,
    look,
    right_of,
    trials_of,
)
from tutelage.advisor.contest import dropped, leader, priors, scores
from tutelage.advisor.shortlist import parse_teachers
from tutelage.advisor.subset import rounds_of, subset
from tutelage.data import Checked, Parts
from tutelage.run import Run
from tutelage.teachers import Asked, Teacher
from tutelage.training import Chosen, FitOptions


@dataclass(frozen=True)
class TeacherChoice:
    """The chosen teacher with its receipt.

    Attributes:
        teacher: loaded.
        because: sentences.
        table: a row a candidate, in the order in which they were asked for.
    """

    teacher: Teacher
    because: tuple[str, ...]
    table: tuple[dict[str, Any], ...]

    @property
    def told(self) -> Chosen:
        """What the lesson keeps of it."""
        return Chosen(self.because, self.table)


def choose_teacher(
    candidates: Sequence[Asked], checked: Checked, parts: Parts, options: FitOptions, run: Run,
    *, share: float = 0.25, seconds: float | None = None,
) -> TeacherChoice:  # fmt: skip
    """The teacher to learn from, of some candidates.

    A candidate that cannot be had, or does not look at such data, is dropped and named. A single one is
    loaded and not measured.

    Args:
        candidates: at least one; see ``shortlist.parse_teachers``.
        share: of the budget, for choosing.
        seconds: the budget; ``options.time_limit`` if None. Without either, time is not limited.

    Raises:
        TutelageError: what the first candidate raised, where none can teach.

    Example:
        >>> choice = choose_teacher(parse_teachers("auto"), checked, parts, options, run)  # doctest: +SKIP
        >>> choice.teacher.card.name, choice.because  # doctest: +SKIP
    """
    budget = options.time_limit if seconds is None else seconds
    limit = math.inf if budget is None else share * budget
    told = "" if budget is None else f"{limit:.3g} s, {share:.0%} of {budget:.3g} s"
    entered = tuple(Contender(asked) for asked in candidates)
    with run.phase("teachers"):
        contest = Contest(
            checked, parts, options, run, Allowance(time.monotonic() + limit, told), entered
        )
        return _decided(contest, _held(contest))


def _held(contest: Contest) -> list[str]:
    """Hold every round that the time allows; what is to be said of them."""
    if len(contest.entered) == 1:
        load(contest, contest.entered[0])
        return []
    order = subset(contest.checked, contest.parts.train)
    first, *later = rounds_of(len(order), len(contest.checked.dataset.classes))
    _first_round(contest, order[:first])
    _judge(contest.standing, len(order))
    for size in later:
        if len(contest.standing) < 2:
            break
        if why := _next_round(contest, order[:size]):
            return [why]
        _judge(contest.standing, len(order))
    return []


def _first_round(contest: Contest, items: Sequence[int]) -> None:
    """Load and measure one candidate after the other, so that a short time has told of some.

    None is begun that would not fit if it took as long as the slowest so far.
    """
    slowest = 0.0
    for contender in contest.entered:
        if contest.allowance.left <= slowest:
            contender.why = f"not tried: too little was left of the time for choosing ({contest.allowance.told})"
            continue
        began = time.monotonic()
        if load(contest, contender):
            look(contest, contender, items)
        contender.seconds = time.monotonic() - began
        slowest = max(slowest, contender.seconds)


def _next_round(contest: Contest, items: Sequence[int]) -> str:
    """Measure all that stay on more items; or say why the round before decides."""
    standing, allowance = contest.standing, contest.allowance
    needed = sum(expected(contender, len(items)) for contender in standing)
    why = f"the time for choosing ({allowance.told}) allowed no more than {len(right_of(standing[0]))} items a teacher"
    if needed > allowance.left:
        return why
    before = [contender.correct for contender in standing]
    for contender in standing:
        look(contest, contender, items)
        if allowance.left <= 0 and contender is not standing[-1]:
            for one, correct in zip(standing, before, strict=True):
                one.correct = correct
            return why
    return ""


def _judge(standing: Sequence[Contender], whole: int) -> None:
    """Score those that stay, and drop whom the rules drop."""
    if not standing:
        return
    trials = trials_of(standing)
    told = zip(standing, priors(trials), scores(trials), strict=True)
    for contender, prior, score in told:
        contender.prior, contender.score = prior, score
    for index, why in dropped(trials, whole).items():
        standing[index].why = f"dropped: {why}"


def _decided(contest: Contest, told: Sequence[str]) -> TeacherChoice:
    """The winner, what is said for it and of the others."""
    winner = _winner(contest)
    for other in contest.standing:
        if other is not winner:
            other.why = f"score {other.score:.3f}, {winner.name} {winner.score:.3f}"
    others = [f"{c.name}: {c.why}" for c in contest.entered if c is not winner]
    table = tuple(contender.row(contender is winner) for contender in contest.entered)
    assert winner.teacher is not None
    return TeacherChoice(winner.teacher, (_praise(contest, winner), *told, *others), table)


def _winner(contest: Contest) -> Contender:
    """The best score; where nobody was measured, the first that can be had.

    Raises:
        TutelageError: nobody can teach; what the first one raised.
    """
    standing = contest.standing
    if standing:
        return standing[leader(trials_of(standing))]
    for contender in contest.entered:
        if contender.error is None and (contender.teacher or load(contest, contender)):
            return contender
    raise next(c.error for c in contest.entered if c.error)


def _praise(contest: Contest, winner: Contender) -> str:
    if len(contest.entered) == 1:
        return f"{winner.name} was the only teacher asked for"
    if winner.correct is None:
        return f"{winner.name} is the first of {len(contest.entered)} teachers: none could be measured in the time for choosing ({contest.allowance.told})"
    if not len(winner.correct):
        return f"{winner.name} is taken of {len(contest.entered)} teachers by published accuracy and cost: no class has an item to leave out"
    return f"{winner.name} is taken of {len(contest.entered)} teachers: {winner.told()}; score {winner.score:.3f}, shrunken towards what is published"


def take(options: FitOptions) -> Asked:
    """The teacher to open the data with: the one that was asked for; of several, none of them yet."""
    return Asked(channels=options.channels) if options.teachers else options.asked


def settle(teacher: Teacher, options: FitOptions, checked: Checked, parts: Parts, run: Run) -> TeacherChoice:  # fmt: skip
    """The teacher to learn from: the given one, or the best of those that ``--teachers`` names."""
    if not options.teachers:
        return TeacherChoice(teacher, (), ())
    return choose_teacher(
        parse_teachers(options.teachers, options.asked, checked.dataset.modality),
        checked,
        parts,
        options,
        run,
    )
