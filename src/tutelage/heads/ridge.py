"""Ridge regression on one-hot (or any) targets, with an intercept that is not penalised.

Minimises ``sum w |y - b - z B|^2 + penalty |B|^2``. With ``A = X'WX`` (centred) and
``K = 1 1'/sum(w) + Z (A + penalty)^-1 Z'`` (Z centred), the residual of a group that was left out is
``e = (I - K_BB W_B)^-1 r_B`` (Cook and Weisberg 1982, section 3.2; the group form of PRESS, Allen 1974):
exact, and for all penalties from one eigendecomposition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.heads.coordinates import Coordinates, coordinates
from tutelage.heads.eigen import solve_symmetric
from tutelage.heads.path import Path
from tutelage.heads.rows import TrainingRows
from tutelage.heads.scaling import Scaling
from tutelage.heads.statistics import Statistics

Floats = npt.NDArray[np.float64]

KIND = "ridge"


def path(data: TrainingRows, scaling: Scaling, penalties: Sequence[float], *, within: Coordinates | None = None) -> Path:  # fmt: skip
    """Ridge heads at all penalties.

    Args:
        data: rows (R, D) with targets (R, C).
        scaling: how rows are scaled.
        penalties: positive, absolute: added to the eigenvalues of the centred X'WX.
        within: the coordinates of the same data and scaling, if they are there already.
    """
    grid = np.asarray(penalties, dtype=np.float64)
    return Path(KIND, within or coordinates(data, scaling), penalties, lambda s: solve(s, grid))


def solve(statistics: Statistics, penalties: Floats) -> RidgeSolution:
    """One eigendecomposition for all penalties."""
    total = statistics.total
    mean, level = statistics.sum / total, statistics.mass / total
    values, vectors = statistics.spread
    cross = statistics.sums.T - np.outer(statistics.sum, level)
    shrink = 1.0 / (np.maximum(values, 0.0) + penalties[:, None])
    return RidgeSolution(mean, level, total, vectors, shrink, vectors.T @ cross)


def fit(statistics: Statistics, penalty: float) -> tuple[Floats, Floats]:
    """Weight (r, C) and bias (C,) at one penalty, without a decomposition."""
    total = statistics.total
    mean, level = statistics.sum / total, statistics.mass / total
    matrix = statistics.outer - total * np.outer(mean, mean) + penalty * np.eye(len(mean))
    weight = solve_symmetric(matrix, statistics.sums.T - np.outer(statistics.sum, level))
    return weight, level - mean @ weight


@dataclass(frozen=True)
class RidgeSolution:
    """Decomposed ridge.

    Attributes:
        mean: (r,) weighted mean of the rows.
        level: (C,) weighted mean of the targets.
        total: sum of the weights.
        vectors: (r, r) eigenvectors of the centred X'WX, in columns.
        shrink: (L, r) 1 / (eigenvalue + penalty).
        cross: (r, C) centred X'WY in those axes.
    """

    mean: Floats
    level: Floats
    total: float
    vectors: Floats
    shrink: Floats
    cross: Floats

    def weights(self, k: int) -> tuple[Floats, Floats]:
        """Weight (r, C) and bias (C,) at penalty k."""
        weight = self.vectors @ (self.cross * self.shrink[k][:, None])
        return weight, self.level - self.mean @ weight

    def left_out(self, turned: Floats, targets: Floats, weights: Floats, which: slice) -> Floats:
        """See ``Solution``."""
        groups, size, width = turned.shape
        shrink, classes = self.shrink[which], targets.shape[2]
        away = turned - self.mean @ self.vectors
        coefficients = (self.cross[:, None, :] * shrink.T[:, :, None]).reshape(width, -1)
        fitted = (away.reshape(-1, width) @ coefficients).reshape(
            groups, size, len(shrink), classes
        )
        residual = targets - self.level - fitted.transpose(2, 0, 1, 3)
        return targets - _left_out_residual(away, residual, weights, shrink, self.total)


def _left_out_residual(turned: Floats, residual: Floats, weights: Floats, shrink: Floats, total: float) -> Floats:  # fmt: skip
    """``(I - K_BB W_B)^-1 r_B`` for rows (g, m, r), residuals (L, g, m, C) and weights (g, m)."""
    if turned.shape[1] == 1:
        leverage = 1.0 / total + np.square(turned[:, 0]) @ shrink.T
        left = 1.0 - leverage * weights
        return np.asarray(residual / left.T[:, :, None, None])
    found = np.empty_like(residual)
    for at, factor in enumerate(shrink):
        kernel = 1.0 / total + (turned * factor) @ turned.transpose(0, 2, 1)
        system = np.eye(turned.shape[1]) - kernel * weights[:, None, :]
        found[at] = np.linalg.solve(system, residual[at])
    return found
