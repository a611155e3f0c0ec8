"""A contender: one candidate teacher, loaded and measured on the items of a round, and what that told."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutelage.advisor.contest import Bools, Trial
from tutelage.data import Checked, Parts
from tutelage.errors import TeacherError, TrainingError, TutelageError
from tutelage.evaluation.metrics import wilson
from tutelage.files import cache_root
from tutelage.heads.choose import fit_heads
from tutelage.run import Run
from tutelage.runtime import MachineProfile, cores, host
from tutelage.teachers import Asked, Teacher, load_teacher
from tutelage.training import FitOptions, Lesson, fetching, open_lesson

PROBE = 48
"""Items that tell a teacher's pace, where time is limited."""


@dataclass
class Contender:
    """A candidate, and what is known of it so far.

    Attributes:
        error: why it cannot teach.
        correct: whether each left-out item of the last round is right.
        prior, score: see ``contest``.
        gmacs: 1e9 multiply-accumulates an image, at the size that is looked at; 0 if unknown.
        cost: seconds an image, in half octaves.
        pace: images a second, as last measured; None if all was in the cache.
        head: seconds that fitting the head took.
        seconds: that it took in all.
        why: it was dropped, or did not win.
    """

    asked: Asked
    teacher: Teacher | None = None
    error: TutelageError | None = None
    correct: Bools | None = None
    prior: float | None = None
    score: float | None = None
    gmacs: float = 0.0
    cost: float | None = None
    pace: float | None = None
    head: float = 0.0
    seconds: float = 0.0
    why: str = ""

    @property
    def name(self) -> str:
        """Of the teacher, or as it was asked for."""
        return self.teacher.card.name if self.teacher else self.asked.weights or self.asked.name

    @property
    def standing(self) -> bool:
        """Was it measured, and not dropped?"""
        return self.correct is not None and not self.why

    def told(self) -> str:
        """How it did."""
        if self.correct is None or not len(self.correct):
            return "not measured"
        low, high = wilson(int(self.correct.sum()), len(self.correct))
        return f"right on {self.correct.mean():.1%} of {len(self.correct)} left-out training items ({low:.1%} to {high:.1%})"

    def row(self, chosen: bool) -> dict[str, Any]:
        """A row of the table, ready for JSON."""
        n, right = (0, 0) if self.correct is None else (len(self.correct), int(self.correct.sum()))
        low, high = wilson(right, n) if n else (None, None)
        return {
            "teacher": self.name, "items": n, "accuracy": right / n if n else None, "low": low, "high": high,
            "prior": self.prior, "score": self.score, "images_per_second": self.pace, "seconds": round(self.seconds, 3),
            "gmacs": self.gmacs or None, "chosen": chosen, "because": "chosen" if chosen else self.why,
        }  # fmt: skip


@dataclass(frozen=True)
class Allowance:
    """The time for choosing: when it ends, on the clock of ``time.monotonic``, and how it is told."""

    until: float
    told: str

    @property
    def left(self) -> float:
        """Seconds; below zero if it is overdrawn."""
        return self.until - time.monotonic()


@dataclass(frozen=True)
class Contest:
    """What all rounds share."""

    checked: Checked
    parts: Parts
    options: FitOptions
    run: Run
    allowance: Allowance
    entered: tuple[Contender, ...]

    @property
    def standing(self) -> list[Contender]:
        """Those that were measured and not dropped."""
        return [contender for contender in self.entered if contender.standing]


def load(contest: Contest, contender: Contender) -> bool:
    """Load a candidate, or note why it cannot teach."""
    modality, line = contest.checked.dataset.modality, fetching(contest.run)
    try:
        contender.teacher = load_teacher(contender.asked, modality, line)
    except TutelageError as error:
        contender.error, contender.why = error, f"it cannot be had: {error.given}"
    return contender.teacher is not None


