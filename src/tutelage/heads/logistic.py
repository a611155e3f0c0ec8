"""Multinomial logistic regression, warm-started from a closed-form head, by a few L-BFGS steps.

Minimises ``sum w CE(y, z B + b) + penalty |B|^2 / 2`` (the bias is free): with ``penalty = 1 / C`` the
objective of scikit-learn's ``LogisticRegression(C=C)``. It has no closed form, so nothing is left out
exactly; out-of-fold logits of whole groups are used instead.

Rows are read in blocks and never kept: ``z B = (x - shift) (s B) / length`` folds the scale into the
weight. Products are float32, sums float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tutelage.evaluation.calibration import log_softmax
from tutelage.heads.coordinates import Coordinates
from tutelage.heads.eigen import one_thread
from tutelage.heads.groups import folds
from tutelage.heads.linear import NEVER, LinearHead
from tutelage.heads.rows import Block, TrainingRows
from tutelage.heads.scaling import TINY

Floats = npt.NDArray[np.float64]

KIND = "logistic"
FOLDS = 5
ITERATIONS = 25
"""L-BFGS steps of a refinement; from a closed-form start later ones change little."""


STEPS = (0.01, 0.1)


def refine(head: LinearHead, data: TrainingRows, penalty: float, *, max_iterations: int = ITERATIONS, tolerance: float = 1e-5) -> LinearHead:  # fmt: skip
    """The head after some L-BFGS steps, at temperature 1 (start: the head at its own temperature).

    Args:
        head: where to start, a closed-form head; its scaling is kept.
        data: rows (R, D) with targets (R, C) that sum to one and weights (R,).
        penalty: on the squared weight, absolute; 1 / C of scikit-learn.
        max_iterations: at most so many steps.
        tolerance: stop when no entry of the mean gradient is larger.
    """
    from scipy.optimize import minimize

    problem = _Problem(data, head, penalty)
    start = np.concatenate([head.weight, head.bias[None]]) / head.temperature
    start[-1] = np.maximum(start[-1], NEVER)
    with one_thread():
        found = minimize(
            problem, start.reshape(-1), jac=True, method="L-BFGS-B",
            options={"maxiter": max_iterations, "gtol": tolerance, "ftol": 1e-12, "maxcor": 10},
        )  # fmt: skip
    solved = found.x.reshape(start.shape)
    return replace(head, kind=KIND, weight=solved[:-1], bias=solved[-1], penalty=penalty, temperature=1.0)  # fmt: skip


def refine_all(heads: Sequence[LinearHead], data: TrainingRows, penalty: float, max_iterations: int = ITERATIONS) -> Floats:  # fmt: skip
    """Out-of-fold logits (S, C) of the scored rows: ``heads[f]`` is refined without fold f, and judges it.

    Args:
        heads: a start for each fold, fitted without it.
        data: all rows.
        penalty: see ``refine``.
        max_iterations: see ``refine``.
    """
    fold = folds(data.groups, data.truth, len(heads))
    found, place = np.empty((int(data.scored.sum()), data.targets.shape[1])), data.place
    for f, start in enumerate(heads):
        refined = refine(start, without(data, fold == f), penalty, max_iterations=max_iterations)
        at = 0
        for block in data.rows:
            some = np.flatnonzero(
                (fold == f)[at : at + len(block)] & data.scored[at : at + len(block)]
            )
            found[place[at + some]] = refined.logits(block[some])
            at += len(block)
    return found


def penalties(within: Coordinates) -> tuple[float, ...]:
    """A short grid, in units of the mean squared length of a row."""
    stats = within.statistics
    return tuple(step * float(np.trace(stats.outer)) / stats.total for step in STEPS)


def without(data: TrainingRows, left_out: npt.NDArray[np.bool_]) -> TrainingRows:
    """The same rows, of which those left out weigh nothing: no copy is made."""
    return replace(data, weights=np.where(left_out, 0.0, data.weights))


@dataclass
class _Problem:
    """Loss and gradient, both divided by the sum of weights, of weight and bias as one flat vector."""

    data: TrainingRows
    head: LinearHead
    penalty: float

    def __post_init__(self) -> None:
        self.total = float(self.data.weights.sum())
        self.shift = self.head.shift.astype(np.float32)
        self.scale = self.head.scale[:, None]
        self.lengths = self._lengths() if self.head.normalise else None

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        parameters = flat.reshape(-1, self.data.targets.shape[1])
        weight, bias = parameters[:-1], parameters[-1]
        folded = (weight * self.scale).astype(np.float32)
        loss, slope, drift = 0.0, np.zeros_like(weight), np.zeros_like(bias)
        for centred, length, targets, weights in self._blocks():
            logp = log_softmax(centred @ folded / length + bias)
            loss -= float(weights @ (targets * logp).sum(1))
            error = weights[:, None] * (np.exp(logp) * targets.sum(1, keepdims=True) - targets)
            slope += centred.T @ (error / length).astype(np.float32)
            drift += error.sum(0)
        gradient = np.concatenate([slope * self.scale + self.penalty * weight, drift[None]])
        loss += self.penalty / 2 * float(np.square(weight).sum())
        return loss / self.total, gradient.reshape(-1) / self.total

    def _blocks(self) -> Iterator[tuple[Block, Floats, Floats, Floats]]:
        start = 0
        for block in self.data.rows:
            part = slice(start, start + len(block))
            start += len(block)
            length = np.ones((len(block), 1)) if self.lengths is None else self.lengths[part]
            yield block - self.shift, length, self.data.targets[part], self.data.weights[part]

    def _lengths(self) -> Floats:
        """Lengths (R, 1) of the scaled rows."""
        plain = replace(self.head.scaling, normalise=False)
        found = [np.linalg.norm(plain.apply(block), axis=1) for block in self.data.rows]
        return np.asarray(np.maximum(np.concatenate(found), TINY)[:, None])
