"""A time limit as a budget: what is left for what, and what is dropped when it is short.

Dropped in this order, and said: tuning (the advisor's and the loop's business), random views, training
items. What must always fit is one plain pass over a part of the items, a head, the test and saving.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tutelage.data import Checked, Parts, thin
from tutelage.features.choice import speed
from tutelage.run import Run
from tutelage.training.options import FitOptions

if TYPE_CHECKING:
    from tutelage.training.lesson import Lesson

SLOWER = 1.5
"""A pass that decodes too is slower by so much than the engine alone."""

START = 3.0
"""Seconds to compile a tail for the engine, to write and to report."""

HEAD = 1e-8
"""Seconds a row, feature and class that fitting a head takes: a cautious guess, from the slowest of the data sets tried."""

LEAST = 2
"""Training items a class that are always kept."""


@dataclass(frozen=True)
class Plan:
    """What fits.

    Attributes:
        parts: with some training items set aside, if they had to be.
        views: rows an item.
        dropped: sentences.
    """

    parts: Parts
    views: int
    dropped: tuple[str, ...] = ()


def left(options: FitOptions, run: Run) -> float:
    """Seconds until the work must be done, what it takes to finish kept back."""
    return options.deadline(run) - time.monotonic()


def after_tuning(lesson: Lesson) -> float:
    """Seconds that a tuned tail needs after its last step: its own pass over training and test items."""
    rate = speed(lesson.teacher, lesson.activations.spec, lesson.activations.engine) / SLOWER
    return START + (len(lesson.parts.test) + len(lesson.parts.train)) / rate


def fit_to_time(parts: Parts, checked: Checked, views: int, rate: float, seconds: float, width: int) -> Plan:  # fmt: skip
    """Views and training items for which a pass and a head fit into some seconds.

    Args:
        views: wished for.
        rate: images a second of the backbone in its engine.
        seconds: left.
        width: D.
    """
    if math.isinf(seconds):
        return Plan(parts, views)
    classes = len(checked.dataset.classes)
    rate = rate / SLOWER
    tested, dropped = len(parts.test) / rate, list[str]()

    def needed(share: float, rows: int) -> float:
        items = share * len(parts.train) * rows
        head = HEAD * items * width * math.sqrt(min(items, width) * classes)
        return tested + items / rate + head

    if needed(1.0, views) > seconds and views > 1:
        dropped.append(
            f"for time, {views - 1} of {views} views of each training item were left out"
        )
        views = 1
    share = _largest([s / 20 for s in range(20, 0, -1)], lambda s: needed(s, views) <= seconds)
    share = max(share, min(1.0, LEAST * classes / max(1, len(parts.train))))
    if share < 1:
        before = len(parts.train)
        parts = thin(parts, checked, share)
        dropped.append(f"for time, {before - len(parts.train)} of {before} training items were left out")  # fmt: skip
    return Plan(parts, views, tuple(dropped))


def _largest(shares: Sequence[float], fits: Callable[[float], bool]) -> float:
    return next((share for share in shares if fits(share)), shares[-1])
