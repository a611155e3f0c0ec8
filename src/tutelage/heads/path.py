"""A path: one head at many penalties, all from one decomposition, each with every group left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tutelage.errors import TrainingError
from tutelage.heads.coordinates import Coordinates
from tutelage.heads.groups import Batch, whole_groups
from tutelage.heads.linear import LinearHead, linear_head
from tutelage.heads.rows import BLOCK, TrainingRows
from tutelage.heads.statistics import Statistics

Floats = npt.NDArray[np.float64]

ROOM = 32 * 2**20
"""Bytes that left-out logits of several penalties may take at a time."""


class Solution(Protocol):
    """One kind of head, decomposed once for all penalties, in coordinates."""

    @property
    def vectors(self) -> Floats | None:
        """The axes (r, r), in columns, that it takes rows in; None for rows as they are."""
        ...

    def weights(self, k: int) -> tuple[Floats, Floats]:
        """Weight (r, C) and bias (C,) at penalty k."""
        ...

    def left_out(self, turned: Floats, targets: Floats, weights: Floats, which: slice) -> Floats:
        """Logits (L, g, m, C) at some penalties, each group left out of the fit as a whole.

        Args:
            turned: (g, m, r), g groups of m rows, in the axes of ``vectors``.
            targets: (g, m, C).
            weights: (g, m).
            which: the L penalties.
        """
        ...


Solve = Callable[[Statistics], Solution]


class Path:
    """One kind of head at many penalties.

    Args:
        kind: name of the head.
        coordinates: the training rows.
        penalties: absolute, all positive where the head needs one.
        solve: statistics of coordinates -> solution.

    Raises:
        TrainingError: all rows are of one group: nothing can be left out.
    """

    def __init__(self, kind: str, coordinates: Coordinates, penalties: Sequence[float], solve: Solve) -> None:  # fmt: skip
        data = coordinates.data
        if (data.groups == data.groups[0]).all():
            raise TrainingError(
                "one-group", given="all training items are of one group", expected="at least two groups",
                next="Give items of another group, or a finer --group-by.",
            )  # fmt: skip
        self.kind, self.coordinates, self.penalties = kind, coordinates, tuple(penalties)
        self.asked = data
        self._solve, self._solution = solve, solve(coordinates.statistics)
        self._begin()

    def _begin(self) -> None:
        """Nothing is left out yet."""
        self._chunk: tuple[slice, Floats] | None = None

    @property
    def chunks(self) -> tuple[slice, ...]:
        """The penalties, as many at a time as there is room for."""
        classes, scored, many = self.asked.targets.shape[1], int(self.asked.scored.sum()), len(self.penalties)  # fmt: skip
        step = max(1, ROOM // (8 * classes * max(BLOCK, scored)))
        return tuple(slice(start, min(start + step, many)) for start in range(0, many, step))

    def on(self, some: TrainingRows) -> Path:
        """The same heads, asked about some of the rows that they were fitted on: whole groups, each left out as before.

        Only where coordinates are the scaled features themselves.
        """
        if self.coordinates.held is not None:
            raise ValueError("rows in a basis of their own are few: ask about all of them")
        other = copy(self)
        other.asked = some
        other._begin()
        return other

    def head(self, k: int) -> LinearHead:
        """The head fitted on all rows at penalty k, at temperature 1."""
        weight, bias = self._solution.weights(k)
        lifted = self.coordinates.lift(weight)
        return linear_head(self.kind, lifted, bias, self.coordinates.scaling, self.penalties[k])

    def leave_one_out(self, k: int) -> Floats:
        """Logits (S, C) of the scored rows at penalty k, each with its whole group left out.

        Exactly those of a head fitted anew without the group, with scaling and weights unchanged.
        """
        which = next(chunk for chunk in self.chunks if k < chunk.stop)
        if self._chunk is None or self._chunk[0] != which:
            self._chunk = which, left_out([self], [which])[0]
        logits: Floats = self._chunk[1][k - which.start]
        return logits

    def judge(self, batch: GroupRows, which: slice) -> Floats:
        """Logits (L, g, m, C) of whole groups, each left out."""
        if batch.plain.shape[1] > self.coordinates.width:
            return self._refitted(batch.plain, batch.targets, batch.weights, which)
        turned = batch.along(self._solution.vectors)
        return self._solution.left_out(turned, batch.targets, batch.weights, which)

    def _refitted(self, rows: Floats, targets: Floats, weights: Floats, which: slice) -> Floats:
        """Groups of more rows than dimensions: it is cheaper to fit anew without each of them."""
        found = np.empty((which.stop - which.start, *targets.shape))
        for g in range(len(rows)):
            rest = self.coordinates.statistics.remove(rows[g], targets[g], weights[g])
            solution = self._solve(rest)
            for at, k in enumerate(range(which.start, which.stop)):
                weight, bias = solution.weights(k)
                found[at, g] = rows[g] @ weight + bias
        return found


class GroupRows:
    """Some groups of one size as heads see them, turned once for all heads of the same axes.

    Attributes:
        plain: (g, m, r) coordinates.
        targets: (g, m, C).
        weights: (g, m).
    """

    def __init__(self, coordinates: Coordinates, data: TrainingRows, batch: Batch) -> None:
        self.plain = coordinates.of(batch).reshape(*batch.index.shape, -1)
        self.targets, self.weights = data.targets[batch.index], data.weights[batch.index]
        self._turned: list[tuple[Floats, Floats]] = []

    def along(self, axes: Floats | None) -> Floats:
        """The rows (g, m, r) in some axes (r, r), in columns."""
        if axes is None:
            return self.plain
        known = next((turned for kept, turned in self._turned if kept is axes), None)
        if known is not None:
            return known
        turned = (self.plain.reshape(-1, len(axes)) @ axes).reshape(self.plain.shape)
        self._turned.append((axes, turned))
        return turned


def left_out(paths: Sequence[Path], which: Sequence[slice]) -> list[Floats]:
    """What each path says of the scored rows at its penalties ``which``, (L, S, C) each, in one pass over the rows.

    Args:
        paths: of the same coordinates, asked about the same rows.
        which: for each path.
    """
    first = paths[0]
    if any(p.asked is not first.asked or p.coordinates is not first.coordinates for p in paths):
        raise ValueError("paths that are asked together have the same rows and coordinates")
    data, place = first.asked, first.asked.place
    scores, classes = int(data.scored.sum()), data.targets.shape[1]
    found = [np.empty((part.stop - part.start, scores, classes)) for part in which]
    for batch in whole_groups(data):
        rows = GroupRows(first.coordinates, data, batch)
        scored = data.scored[batch.index]
        for path, part, logits in zip(paths, which, found, strict=True):
            logits[:, place[batch.index[scored]]] = path.judge(rows, part)[:, scored]
    return found
