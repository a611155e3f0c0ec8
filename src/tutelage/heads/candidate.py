"""A candidate: a fitted head with what it says about items that it did not see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.evaluation.calibration import fit_temperature, negative_log_likelihood
from tutelage.evaluation.metrics import wilson
from tutelage.heads.coordinates import Coordinates
from tutelage.heads.groups import folds
from tutelage.heads.linear import LinearHead, linear_head
from tutelage.heads.path import Path, left_out
from tutelage.heads.rows import ArrayRows, TrainingRows

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

WORST = 27.6
"""Nats that one item costs at most (a probability of 1e-12), as in ``evaluation.metrics``."""

STEPS = tuple(10.0 ** (k / 2) for k in range(-4, 7))
"""Penalties, in units of the mean eigenvalue of the scatter: half decades from 0.01 to 1,000."""


ALIKE = 0.9
"""Share of what is answerable that must be so in a part of the items too."""

ENOUGH = 2_000
"""Items on which penalties are compared where there are twice as many: each left out of the fit on all, as ever."""


@dataclass(frozen=True)
class Candidate:
    """A head that could ship.

    Attributes:
        head: with its temperature.
        logits: (S, C) of the scored items, each judged without its group.
        surprise: (A,) minus the log-probability of the truth, of the items that can be judged.
        correct: (A,) whether those are right.
    """

    head: LinearHead
    logits: Floats
    surprise: Floats
    correct: Bools

    @property
    def log_loss(self) -> float:
        """Mean surprise, in nats."""
        return float(self.surprise.mean())

    def row(self) -> dict[str, Any]:
        """A row of the table of candidates, ready for JSON."""
        right, n = int(self.correct.sum()), len(self.correct)
        low, high = wilson(right, n)
        return {
            "head": self.head.kind, "penalty": self.head.penalty, "accuracy": right / n,
            "low": low, "high": high, "log_loss": self.log_loss,
        }  # fmt: skip


def judged(head: LinearHead, logits: Floats, truth: npt.NDArray[np.int64], answerable: Bools) -> Candidate:  # fmt: skip
    """A candidate, its temperature fitted on its own left-out logits (Guo et al. 2017).

    Args:
        head: fitted on all rows.
        logits: (S, C) left-out logits of the same kind of head.
        truth: (S,).
        answerable: (S,) items whose class is still there when their group is left out.
    """
    told, right = logits[answerable], truth[answerable]
    temperature, surprise = _calibrated(told, right)
    return Candidate(replace(head, temperature=temperature), logits, surprise, told.argmax(1) == right)  # fmt: skip


def _calibrated(logits: Floats, truth: npt.NDArray[np.int64]) -> tuple[float, Floats]:
    """The temperature of left-out logits (A, C), and with it minus the log-probability of the truth (A,)."""
    temperature = fit_temperature(logits, truth)
    return temperature, np.minimum(negative_log_likelihood(logits / temperature, truth), WORST)


def best_of(path: Path, truth: npt.NDArray[np.int64], answerable: Bools) -> Candidate:
    """The penalty of a path with the least left-out log-loss."""
    return best_of_each([path], truth, answerable)[0]


def best_of_each(paths: Sequence[Path], truth: npt.NDArray[np.int64], answerable: Bools) -> list[Candidate]:  # fmt: skip
    """Of each path the penalty with the least left-out log-loss; of many items that on about ``ENOUGH`` of them.

    Args:
        paths: of the same coordinates, each with one penalty or all with equally many.
        truth, answerable: see ``judged``.
    """
    if len(truth) <= 2 * ENOUGH or paths[0].coordinates.held is not None:
        return [min(_judged_all(p, truth, answerable), key=lambda c: c.log_loss) for p in paths]
    best = _compared_on_some(paths)
    told = left_out(paths, [slice(k, k + 1) for k in best])
    return [judged(path.head(k), logits, truth, answerable) for path, k, (logits,) in zip(paths, best, told, strict=True)]  # fmt: skip


def _judged_all(path: Path, truth: npt.NDArray[np.int64], answerable: Bools) -> Iterator[Candidate]:
    for k in range(len(path.penalties)):
        yield judged(path.head(k), path.leave_one_out(k), truth, answerable)


def _compared_on_some(paths: Sequence[Path]) -> list[int]:
    """The best penalty of each path on about ``ENOUGH`` of its items."""
    some = some_of(paths[0].coordinates.data, ENOUGH)
    truth, answerable = some.truth[some.scored], answerable_items(some)
    losses: dict[int, list[float]] = {k: [] for k, p in enumerate(paths) if len(p.penalties) > 1}
    few = [paths[k].on(some) for k in losses]
    for chunk in few[0].chunks if few else ():
        for known, told in zip(losses.values(), left_out(few, [chunk] * len(few)), strict=True):
            found = (_calibrated(logits[answerable], truth[answerable])[1] for logits in told)
            known += [float(surprise.mean()) for surprise in found]
    return [int(np.argmin(losses[k])) if k in losses else 0 for k in range(len(paths))]


def some_of(data: TrainingRows, items: int) -> TrainingRows:
    """About so many items, dealt evenly over the classes, groups whole; more where these would tell nothing left out.

    Of a few large groups a part may be a single one, or one a class: then there is nothing to judge it by.
    """
    many = int(np.ceil(int(data.scored.sum()) / items))
    while many > 1:
        part = _part(data, folds(data.groups, data.truth, many) == 0)
        if answerable_items(part).mean() >= ALIKE * answerable_items(data).mean() and (part.groups != part.groups[0]).any():  # fmt: skip
            return part
        many //= 2
    return data


def _part(data: TrainingRows, chosen: Bools) -> TrainingRows:
    start, kept = 0, []
    for block in data.rows:
        kept.append(block[chosen[start : start + len(block)]])
        start += len(block)
    return TrainingRows(
        ArrayRows(np.concatenate(kept)), data.targets[chosen], data.groups[chosen], data.scored[chosen], data.weights[chosen], data.wear,
    )  # fmt: skip


def average(first: Candidate, second: Candidate, truth: npt.NDArray[np.int64], answerable: Bools) -> Candidate:  # fmt: skip
    """The mean of two calibrated heads' logits: again a linear head, and exactly left out again.

    Args:
        first, second: on the same scaling.
        truth, answerable: see ``judged``.
    """
    one, two = first.head, second.head
    weight = (one.weight / one.temperature + two.weight / two.temperature) / 2
    bias = (one.bias / one.temperature + two.bias / two.temperature) / 2
    logits = (first.logits / one.temperature + second.logits / two.temperature) / 2
    head = linear_head(f"{one.kind} + {two.kind}", weight, bias, one.scaling, two.penalty)
    return judged(head, logits, truth, answerable)


def penalties(coordinates: Coordinates, steps: Sequence[float] = STEPS) -> tuple[float, ...]:
    """Absolute penalties for ridge and LDA: fixed once, from all rows, before anything is left out."""
    stats = coordinates.statistics
    mean = stats.sum / stats.total
    scatter = float(np.trace(stats.outer)) - stats.total * float(mean @ mean)
    unit = max(scatter, 1e-12) / coordinates.data.rows.shape[1]
    return tuple(unit * step for step in steps)


def answerable_items(data: TrainingRows) -> Bools:
    """Scored items (S,) whose class has a weighing row in another group: the others nobody can get right."""
    weighs = data.weights > 0
    pairs = np.unique(np.stack([data.truth[weighs], data.groups[weighs]]), axis=1)
    several = np.bincount(pairs[0], minlength=data.targets.shape[1]) > 1
    return np.asarray(several[data.truth[data.scored]])
