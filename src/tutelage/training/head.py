"""The head on frozen features: fitted in closed form, judged by leaving items out."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from tutelage.features.activations import FeatureRows
from tutelage.heads.choose import HeadChoice, fit_heads
from tutelage.heads.eigen import takes_long, threads_for
from tutelage.heads.reject import RejectRule, fit_reject
from tutelage.heads.rows import TrainingRows
from tutelage.teachers.cuts import tapped
from tutelage.training.lesson import Lesson


def fit_head(lesson: Lesson, indices: Sequence[int]) -> HeadChoice:
    """The best closed-form (or refined) head for some training items, by left-out log-loss.

    A head that reads all tapped stages side by side is tried too (Head2Toe: Evci et al., ICML 2022), and
    taken if its left-out log-loss is lower.
    """
    with lesson.run.phase("features"):
        rows = lesson.training_rows(indices, wear=True)
    with lesson.run.phase("head"):
        reads = tapped(lesson.teacher.card)
        if not reads:
            return fit_heads(rows, classes=len(lesson.classes))
        narrow, wide = _both(
            lesson, rows, lesson.training_rows(indices, reads=reads, wear=True), reads
        )
        better, why = _wider(narrow, wide)
        chosen = wide if better else narrow
        return replace(chosen, because=(*chosen.because, why))


def _both(lesson: Lesson, narrow: TrainingRows, wide: TrainingRows, reads: tuple[int, ...]) -> tuple[HeadChoice, HeadChoice]:  # fmt: skip
    """Both heads beside each other, each on one thread (there are two cores even in a laptop); long ones one by one."""
    widths = wide.rows.widths if isinstance(wide.rows, FeatureRows) else ()
    classes = len(lesson.classes)
    if takes_long(*wide.rows.shape):
        last = fit_heads(narrow, classes=classes)
        return last, replace(fit_heads(wide, classes=classes, blocks=widths), reads=reads)
    with threads_for(*wide.rows.shape), ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(fit_heads, wide, classes=classes, blocks=widths)
        return fit_heads(narrow, classes=classes), replace(waiting.result(), reads=reads)


def _wider(narrow: HeadChoice, wide: HeadChoice) -> tuple[bool, str]:
    """Whether the wide head tells left-out items better, and a sentence."""
    if not (wide.table and narrow.table):
        return False, "no item can be left out: the last stage alone is read"
    losses = [float(np.mean(choice.surprise)) for choice in (wide, narrow)]
    better = losses[0] < losses[1]
    told = f"a head on all {len(wide.reads) + 1} stages has a left-out log-loss of {losses[0]:.3f}, one on the last stage {losses[1]:.3f}"
    return better, told if better else f"{told}: the last stage alone is read"


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
