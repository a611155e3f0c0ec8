"""The evidence: what one tapped pass over the training items tells, in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.advisor.curve import Curve, fit_curve
from tutelage.advisor.readings import ALL, Features, Reading, left_out_head, read_stages
from tutelage.advisor.recall import recall
from tutelage.heads.groups import folds
from tutelage.heads.rows import ArrayRows, TrainingRows
from tutelage.teachers.cuts import tapped
from tutelage.training.head import probe
from tutelage.training.lesson import Lesson

LOOKED_AT = 1_000
"""Items that the readings are fitted on at most: their cost stays below a second or two."""

QUARTERS = 4
"""The learning curve's sizes: a quarter, a half and three quarters of the items, and all of them."""

SMALLEST = 5
"""Items a class, on average, in the smallest part of the learning curve."""


@dataclass(frozen=True)
class Evidence:
    """What is known before anything is trained.

    Attributes:
        items: training items that could be read.
        classes: C.
        views: rows an item has.
        accuracy: of the head that would ship on frozen features, left out.
        judged: on so many items.
        log_loss: of the same, in nats.
        head: its kind, and ``reads`` the number of stages that it reads.
        readings: what each tapped stage, the last one, and all of them together tell a linear head.
        curve: how the error of such a head falls with the number of items, or None.
        curve_told: a sentence about that.
    """

    items: int
    classes: int
    views: int
    accuracy: float
    judged: int
    log_loss: float | None
    head: str
    reads: int
    readings: tuple[Reading, ...]
    curve: Curve | None
    curve_told: str

    @property
    def each(self) -> float:
        """Items a class."""
        return self.items / self.classes

    @property
    def error(self) -> float:
        """Standard error of the accuracy, one success and one failure added (Agresti and Coull 1998)."""
        p = (self.accuracy * self.judged + 1) / (self.judged + 2)
        return math.sqrt(p * (1 - p) / (self.judged + 2))

    @property
    def headroom(self) -> float:
        """Share of items that the frozen head gets wrong."""
        return 1.0 - self.accuracy

    @cached_property
    def last(self) -> Reading:
        """The reading of the last stage."""
        return [reading for reading in self.readings if reading.stage != ALL][-1]

    @property
    def middle(self) -> float:
        """Advantage of the middle: the best reading's left-out accuracy minus the last stage's."""
        return max(reading.accuracy for reading in self.readings) - self.last.accuracy

    @property
    def middle_loss(self) -> float:
        """The same in log-loss: nats by which the best reading is better than the last stage."""
        return self.last.log_loss - min(reading.log_loss for reading in self.readings)

    @property
    def gap(self) -> float:
        """Variance gap of the last stage's head."""
        return self.last.gap

    def as_json(self) -> dict[str, Any]:
        """For results, pages and the cache; ``from_json`` is the inverse."""
        derived = {
            "per_class": self.each,
            "headroom": self.headroom,
            "variance_gap": self.gap,
            "middle_advantage": self.middle,
        }
        return {**asdict(self), "readings": [reading.row() for reading in self.readings], **derived}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Evidence:
        """The inverse of ``as_json``."""
        known = {k: value[k] for k in (f.name for f in fields(Evidence))}
        names = [f.name for f in fields(Reading)]
        readings = tuple(
            Reading(**{name: reading[name] for name in names}) for reading in known["readings"]
        )
        return Evidence(
            **{**known, "readings": readings, "curve": known["curve"] and Curve(**known["curve"])}
        )


def evidence_of(lesson: Lesson) -> Evidence:
    """One pass over the training items, and what follows from it in closed form; computed once."""
    return Evidence.from_json(recall(lesson, "evidence", lambda: gather(lesson).as_json()))


def judgeable(lesson: Lesson) -> bool:
    """Whether some class has two groups: else nothing can be left out, and there is no evidence."""
    indices = lesson.readable(lesson.depth, lesson.parts.train)
    pairs = set(zip(lesson.group_numbers(indices).tolist(), lesson.truth(indices).tolist(), strict=True))  # fmt: skip
    return len({label for _, label in pairs}) < len(pairs)


def gather(lesson: Lesson) -> Evidence:
    """The evidence, computed now."""
    choice = probe(lesson)
    with lesson.run.phase("evidence"):
        indices = looked_at(lesson)
        facts = lesson.training_rows(indices, 1)
        stages = stage_features(lesson, indices)
        curve, told = learning_curve(stages[lesson.teacher.card.names[-1]], facts)
        right = choice.left_out_logits.argmax(1) == choice.left_out_truth
        return Evidence(
            len(lesson.readable(lesson.depth, lesson.parts.train)), len(lesson.classes), lesson.views,
            float(right.mean()), len(right), float(choice.surprise.mean()) if choice.table else None,
            choice.head.kind, len(choice.reads) + 1, read_stages(stages, facts), curve, told,
        )  # fmt: skip


def looked_at(lesson: Lesson, most: int = LOOKED_AT) -> tuple[int, ...]:
    """Readable training items, or an even part of them if they are many: classes and groups stay whole."""
    indices = lesson.readable(lesson.depth, lesson.parts.train)
    many = math.ceil(len(indices) / most)
    if many <= 1:
        return indices
    part = folds(lesson.group_numbers(indices), lesson.truth(indices), many)
    return tuple(i for i, number in zip(indices, part.tolist(), strict=True) if number == 0)


def stage_features(lesson: Lesson, indices: Sequence[int]) -> dict[str, Features]:
    """Stage -> pooled features (N, D_k) of the plain views, tapped stages first and the last one last."""
    card = lesson.teacher.card
    wanted = (*tapped(card), len(card.stages))
    return {
        card.names[k - 1]: np.concatenate(list(lesson.activations.tap(k, indices))) for k in wanted
    }


def learning_curve(table: Features, facts: TrainingRows) -> tuple[Curve | None, str]:
    """The curve through heads fitted on a quarter, a half and three quarters, each judged on the rest, and on all.

    Exact: a head at each size is fitted in closed form at the best penalty for its size.
    """
    part = folds(facts.groups, facts.truth, QUARTERS)
    if int(part.max()) + 1 < QUARTERS or len(table) < SMALLEST * QUARTERS * facts.targets.shape[1]:
        return None, f"{len(table) / facts.targets.shape[1]:.0f} items a class are too few for a learning curve"  # fmt: skip
    points = [_point(table, facts, part < k) for k in range(1, QUARTERS)]
    whole = left_out_head(table, facts)
    points.append((len(table), 1 - float(whole.correct.mean()), _error(whole.correct)))
    sizes, errors, deviations = zip(*points, strict=True)
    return fit_curve(sizes, errors, deviations)


def _point(table: Features, facts: TrainingRows, kept: npt.NDArray[np.bool_]) -> tuple[int, float, float]:  # fmt: skip
    """(items, error, its standard error) of a head fitted on some rows and judged on the others."""
    fitted = left_out_head(table[kept], _rows(facts, kept))
    right = fitted.head.logits(table[~kept]).argmax(1) == facts.truth[~kept]
    return int(kept.sum()), 1 - float(right.mean()), _error(right)


def _rows(facts: TrainingRows, kept: npt.NDArray[np.bool_]) -> TrainingRows:
    empty = ArrayRows(np.zeros((int(kept.sum()), 1), np.float32))
    return TrainingRows(empty, facts.targets[kept], facts.groups[kept], facts.scored[kept], facts.weights[kept])  # fmt: skip


def _error(right: npt.NDArray[np.bool_]) -> float:
    p = (right.sum() + 1) / (len(right) + 2)
    return math.sqrt(p * (1 - p) / len(right))
