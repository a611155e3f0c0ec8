"""Coordinates: the rows as a head sees them, in as few dimensions as they span.

Ridge, LDA and nearest mean do not change when the axes are turned. R rows of D > R features span at
most R dimensions, so they are written in an orthonormal basis of their own span, where every matrix is
R x R instead of D x D (the Gram side); the cost follows the smaller of the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.heads.groups import Batch
from tutelage.heads.once import once
from tutelage.heads.rows import TrainingRows
from tutelage.heads.scaling import Scaling
from tutelage.heads.statistics import Chunk, Statistics, gather
from tutelage.heads.wear import movements

Floats = npt.NDArray[np.float64]

WORTH_TURNING = 0.8
"""Rows over features up to which finding the span costs less than it saves."""


@dataclass(frozen=True)
class Coordinates:
    """Scaled training rows in r dimensions: R of them if they are far fewer than D, else D.

    Attributes:
        data: the rows.
        scaling: how they are scaled.
        basis: (D, r) orthonormal, or None if r = D and nothing is turned.
        held: (R, r) all rows, only where there is a basis (then they are fewer than D).
        moved: (M, r) movements; see ``heads.wear``.
    """

    data: TrainingRows
    scaling: Scaling
    basis: Floats | None = None
    held: Floats | None = None
    moved: Floats | None = None

    @property
    def width(self) -> int:
        """r."""
        return self.data.rows.shape[1] if self.basis is None else self.basis.shape[1]

    def of(self, batch: Batch) -> Floats:
        """Coordinates (g * m, r) of a batch of groups."""
        if self.held is not None:
            return self.held[batch.index.reshape(-1)]
        return self.scaling.apply(batch.rows)

    def lift(self, weight: Floats) -> Floats:
        """A weight (r, C) on coordinates as one (D, C) on scaled features."""
        return weight if self.basis is None else self.basis @ weight

    @once
    def statistics(self) -> Statistics:
        """Sufficient statistics of the coordinates."""
        if self.held is None:
            return scaled_statistics(self.data, self.scaling)
        chunk = (self.held, self.data.targets, self.data.weights)
        plain = gather(self.width, self.data.targets.shape[1], [chunk])
        return plain if self.moved is None else plain.pressed(self.moved)

    def without(self, left_out: npt.NDArray[np.bool_]) -> Statistics:
        """Statistics of the rows that are not left out (R,)."""
        if self.held is not None:
            blocks: Iterable[Floats] = [self.held]
        else:
            blocks = (self.scaling.apply(block) for block in self.data.rows)
        rest, start = self.statistics, 0
        for block in blocks:
            part = np.flatnonzero(left_out[start : start + len(block)])
            some = start + part
            start += len(block)
            rest = rest.remove(block[part], self.data.targets[some], self.data.weights[some])
        return rest


def coordinates(data: TrainingRows, scaling: Scaling) -> Coordinates:
    """The rows in the span of them and of what moves, if that is far fewer than the features; else as they are."""
    (many, width), worn = data.rows.shape, 0 if data.wear is None else len(data.wear.plain)
    if many + worn >= WORTH_TURNING * width:
        return Coordinates(data, scaling)
    whole = np.concatenate(
        [*(scaling.apply(block) for block in data.rows), movements(data, scaling)]
    )
    basis, turned = np.linalg.qr(whole.T)
    rows = np.ascontiguousarray(turned.T)
    return Coordinates(data, scaling, basis, rows[:many], rows[many:])


def scaled_statistics(data: TrainingRows, scaling: Scaling) -> Statistics:
    """Statistics in all D dimensions, as they are kept with the student."""
    plain = gather(data.rows.shape[1], data.targets.shape[1], _chunks(data, scaling))
    return plain.pressed(movements(data, scaling))


def _chunks(data: TrainingRows, scaling: Scaling) -> Iterator[Chunk]:
    start = 0
    for block in data.rows:
        part = slice(start, start + len(block))
        start += len(block)
        yield scaling.apply(block), data.targets[part], data.weights[part]
