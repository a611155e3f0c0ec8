"""Linear discriminant analysis with a shrunk shared covariance, and each group left out exactly.

Covariance ``(S + penalty I) / n``, S the within-class scatter and n the sum of weights (Friedman 1989,
towards a multiple of the identity). Logit of class c: ``z' P m_c - m_c' P m_c / 2 + log prior_c``, P the
inverse covariance. Leaving out a group B takes ``U' M U`` from S, with rows ``u = z - mean of its class``
and ``M_kl = w_k [k = l] + w_k w_l / n_c`` for two rows of one class (n_c what is left of it): a change of
rank m, undone by Woodbury's identity, for all penalties from one eigendecomposition.

S is the scatter T around the common mean, which ridge decomposes too, less what the class means make of it:
``S = T - D' D``, a row ``sqrt(n_c) (m_c - m)`` a class. With few classes T is decomposed once for both, and
``(S + penalty)^-1`` is that of T plus ``G G'``, of rank C: Woodbury once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from tutelage.heads.coordinates import Coordinates, coordinates
from tutelage.heads.discriminant import Products, Removal, refuse_soft, removal
from tutelage.heads.eigen import eigen, solve_symmetric
from tutelage.heads.path import Path
from tutelage.heads.rows import TrainingRows
from tutelage.heads.scaling import Scaling
from tutelage.heads.statistics import Statistics

Floats = npt.NDArray[np.float64]

KIND = "lda"

SHARED_COSTS = 10
"""Rows x classes x penalties, over r^2, from which a decomposition of S is less work than rank C."""


def path(
    data: TrainingRows, scaling: Scaling, penalties: Sequence[float], *,
    within: Coordinates | None = None, priors: npt.ArrayLike | None = None,
) -> Path:  # fmt: skip
    """LDA heads at all penalties.

    Args:
        data: rows (R, D) with one-hot targets (R, C).
        scaling: how rows are scaled.
        penalties: positive, absolute: added to the eigenvalues of the within-class scatter.
        within: the coordinates of the same data and scaling, if they are there already.
        priors: (C,) fixed; the classes' shares of the weights if not given.

    Raises:
        DataError: the targets are not one-hot.
    """
    refuse_soft(data.targets)
    grid = np.asarray(penalties, dtype=np.float64)
    fixed = None if priors is None else np.asarray(priors, dtype=np.float64)
    return Path(KIND, within or coordinates(data, scaling), penalties, partial(solve, penalties=grid, priors=fixed))  # fmt: skip


def solve(statistics: Statistics, penalties: Floats, priors: Floats | None = None) -> LdaSolution:
    """One eigendecomposition for all penalties: that of ridge where this is less work, else of S itself."""
    rows, width = int(statistics.count.sum()), len(statistics.sum)
    if rows * len(penalties) * len(statistics.count) > SHARED_COSTS * width**2:
        return solve_within(statistics, penalties, priors)
    values, vectors = statistics.spread
    shrink = 1.0 / (np.maximum(values, 0.0) + penalties[:, None])
    means = statistics.means @ vectors
    return LdaSolution(statistics, vectors, shrink, means, priors, _between(statistics, vectors, shrink))  # fmt: skip


def solve_within(statistics: Statistics, penalties: Floats, priors: Floats | None = None) -> LdaSolution:  # fmt: skip
    """One eigendecomposition of the within-class scatter for all penalties."""
    values, vectors = eigen(statistics.within)
    shrink = 1.0 / (np.maximum(values, 0.0) + penalties[:, None])
    none = np.zeros((len(penalties), len(vectors), 0))
    return LdaSolution(statistics, vectors, shrink, statistics.means @ vectors, priors, none)


def _between(statistics: Statistics, vectors: Floats, shrink: Floats) -> Floats:
    """G (L, r, C): what the inverse of S has more than that of T, ``(T + p)^-1 D' (I - D (T + p)^-1 D')^-1/2``."""
    apart = (statistics.means - statistics.sum / statistics.total) @ vectors
    apart *= np.sqrt(np.maximum(statistics.mass, 0.0))[:, None]
    pressed = apart * shrink[:, None, :]
    system = np.eye(len(apart)) - pressed @ apart.T
    return np.asarray(np.linalg.solve(np.linalg.cholesky(system), pressed).swapaxes(1, 2))


def fit(statistics: Statistics, penalty: float, priors: Floats | None = None) -> tuple[Floats, Floats]:  # fmt: skip
    """Weight (r, C) and bias (C,) at one penalty, without a decomposition."""
    means, total = statistics.means, statistics.total
    matrix = statistics.within + penalty * np.eye(means.shape[1])
    weight = total * solve_symmetric(matrix, means.T)
    log_priors = _log_priors(statistics.mass, total, statistics.count == 0, priors)
    return weight, log_priors - 0.5 * (means * weight.T).sum(1)


@dataclass(frozen=True)
class LdaSolution:
    """Decomposed LDA.

    Attributes:
        statistics: of all rows.
        vectors: (r, r) eigenvectors of S or of T, in columns.
        shrink: (L, r) 1 / (eigenvalue + penalty).
        means: (C, r) class means in those axes.
        priors: (C,) fixed, or None for the classes' shares.
        between: (L, r, C or 0) G, where the vectors are those of T.
    """

    statistics: Statistics
    vectors: Floats
    shrink: Floats
    means: Floats
    priors: Floats | None
    between: Floats

    def weights(self, k: int) -> tuple[Floats, Floats]:
        """Weight (r, C) and bias (C,) at penalty k; a class without rows cannot win."""
        stats = self.statistics
        pressed = self._pressed(slice(k, k + 1))[:, 0] * stats.total
        bias = -0.5 * (pressed * self.means).sum(1) + _log_priors(stats.mass, stats.total, stats.count == 0, self.priors)  # fmt: skip
        return self.vectors @ pressed.T, bias

    def left_out(self, turned: Floats, targets: Floats, weights: Floats, which: slice) -> Floats:
        """See ``Solution``."""
        left = removal(self.statistics, targets, weights)
        score, length = self.products(turned, left, which).scores(left)
        total = left.total[None, :, None, None]
        priors = _log_priors(left.mass, left.total[:, None], left.empty, self.priors)
        return total * (score - 0.5 * length) + priors[None, :, None, :]

    def distances(self, turned: Floats, targets: Floats, weights: Floats, which: slice) -> Floats:
        """Squared Mahalanobis distances (L, g, m, C) to the class means, each group left out.

        Rows (g, m, r) are given in the axes of ``vectors``, as to ``left_out``. Infinite for a class that the removal empties.
        """
        left = removal(self.statistics, targets, weights)
        products = self.products(turned, left, which)
        score, length = products.scores(left)
        square = products.lengths(left)[..., None] - 2 * score + length
        square = left.total[None, :, None, None] * np.maximum(square, 0.0)
        return np.where(left.empty[None, :, None, :], np.inf, square)

    def _pressed(self, which: slice) -> Floats:
        """``(S + penalty)^-1 m_c`` in the axes of the vectors (C, L, r), at some penalties."""
        between = self.between[which]
        more = (self.means @ between) @ between.swapaxes(1, 2)
        return self.means[:, None, :] * self.shrink[which] + more.swapaxes(0, 1)

    def products(self, turned: Floats, left: Removal, which: slice) -> Products:
        """Inner products in the metric ``(S - U' M U + penalty)^-1``, of rows (g, m, r) in the axes of ``vectors``."""
        groups, size, width = turned.shape
        shrink, classes = self.shrink[which], len(self.means)
        away = turned - self.means[left.truth]
        pressed, between = self._pressed(which), self.between[which]
        row_mean = (away.reshape(-1, width) @ pressed.reshape(-1, width).T).reshape(
            groups, size, classes, -1
        )
        row_row = _kernels(away, shrink, between)
        mean_mean = np.einsum("clr,dr->lcd", pressed, self.means, optimize=True)
        return _downdated(mean_mean, row_mean.transpose(3, 0, 1, 2), row_row, left)


def _kernels(turned: Floats, shrink: Floats, between: Floats) -> Floats:
    """``<u, u>`` (L, g, m, m) of rows (g, m, r) before anything is left out."""
    seen: Floats = turned.reshape(-1, turned.shape[2]) @ between.transpose(1, 0, 2).reshape(turned.shape[2], -1)  # fmt: skip
    parts = seen.reshape(*turned.shape[:2], len(shrink), -1).transpose(2, 0, 1, 3)
    if turned.shape[1] == 1:
        lengths: Floats = (np.square(turned[:, 0]) @ shrink.T).T + np.square(parts[:, :, 0]).sum(2)
        return lengths[:, :, None, None]
    flipped = turned.transpose(0, 2, 1)
    plain = np.stack([(turned * factor) @ flipped for factor in shrink])
    return plain + parts @ parts.swapaxes(2, 3)


def _downdated(mean_mean: Floats, row_mean: Floats, row_row: Floats, left: Removal) -> Products:
    """Woodbury: from the metric of all rows, means (L, C, C), to the one without the group."""
    weights = left.weights
    change = left.same * weights[:, :, None] * weights[:, None, :]
    change = change + np.eye(weights.shape[1]) * weights[:, :, None]
    system = np.eye(weights.shape[1]) - row_row @ change
    after = np.concatenate([row_mean, row_row], axis=3)
    after = after / system if weights.shape[1] == 1 else np.linalg.solve(system, after)
    new_mean, new_row = np.split(after, [row_mean.shape[3]], axis=3)
    moved = change @ new_mean
    diagonal = np.diagonal(mean_mean, axis1=1, axis2=2)[:, None] + (row_mean * moved).sum(2)
    unmoved = Products(diagonal, diagonal, row_mean, row_row)
    own = mean_mean[:, left.truth] + unmoved.row_own(left).swapaxes(2, 3) @ moved
    return Products(diagonal, own, new_mean, new_row)


def _log_priors(mass: Floats, total: Floats | float, empty: npt.NDArray[np.bool_], fixed: Floats | None) -> Floats:  # fmt: skip
    share = np.where(empty, 1.0, mass / total if fixed is None else fixed)
    return np.where(empty, -np.inf, np.log(share))
