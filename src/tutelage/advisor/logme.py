"""LogME: the evidence that a Bayesian linear model finds for the classes in the features (You et al., ICML 2021).

Three things differ from the authors' code, all for exactness. The search starts from the best of a
grid of ``t = alpha / beta`` and runs until it stands still, so that the score does not depend on the
scale of the features. The noise ``1 / beta`` is set to its best value at the final t in closed form.
Directions that N < D items do not span cancel out of the evidence; the code leaves their prior in.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tutelage.advisor.leep import labelled
from tutelage.heads.eigen import eigen, threads_for

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RANK = 1e-12
"""Share of the largest eigenvalue below which a direction is not spanned."""
LEAST = 1e-5
"""Squares, per class, that stay unexplained outside the span: a class told perfectly has finite evidence."""
STARTS = 10.0 ** (np.arange(-16, 17) / 2)
"""Values of t that are tried first, in units of the mean eigenvalue: half decades from 1e-8 to 1e8."""
STEPS, STILL = 100, 1e-6


def logme(features: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Log of the maximum evidence an item, in nats, mean over classes; larger is better.

    For each class, with y in {0, 1}^N and singular values ``F = U S V'``, ``x = U'y``:
    ``max over alpha, beta of log N(y; 0, I / beta + F F' / alpha) / N``. You et al., "LogME: Practical
    Assessment of Pre-trained Models for Transfer Learning", ICML 2021 (arXiv 2102.11005), section 4; the
    fixed point in ``t = alpha / beta`` is from You et al., "Ranking and Tuning Pre-trained Models", JMLR
    2022 (arXiv 2110.10545). O(N D min(N, D)). Unmoved by a rotation or a change of scale of the features.

    Args:
        features: (N, D); not centred, as in the paper.
        truth: class indices (N,).

    Raises:
        TrainingError: a feature is not finite.
        DataError: fewer than two items, one class, or unequal lengths.

    Example:
        >>> near = [[1.0, 0.1], [0.9, 0.0], [0.0, 1.0], [0.1, 0.8]]
        >>> logme(near, [0, 0, 1, 1]) > logme(near, [0, 1, 0, 1])
        True
    """
    table, answer = labelled(features, truth)
    values, turned = projections(table, answer)
    energy, items = np.square(turned), len(answer)
    rest = np.bincount(answer) - energy.sum(1)
    rest = np.maximum(rest, LEAST) if len(values) < items else np.zeros_like(rest)
    best = _search(values, energy, rest, items)
    return float(_evidence(best, values, energy, rest, items).mean()) / items


def projections(features: Floats, truth: Ints) -> tuple[Floats, Floats]:
    """Squared singular values (r,) of features (N, D), and ``Y'U`` (C, r): the classes along the left vectors.

    From the eigenvectors of the smaller of ``F'F`` and ``FF'``; r is the rank.
    """
    sums = np.eye(int(truth.max()) + 1)[truth].T
    tall = features.shape[0] > features.shape[1]
    with threads_for(*features.shape):
        values, vectors = eigen(features.T @ features if tall else features @ features.T)
        spanned = values > RANK * values[-1]
        values, vectors = values[spanned], vectors[:, spanned]
        turned = sums @ features @ vectors / np.sqrt(values) if tall else sums @ vectors
    return values, np.asarray(turned)


def _search(values: Floats, energy: Floats, rest: Floats, items: int) -> Floats:
    """The best t of each class (C,)."""
    if not len(values):
        return np.ones(len(rest))
    grid = STARTS * values.mean()
    tried = np.stack([_evidence(np.full(len(rest), t), values, energy, rest, items) for t in grid])
    start = grid[tried.argmax(0)]
    found = start
    for _ in range(STEPS):
        last, found = found, _step(found, values, energy, rest, items)
        found = np.clip(found, grid[0], grid[-1])
        if np.abs(np.log(found / last)).max() < STILL:
            break
    gained = _evidence(found, values, energy, rest, items) >= tried.max(0)
    return np.asarray(np.where(gained, found, start))


def _step(t: Floats, values: Floats, energy: Floats, rest: Floats, items: int) -> Floats:
    """``alpha = gamma / |m|^2`` over ``beta = (N - gamma) / |y - Fm|^2`` (MacKay 1992), at the m of the last t."""
    total = values + t[:, None]
    effective = (values / total).sum(1)
    size = (values * energy / total**2).sum(1)
    missed = (energy * (t[:, None] / total) ** 2).sum(1) + rest
    tiny = np.finfo(np.float64).tiny
    return np.asarray(effective * missed / np.maximum(size * (items - effective), tiny))


def _evidence(t: Floats, values: Floats, energy: Floats, rest: Floats, items: int) -> Floats:
    """Log evidence (C,) at t (C,) and the best beta there: ``N / y'(I + FF'/t)^-1 y``."""
    total = values + t[:, None]
    squares = (energy * t[:, None] / total).sum(1) + rest
    volume = np.log(total / t[:, None]).sum(1)
    return np.asarray(-0.5 * (items * (1 + np.log(2 * np.pi * squares / items)) + volume))
