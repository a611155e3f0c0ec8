"""What each cut would cost on this machine: operations times what was measured here, and bytes on disk."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from tutelage.features.choice import speed
from tutelage.network.decision import mode_of
from tutelage.training.lesson import Lesson
from tutelage.training.pace import remembered_rate

BACKWARD = 3.0
"""A training step costs as much as three passes forwards: one there, two back."""

START = 3.0
"""Seconds that tuning needs before its first step: importing PyTorch, the graph, the first allocation."""


@dataclass(frozen=True)
class Cost:
    """The price of one cut, beyond the pass that advice needs anyway.

    Attributes:
        cut: K.
        seconds: to extract what crosses the cut and to tune what follows; 0 for a head alone.
        megabytes: of activations kept on disk, the features' among them.
        memory: megabytes that the process is expected to take while it works.
    """

    cut: int
    seconds: float
    megabytes: float
    memory: float

    def row(self) -> dict[str, Any]:
        """For tables."""
        return {"seconds": self.seconds, "megabytes": self.megabytes, "memory": self.memory}


def cost(lesson: Lesson, cut: int) -> Cost:
    """Estimate one cut's price for the lesson's training items.

    Seconds are rounded to half-octaves, so that noise of the measurement decides nothing.
    """
    n, depth = len(lesson.parts.train), lesson.depth
    recipe = lesson.recipe(mode_of(cut, depth))
    features = n * lesson.views * lesson.activations.extractor(depth).row_bytes
    if cut == depth:
        return Cost(cut, 0.0, features / 1e6, 600.0)
    rows = n * recipe.views
    seconds = START + rows / pass_rate(lesson) + n * recipe.epochs / step_rate(lesson, cut)
    area = lesson.activations.extractor(cut).area
    batch = recipe.batch * sum(math.prod(stage.shape) for stage in lesson.teacher.card.stages[cut:])
    disk = features + rows * lesson.activations.extractor(cut).row_bytes
    return Cost(cut, half_octave(seconds), disk / 1e6, 900.0 + batch * 4 * 8 * area / 1e6)


def pass_rate(lesson: Lesson) -> float:
    """Images a second through the frozen backbone in its engine."""
    return max(1e-3, speed(lesson.teacher, lesson.activations.spec, lesson.activations.engine))


def step_rate(lesson: Lesson, cut: int) -> float:
    """Images a second through a training step of the stages after a cut.

    As measured when such a tail was first tuned on this machine; before that, from the rate of eager PyTorch
    forwards and the tail's share of the work.
    """
    kept = remembered_rate(lesson, cut)
    if kept is not None:
        return kept
    share = max(0.02, 1.0 - lesson.teacher.card.share(cut))
    plain = replace(lesson.activations.engine, name="torch", precision="f32")
    eager = speed(lesson.teacher, lesson.activations.spec, plain)
    return max(1e-3, eager / (BACKWARD * share))


def half_octave(seconds: float) -> float:
    """The nearest power of the square root of two."""
    return float(2 ** (round(2 * math.log2(max(seconds, 2**-10))) / 2))
