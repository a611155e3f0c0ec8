"""A head again, from sufficient statistics alone: after rows were added to them, or taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.heads import lda, nearest_mean, ridge
from tutelage.heads.linear import LinearHead, linear_head
from tutelage.heads.scaling import Scaling
from tutelage.heads.spanned import Spanned
from tutelage.heads.statistics import Statistics

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One closed form in a head; of several, the logits over their own temperatures are averaged.

    Attributes:
        kind: nearest mean, ridge or lda.
        penalty: absolute.
        temperature: that its logits are divided by.
    """

    kind: str
    penalty: float
    temperature: float = 1.0


def part_of(head: LinearHead, *, alone: bool) -> Part:
    """A fitted head as a part: alone it keeps its temperature outside."""
    return Part(head.kind, head.penalty, 1.0 if alone else head.temperature)


def refit(parts: Sequence[Part], spanned: Spanned, scaling: Scaling) -> LinearHead:
    """The head that fitting anew on the same rows would give, at temperature 1.

    Args:
        parts: at least one.
        spanned: statistics of the rows, scaled.
        scaling: how they are scaled.
    """
    solved = [_solved(part, spanned.statistics) for part in parts]
    weight = np.mean([w / part.temperature for part, (w, _) in zip(parts, solved, strict=True)], axis=0)  # fmt: skip
    bias = np.mean([b / part.temperature for part, (_, b) in zip(parts, solved, strict=True)], axis=0)  # fmt: skip
    kind = " + ".join(part.kind for part in parts)
    return linear_head(kind, spanned.lift(weight), bias, scaling, parts[-1].penalty)


def _solved(part: Part, statistics: Statistics) -> tuple[Floats, Floats]:
    if part.kind == nearest_mean.KIND:
        return nearest_mean.MeanSolution(statistics).weights(0)
    return {ridge.KIND: ridge.fit, lda.KIND: lda.fit}[part.kind](statistics, part.penalty)


def row_weights(statistics: Statistics, sizes: Mapping[int, int]) -> Floats:
    """What a row of each class weighs (C,): as its rows do; for a new class, as one of its size would.

    Weights follow the inverse square root of the class size (``weights``) or are all the same.

    Args:
        sizes: rows to come of each new class.
    """
    known = statistics.count > 0
    own = np.where(known, statistics.mass / np.where(known, statistics.count, 1), 0.0)
    even = np.ptp(own[known]) <= 1e-9 * own[known].max()
    level = float(np.mean(own[known] * np.sqrt(statistics.count[known])))
    for c, rows in sizes.items():
        if not known[c]:
            own[c] = own[known][0] if even else level / np.sqrt(rows)
    return np.asarray(own)