def look(contest: Contest, contender: Contender, items: Sequence[int]) -> None:
    """Let a loaded teacher look at some items, or note why it did not."""
    began = time.monotonic()
    try:
        _measure(contest, contender, items)
    except (TeacherError, TrainingError) as error:
        contender.error, contender.why = error, f"it failed: {error.given}"
    contender.seconds += time.monotonic() - began
    contest.run.log({key: value for key, value in contender.row(False).items() if key != "chosen"})


def _measure(contest: Contest, contender: Contender, items: Sequence[int]) -> None:
    assert contender.teacher is not None
    inner = contest.run.inner()
    with open_lesson(contest.checked, contest.parts, contender.teacher, contest.options, inner) as lesson:  # fmt: skip
        contender.gmacs = _gmacs(lesson)
        if not _fits(contest.allowance, contender, lesson, items):
            return
        rows = lesson.training_rows(items, 1)
        began = time.monotonic()
        choice = fit_heads(rows, classes=len(lesson.classes), budget=0)
        contender.head = time.monotonic() - began
        contender.pace = _pace(lesson.run) or contender.pace
        contender.cost = _cost(lesson, contender.pace)
    right = choice.left_out_logits.argmax(1) == choice.left_out_truth
    contender.correct = np.asarray(right if choice.table else right[:0])


def _fits(allowance: Allowance, contender: Contender, lesson: Lesson, items: Sequence[int]) -> bool:  # fmt: skip
    """Whether the first look fits into the time, as a few items tell; noted if not."""
    if math.isinf(allowance.until) or contender.correct is not None:
        return True
    lesson.readable(lesson.depth, items[:PROBE], 1)
    contender.pace = _pace(lesson.run)
    needed = expected(contender, len(items) - len(items[:PROBE]))
    if needed <= allowance.left:
        return True
    contender.why = f"not tried: {len(items)} items at {contender.pace:.3g} a second do not fit into the time for choosing ({allowance.told})"
    return False


def _pace(run: Run) -> float | None:
    """Items a second, decoding included; None if all was in the cache."""
    seconds = sum(pace.seconds for pace in run.paces.values())
    return sum(pace.items for pace in run.paces.values()) / seconds if seconds > 0 else None


def _gmacs(lesson: Lesson) -> float:
    """1e9 multiply-accumulates an image, at the size that is looked at."""
    card = lesson.teacher.card
    return card.macs / 1e9 * (lesson.activations.spec.size / card.spec.size) ** 2


def _cost(lesson: Lesson, pace: float | None) -> float | None:
    """Seconds an image, as first measured on this machine, in half octaves; None if never measured."""
    profile = MachineProfile(cache_root() / "machine.json")
    extractor = lesson.activations.extractor(lesson.depth)
    question = f"images|{host()['processor']}|{cores()}|{extractor.digest}"
    known = profile.recall(question, lambda: pace) if pace else profile.known(question)
    return float(2.0 ** (-round(2 * math.log2(known)) / 2)) if known else None


def expected(contender: Contender, size: int) -> float:
    """Seconds to look at so many items in all, as far as is known.

    Nothing for looking where all was in the cache so far. A head takes between once and twice the power of
    the items, as its features are fewer or more.
    """
    seen = len(right_of(contender))
    looking = max(0, size - seen) / contender.pace if contender.pace else 0.0
    return looking + (contender.head * (size / seen) ** 1.5 if seen else 0.0)


def trials_of(standing: Sequence[Contender]) -> list[Trial]:
    """Costs as measured, where all were; else by the number of operations."""
    measured = all(contender.cost for contender in standing)
    return [
        Trial(c.name, right_of(c), _top1(c), (c.cost if measured else c.gmacs) or 1e-9)
        for c in standing
    ]


def right_of(contender: Contender) -> Bools:
    """What it had right, of nothing if it was not measured."""
    return np.zeros(0, bool) if contender.correct is None else contender.correct


def _top1(contender: Contender) -> float | None:
    top1 = contender.teacher.card.top1 if contender.teacher else None
    return None if top1 is None else top1 / 100
