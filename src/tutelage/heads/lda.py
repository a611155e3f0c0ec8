"""Linear discriminant analysis with a shrunk shared covariance, and each group left out exactly.

Covariance ``(S + penalty I) / n``, S the within-class scatter and n the sum of weights (Friedman 1989,
towards a multiple of the identity). Logit of class c: ``z' P m_c - m_c' P m_c / 2 + log prior_c``, P the
inverse covariance. Leaving out a group B takes ``U' M U`` from S, with rows ``u = z - mean of its class``
and ``M_kl = w_k [k = l] + w_k w_l / n_c`` for two rows of one class (n_c what is left of it): a change of
rank m, undone by Woodbury's identity, for all penalties from one eigendecomposition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from tutelage.heads.coordinates import Coordinates, coordinates
from tutelage.heads.discriminant import Products, Removal, removal
from tutelage.heads.eigen import eigen, solve_symmetric
from tutelage.heads.path import Path
from tutelage.heads.rows import TrainingRows
from tutelage.heads.scaling import Scaling
from tutelage.heads.statistics import Statistics

Floats = npt.NDArray[np.float64]

KIND = "lda"


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
    grid = np.asarray(penalties, dtype=np.float64)
    fixed = None if priors is None else np.asarray(priors, dtype=np.float64)
    return Path(KIND, within or coordinates(data, scaling), penalties, partial(solve, penalties=grid, priors=fixed))  # fmt: skip


def solve(statistics: Statistics, penalties: Floats, priors: Floats | None = None) -> LdaSolution:
    """One eigendecomposition of the within-class scatter for all penalties."""
    values, vectors = eigen(statistics.within)
    shrink = 1.0 / (np.maximum(values, 0.0) + penalties[:, None])
    return LdaSolution(statistics, vectors, shrink, statistics.means @ vectors, priors)


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
        vectors: (r, r) eigenvectors of the within-class scatter, in columns.
        shrink: (L, r) 1 / (eigenvalue + penalty).
        means: (C, r) class means in those axes.
        priors: (C,) fixed, or None for the classes' shares.
    """

    statistics: Statistics
    vectors: Floats
    shrink: Floats
    means: Floats
    priors: Floats | None = None

    def weights(self, k: int) -> tuple[Floats, Floats]:
        """Weight (r, C) and bias (C,) at penalty k; a class without rows cannot win."""
        stats = self.statistics
        pressed = self.means * (self.shrink[k] * stats.total)
        bias = -0.5 * (pressed * self.means).sum(1) + _log_priors(stats.mass, stats.total, stats.count == 0, self.priors)  # fmt: skip
        return self.vectors @ pressed.T, bias

    def left_out(self, rows: Floats, targets: Floats, weights: Floats, which: slice) -> Floats:
        """See ``Solution``."""
        left = removal(self.statistics, targets, weights)
        score, length = self.products(rows, left, which).scores(left)
        total = left.total[None, :, None, None]
        priors = _log_priors(left.mass, left.total[:, None], left.empty, self.priors)
        return total * (score - 0.5 * length) + priors[None, :, None, :]

    def distances(self, rows: Floats, targets: Floats, weights: Floats, which: slice) -> Floats:
        """Squared Mahalanobis distances (L, g, m, C) to the class means, each group left out.

        Infinite for a class that the removal empties.
        """
        left = removal(self.statistics, targets, weights)
        products = self.products(rows, left, which)
        score, length = products.scores(left)
        square = products.lengths(left)[..., None] - 2 * score + length
        square = left.total[None, :, None, None] * np.maximum(square, 0.0)
        return np.where(left.empty[None, :, None, :], np.inf, square)

    def products(self, rows: Floats, left: Removal, which: slice) -> Products:
        """Inner products in the metric ``(S - U' M U + penalty)^-1``."""
        groups, size, width = rows.shape
        shrink, classes = self.shrink[which], len(self.means)
        turned = rows.reshape(-1, width) @ self.vectors - self.means[left.truth.reshape(-1)]
        pressed = self.means[:, None, :] * shrink
        row_mean = (turned @ pressed.reshape(-1, width).T).reshape(groups, size, classes, -1)
        row_row = _kernels(turned.reshape(rows.shape), shrink)
        mean_mean = np.einsum("clr,dr->lcd", pressed, self.means, optimize=True)
        return _downdated(mean_mean, row_mean.transpose(3, 0, 1, 2), row_row, left)


def _kernels(turned: Floats, shrink: Floats) -> Floats:
    """``<u, u>`` (L, g, m, m) of rows (g, m, r) before anything is left out."""
    if turned.shape[1] == 1:
        return (np.square(turned[:, 0]) @ shrink.T).T[:, :, None, None]
    flipped = turned.transpose(0, 2, 1)
    return np.stack([(turned * factor) @ flipped for factor in shrink])


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
