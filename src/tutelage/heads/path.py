"""A path: one head at many penalties, all from one decomposition, each with every group left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tutelage.errors import TrainingError
from tutelage.heads.coordinates import Coordinates
from tutelage.heads.groups import whole_groups
from tutelage.heads.linear import LinearHead, linear_head
from tutelage.heads.rows import BLOCK, TrainingRows
from tutelage.heads.statistics import Statistics

Floats = npt.NDArray[np.float64]

ROOM = 32 * 2**20
"""Bytes that left-out logits of several penalties may take at a time."""


class Solution(Protocol):
    """One kind of head, decomposed once for all penalties, in coordinates."""

    def weights(self, k: int) -> tuple[Floats, Floats]:
        """Weight (r, C) and bias (C,) at penalty k."""
        ...

    def left_out(self, rows: Floats, targets: Floats, weights: Floats, which: slice) -> Floats:
        """Logits (L, g, m, C) at some penalties, each group left out of the fit as a whole.

        Args:
            rows: (g, m, r), g groups of m rows.
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
        """Nothing is left out yet; so many penalties fit at a time."""
        classes, scored = self.asked.targets.shape[1], int(self.asked.scored.sum())
        self._step = max(1, ROOM // (8 * classes * max(BLOCK, scored)))
        self._chunk: tuple[int, Floats] | None = None

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
        number = k // self._step
        if self._chunk is None or self._chunk[0] != number:
            which = slice(number * self._step, min((number + 1) * self._step, len(self.penalties)))
            self._chunk = number, self._left_out(which)
        logits: Floats = self._chunk[1][k - number * self._step]
        return logits

    def _left_out(self, which: slice) -> Floats:
        data, place = self.asked, self.asked.place
        classes = data.targets.shape[1]
        found = np.empty((which.stop - which.start, int(data.scored.sum()), classes))
        for batch in whole_groups(data):
            shape = batch.index.shape
            rows = self.coordinates.of(batch).reshape(*shape, -1)
            targets, weights = data.targets[batch.index], data.weights[batch.index]
            large = shape[1] > self.coordinates.width
            judge = self._refitted if large else self._solution.left_out
            logits = judge(rows, targets, weights, which)
            scored = data.scored[batch.index]
            found[:, place[batch.index[scored]]] = logits[:, scored]
        return found

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
