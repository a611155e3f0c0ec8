"""Multinomial logistic regression, warm-started from a closed-form head, by a few L-BFGS steps.

Minimises ``sum w CE(y, z B + b) + penalty |B|^2 / 2`` (the bias is free): with ``penalty = 1 / C`` the
objective of scikit-learn's ``LogisticRegression(C=C)``. It has no closed form, so nothing is left out
exactly; out-of-fold logits of whole groups are used instead.

Movements that must not matter (``heads.wear``) add ``|E B|^2 / 4``: the curvature of cross-entropy in the logits is at
most a half (Boehning, Annals of the Institute of Statistical Mathematics 44, 1992).

Scaled rows are held once as float32, on which all folds and penalties work; sums are float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tutelage.evaluation.calibration import log_softmax
from tutelage.heads.coordinates import Coordinates
from tutelage.heads.eigen import threads_for
from tutelage.heads.groups import folds
from tutelage.heads.linear import NEVER, LinearHead
from tutelage.heads.rows import Block, TrainingRows
from tutelage.heads.scaling import Scaling
from tutelage.heads.wear import movements

Floats = npt.NDArray[np.float64]

KIND = "logistic"
FOLDS = 5
ITERATIONS = 25
"""L-BFGS steps of a refinement; from a closed-form start later ones change little."""
STEPS = (0.01, 0.1)
"""Penalties that are tried, in units of the mean squared length of a row."""


def refine(head: LinearHead, data: TrainingRows, penalty: float, *, max_iterations: int = ITERATIONS, tolerance: float = 1e-5) -> LinearHead:  # fmt: skip
    """The head after some L-BFGS steps, at temperature 1 (start: the head at its own temperature).

    Args:
        head: where to start, a closed-form head; its scaling is kept.
        data: rows (R, D) with targets (R, C) that sum to one and weights (R,).
        penalty: on the squared weight, absolute; 1 / C of scikit-learn.
        max_iterations: at most so many steps.
        tolerance: stop when no entry of the mean gradient is larger.
    """
    problem = _Problem(
        held(data, head.scaling), data.targets, data.weights, penalty, movements(data, head.scaling)
    )
    return _descended(problem, head, max_iterations, tolerance)


def out_of_fold(starts: Sequence[LinearHead], data: TrainingRows, grid: Sequence[float], *, max_iterations: int = ITERATIONS) -> Floats:  # fmt: skip
    """Logits (L, S, C) of the scored rows at L penalties: ``starts[f]`` is refined without fold f and judges it.

    Args:
        starts: a start for each fold (``groups.folds``), fitted without it, all of one scaling.
        data: all rows.
        grid: the penalties.
        max_iterations: see ``refine``.
    """
    scaled, fold = held(data, starts[0].scaling), folds(data.groups, data.truth, len(starts))
    moved = movements(data, starts[0].scaling)
    found = np.empty((len(grid), int(data.scored.sum()), data.targets.shape[1]))
    for f, start in enumerate(starts):
        rest, judged = fold != f, (fold == f) & data.scored
        rows, targets, weights = scaled[rest], data.targets[rest], data.weights[rest]
        for at, penalty in enumerate(grid):
            problem = _Problem(rows, targets, weights, penalty, moved)
            refined = _descended(problem, start, max_iterations)
            found[at, data.place[judged]] = scaled[judged] @ refined.weight + refined.bias
    return found


def penalties(within: Coordinates) -> tuple[float, ...]:
    """A short grid, in units of the mean squared length of a row."""
    stats = within.statistics
    return tuple(step * float(np.trace(stats.outer)) / stats.total for step in STEPS)


def held(data: TrainingRows, scaling: Scaling) -> Block:
    """All scaled rows (R, D), float32."""
    return np.concatenate([scaling.apply(block).astype(np.float32) for block in data.rows])


def _descended(problem: _Problem, head: LinearHead, max_iterations: int, tolerance: float = 1e-5) -> LinearHead:  # fmt: skip
    from scipy.optimize import minimize

    start = np.concatenate([head.weight, head.bias[None]]) / head.temperature
    start[-1] = np.maximum(start[-1], NEVER)
    with threads_for(*problem.rows.shape):
        found = minimize(
            problem, start.reshape(-1), jac=True, method="L-BFGS-B",
            options={"maxiter": max_iterations, "gtol": tolerance, "ftol": 1e-12, "maxcor": 10},
        )  # fmt: skip
    solved = found.x.reshape(start.shape)
    return replace(head, kind=KIND, weight=solved[:-1], bias=solved[-1], penalty=problem.penalty, temperature=1.0)  # fmt: skip


@dataclass(frozen=True)
class _Problem:
    """Loss and gradient, both divided by the sum of weights, of weight and bias as one flat vector.

    Attributes:
        rows: (R, D) scaled, float32.
        targets: (R, C).
        weights: (R,).
        penalty: on the squared weight.
        moved: E (M, D).
    """

    rows: Block
    targets: Floats
    weights: Floats
    penalty: float
    moved: Floats

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        parameters = flat.reshape(-1, self.targets.shape[1])
        weight, bias = parameters[:-1], parameters[-1]
        logp = log_softmax(self.rows @ weight.astype(np.float32) + bias)
        loss = -float(self.weights @ (self.targets * logp).sum(1))
        answered = self.moved @ weight
        loss += self.penalty / 2 * float(np.square(weight).sum()) + float(np.square(answered).sum()) / 4  # fmt: skip
        error = self.weights[:, None] * (
            np.exp(logp) * self.targets.sum(1, keepdims=True) - self.targets
        )
        slope = (
            self.rows.T @ error.astype(np.float32)
            + self.penalty * weight
            + self.moved.T @ answered / 2
        )
        total = float(self.weights.sum())
        return loss / total, np.concatenate([slope, error.sum(0)[None]]).reshape(-1) / total
