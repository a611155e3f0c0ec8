"""What nearest mean and LDA share: linear scores from class means, and the means without a group.

Write ``<a, b>`` for ``a' P b`` with the head's own metric P, ``u = z - mean of its class`` for the rows
of a group that is left out, and ``n_c`` for what is left of a class. Without the group the mean of class
c is ``mean_c + sum_k a_kc u_k`` with ``a_kc = -w_k y_kc / n_c``, so that everything follows from inner
products of class means and rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError
from tutelage.heads.statistics import Statistics

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Removal:
    """What leaving out each of g groups of m rows does to the classes.

    Attributes:
        truth: (g, m) class of each row.
        weights: (g, m).
        mass: (g, C) what is left of each class.
        total: (g,) what is left in all.
        empty: (g, C) whether the class had no other row.
    """

    truth: Ints
    weights: Floats
    mass: Floats
    total: Floats
    empty: npt.NDArray[np.bool_]

    @property
    def same(self) -> Floats:
        """(g, m, m) 1 / (mass left) for two rows of one class, 0 for two of different or emptied classes."""
        one = self.truth[:, :, None] == self.truth[:, None, :]
        return np.where(one, np.take_along_axis(self._inverse, self.truth, 1)[:, :, None], 0.0)

    @property
    def pull(self) -> Floats:
        """(g, m, C) the coefficients a: how each row's absence moves the class means."""
        classes = self.mass.shape[1]
        belongs = self.truth[:, :, None] == np.arange(classes)
        return np.where(belongs, -self.weights[:, :, None] * self._inverse[:, None, :], 0.0)

    @property
    def _inverse(self) -> Floats:
        return np.where(self.empty, 0.0, 1.0 / np.where(self.empty, 1.0, self.mass))


def removal(statistics: Statistics, targets: Floats, weights: Floats) -> Removal:
    """What is left without each group.

    Args:
        statistics: of all rows.
        targets: (g, m, C), one-hot.
        weights: (g, m).

    Raises:
        DataError: the targets are not one-hot.
    """
    refuse_soft(targets)
    weighted = targets * weights[:, :, None]
    empty = statistics.count - (weighted > 0).sum(1) == 0
    total = statistics.total - weights.sum(1)
    return Removal(targets.argmax(2), weights, statistics.mass - weighted.sum(1), total, empty)


def refuse_soft(targets: Floats) -> None:
    """Refuse targets (..., C) that are not one-hot.

    Raises:
        DataError: they are not.
    """
    if not ((targets == 0) | (targets == 1)).all() or not (targets.sum(-1) == 1).all():
        raise DataError(
            "soft-targets", given="targets that are not one-hot", expected="one label an item",
            next="Use the ridge head for targets of another kind.",
        )  # fmt: skip


@dataclass(frozen=True)
class Products:
    """Inner products in the metric that holds without the group; L penalties, g groups, m rows.

    Attributes:
        mean_mean: (L, g, C) ``<mean_c, mean_c>``.
        own_mean: (L, g, m, C) ``<mean of the row's class, mean_c>``.
        row_mean: (L, g, m, C) ``<u, mean_c>``.
        row_row: (L, g, m, m) ``<u, u>``.

    The means are those of all rows; the metric is the one without the group.
    """

    mean_mean: Floats
    own_mean: Floats
    row_mean: Floats
    row_row: Floats

    def scores(self, left: Removal) -> tuple[Floats, Floats]:
        """``<z, mean_c>`` (L, g, m, C) and ``<mean_c, mean_c>`` (L, g, 1, C), with the means left over."""
        pull = left.pull
        with_rows = self.row_own(left).swapaxes(2, 3) + self.row_row
        row = self.own_mean + self.row_mean + with_rows @ pull
        length = self.mean_mean + (pull * (2 * self.row_mean + self.row_row @ pull)).sum(2)
        return row, length[:, :, None, :]

    def lengths(self, left: Removal) -> Floats:
        """``<z, z>`` (L, g, m)."""
        own = np.take_along_axis(self.own_mean, left.truth[None, :, :, None], 3)[..., 0]
        cross = np.diagonal(self.row_own(left), axis1=2, axis2=3)
        return own + 2 * cross + np.diagonal(self.row_row, axis1=2, axis2=3)

    def row_own(self, left: Removal) -> Floats:
        """``<u_k, mean of the class of row j>`` at [k, j] (L, g, m, m)."""
        place = np.broadcast_to(left.truth[None, :, None, :], self.row_row.shape)
        return np.take_along_axis(self.row_mean, place, 3)
