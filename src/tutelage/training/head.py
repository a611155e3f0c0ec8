"""The head on frozen features: fitted in closed form, judged by leaving items out."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.heads.choose import HeadChoice, fit_heads
from tutelage.heads.reject import RejectRule, fit_reject
from tutelage.training.lesson import Lesson


def fit_head(lesson: Lesson, indices: Sequence[int]) -> HeadChoice:
    """The best closed-form (or refined) head for some training items, by left-out log-loss."""
    with lesson.run.phase("features"):
        rows = lesson.training_rows(indices)
    with lesson.run.phase("head"):
        return fit_heads(rows, classes=len(lesson.classes))


def probe(lesson: Lesson) -> HeadChoice:
    """The head on all training items; asked twice, fitted once."""
    if lesson.parts.train not in lesson.probes:
        lesson.probes[lesson.parts.train] = fit_head(lesson, lesson.parts.train)
    return lesson.probes[lesson.parts.train]


def fit_reject_rule(lesson: Lesson, indices: Sequence[int], choice: HeadChoice) -> RejectRule:
    """The score for "none of these" and its threshold, from left-out training items."""
    rows = lesson.training_rows(indices)
    with lesson.run.phase("reject"):
        return fit_reject(rows, choice.head, left_out_logits=choice.left_out_logits)
