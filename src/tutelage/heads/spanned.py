"""Sufficient statistics in the span of their rows: what a student keeps of them is as small as they are few.

R rows of D features span at most R dimensions, and so do all their sums. So of few rows of many features the matrices
are kept in an orthonormal basis of that span, (D, r) and (r, r) instead of (D, D): of 34 photos in AlexNet's 9,600
features some megabytes instead of some hundred. Rows are added and removed as exactly as in all dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.heads.eigen import eigen, threads_for
from tutelage.heads.statistics import Statistics

Floats = npt.NDArray[np.float64]

NEW = 1e-9
"""What rows have outside the span, over their length, from which it is a direction of its own."""
FAINT = 1e-12
"""Scatter of a direction over the largest, below which no row lies along it: rounding leaves less."""
TURNED = "turned/"
"""Before the names of saved statistics that are in a basis."""


@dataclass(frozen=True)
class Spanned:
    """Statistics of scaled rows (n, D), in r dimensions.

    Attributes:
        statistics: of the rows' coordinates (n, r).
        basis: (D, r) orthonormal, in columns; None if coordinates are the features and r = D.
    """

    statistics: Statistics
    basis: Floats | None = None

    def add(self, rows: Floats, targets: Floats, weights: Floats) -> Spanned:
        """With some more rows: features (n, D), targets (n, C), weights (n,)."""
        wide = self._reaching(rows)
        return replace(wide, statistics=wide.statistics.add(wide._of(rows), targets, weights))

    def remove(self, rows: Floats, targets: Floats, weights: Floats) -> Spanned:
        """Without some rows that are in it: the span forgets them too."""
        rest = self.statistics.remove(self._of(rows), targets, weights)
        return replace(self, statistics=rest)._needed()

    def widened(self, classes: int) -> Spanned:
        """The same rows, with room for more classes."""
        return replace(self, statistics=self.statistics.widened(classes))

    def lift(self, weight: Floats) -> Floats:
        """A weight (r, C) on coordinates as one (D, C) on scaled features."""
        return weight if self.basis is None else self.basis @ weight

    def _of(self, rows: Floats) -> Floats:
        return rows if self.basis is None else rows @ self.basis

    def _reaching(self, rows: Floats) -> Spanned:
        """The same in a span that holds some rows (n, D) too."""
        if self.basis is None:
            return self
        _, sizes, across = np.linalg.svd(self._outside(rows), full_matrices=False)
        new = across[sizes > NEW * np.linalg.norm(rows)]
        more, _ = np.linalg.qr(self._outside(new).T)
        basis = np.concatenate([self.basis, more], axis=1)
        return Spanned(self.statistics.turned(np.eye(self.basis.shape[1], basis.shape[1])), basis)

    def _outside(self, rows: Floats) -> Floats:
        """What rows (n, D) have outside the span; taken out twice, since the first time leaves rounding."""
        for _ in range(2):
            rows = rows - self._of(rows) @ self.basis.T  # type: ignore[union-attr]
        return rows

    def _needed(self) -> Spanned:
        """The same in the directions that some row still lies along."""
        if self.basis is None:
            return self
        values, axes = eigen(self.statistics.outer)
        along = axes[:, values > FAINT * values[-1]]
        return Spanned(self.statistics.turned(along), self.basis @ along)

    def as_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Named arrays for a safetensors file: in a basis if that is smaller than all dimensions."""
        if self.basis is None:
            return self.statistics.as_arrays()
        width, rank = self.basis.shape
        if rank * (2 * width + rank + 1) >= width * (width + 1):
            with threads_for(rank, width):
                return self.statistics.turned(self.basis.T).as_arrays()
        return {"basis": self.basis, **{TURNED + name: a for name, a in self.statistics.as_arrays().items()}}  # fmt: skip

    @staticmethod
    def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> Spanned:
        """The inverse of ``as_arrays``, bit for bit where a basis was kept.

        Raises:
            ArtefactError: arrays are missing.
        """
        if "basis" not in arrays:
            return Spanned(Statistics.from_arrays(arrays))
        turned = {n[len(TURNED) :]: a for n, a in arrays.items() if n.startswith(TURNED)}
        return Spanned(Statistics.from_arrays(turned), arrays["basis"])
