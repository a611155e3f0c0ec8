"""Sufficient statistics: all that the closed-form heads need to know of the rows.

They do not grow with the number of rows, and rows are added to and removed from them exactly
(up to rounding of float64): to learn a new photo, or to forget one, takes no other photo.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import ArtefactError
from tutelage.heads.eigen import eigen
from tutelage.heads.once import once

Floats = npt.NDArray[np.float64]
Chunk = tuple[Floats, Floats, Floats]
"""Scaled features (n, D), targets (n, C) and weights (n,) of some rows."""

FIELDS = ("count", "mass", "total", "sum", "sums", "outer")


@dataclass(frozen=True)
class Statistics:
    """Sums over rows of scaled features z with targets y and weights w.

    Attributes:
        count: (C,) rows of each class with a positive weight.
        mass: (C,) sum of w y.
        total: sum of w.
        sum: (D,) sum of w z.
        sums: (C, D) sum of w y z: the transpose of X'WY.
        outer: (D, D) sum of w z z': X'WX; with ``pressed``, and what movements add.
    """

    count: npt.NDArray[np.int64]
    mass: Floats
    total: float
    sum: Floats
    sums: Floats
    outer: Floats

    @property
    def means(self) -> Floats:
        """Mean of each class (C, D); zero for a class without rows."""
        empty = self.count == 0
        return np.where(empty[:, None], 0.0, self.sums / np.where(empty, 1.0, self.mass)[:, None])

    @property
    def within(self) -> Floats:
        """Within-class scatter (D, D): sum of w (z - mean of its class)(z - mean of its class)'."""
        rooted = self.means * np.sqrt(np.maximum(self.mass, 0.0))[:, None]
        return self.outer - rooted.T @ rooted

    @once
    def spread(self) -> tuple[Floats, Floats]:
        """Eigenvalues (D,), rising, and eigenvectors (D, D) of the scatter around the mean; kept for all who ask."""
        mean = self.sum / self.total
        return eigen(self.outer - self.total * np.outer(mean, mean))

    def add(self, rows: Floats, targets: Floats, weights: Floats) -> Statistics:
        """With some more rows: features (n, D), targets (n, C), weights (n,)."""
        return self._plus(_sums(rows, targets, weights), 1)

    def remove(self, rows: Floats, targets: Floats, weights: Floats) -> Statistics:
        """Without some rows that are in it: the inverse of ``add``."""
        return self._plus(_sums(rows, targets, weights), -1)

    def pressed(self, moved: Floats) -> Statistics:
        """With movements (M, D) that a head must not answer: a fixed part of ``outer``; see ``heads.wear``."""
        if not len(moved):
            return self
        more = moved.T @ moved
        return replace(self, outer=np.add(more, self.outer, out=more))

    def widened(self, classes: int) -> Statistics:
        """The same rows, with room for more classes, whose columns are empty."""
        more = classes - len(self.count)
        return replace(
            self, count=np.pad(self.count, (0, more)), mass=np.pad(self.mass, (0, more)),
            sums=np.pad(self.sums, ((0, more), (0, 0))),
        )  # fmt: skip

    def turned(self, axes: Floats) -> Statistics:
        """Those of the same rows times ``axes`` (D, r)."""
        return replace(self, sum=self.sum @ axes, sums=self.sums @ axes, outer=axes.T @ self.outer @ axes)  # fmt: skip

    def _plus(self, other: Statistics, sign: int) -> Statistics:
        count = self.count + sign * other.count
        mass = np.where(count == 0, 0.0, self.mass + sign * other.mass)
        return Statistics(
            count, mass, self.total + sign * other.total, self.sum + sign * other.sum,
            self.sums + sign * other.sums, self.outer + sign * other.outer,
        )  # fmt: skip

    def as_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Named arrays for a safetensors file; of ``outer`` only the upper triangle."""
        arrays = {name: np.asarray(getattr(self, name)) for name in FIELDS}
        return {**arrays, "outer": np.concatenate([row[i:] for i, row in enumerate(self.outer)])}

    @staticmethod
    def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> Statistics:
        """The inverse of ``as_arrays``, bit for bit.

        Raises:
            ArtefactError: arrays are missing.
        """
        missing = sorted(set(FIELDS) - set(arrays))
        if missing:
            raise ArtefactError(
                "damaged-statistics", given=f"statistics without {', '.join(missing)}", expected=", ".join(FIELDS),
                next="Restore the student from a copy, or make it again with: tutelage fit DATA",
            )  # fmt: skip
        width = len(arrays["sum"])
        outer, start = np.empty((width, width)), 0
        for i in range(width):
            outer[i:, i] = outer[i, i:] = arrays["outer"][start : start + width - i]
            start += width - i
        plain = {name: arrays[name] for name in ("count", "mass", "sum", "sums")}
        return Statistics(**plain, total=float(arrays["total"]), outer=outer)


def gather(width: int, classes: int, chunks: Iterable[Chunk]) -> Statistics:
    """Statistics of rows that come chunk by chunk.

    Args:
        width: D.
        classes: C.
        chunks: features (n, D), targets (n, C), weights (n,).
    """
    count, mass, total = np.zeros(classes, np.int64), np.zeros(classes), 0.0
    first, sums = np.zeros(width), np.zeros((classes, width))
    outer: Floats | None = None
    for chunk in chunks:
        some = _sums(*chunk)
        count += some.count
        mass += some.mass
        total += some.total
        first += some.sum
        sums += some.sums
        outer = some.outer if outer is None else np.add(outer, some.outer, out=outer)
    return Statistics(count, mass, total, first, sums, np.zeros((width, width)) if outer is None else outer)  # fmt: skip


def _sums(rows: Floats, targets: Floats, weights: Floats) -> Statistics:
    weighted = targets * weights[:, None]
    rooted = rows * np.sqrt(weights)[:, None]
    count = ((weighted > 0).sum(0)).astype(np.int64)
    return Statistics(
        count, weighted.sum(0), float(weights.sum()), weights @ rows, weighted.T @ rows, rooted.T @ rooted,
    )  # fmt: skip
