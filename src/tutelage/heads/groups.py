"""Whole groups, batched by size: what is left out together must be looked at together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.heads.rows import BLOCK, Block, TrainingRows

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Some groups of one size.

    Attributes:
        index: (g, m) which rows they are: g groups of m rows.
        rows: (g * m, D) float32, in the order of ``index``.
    """

    index: Ints
    rows: Block


def whole_groups(data: TrainingRows) -> Iterator[Batch]:
    """Every group exactly once, in one pass over the rows.

    Rows wait in memory (float32) only until the last one of their group was read: none for single
    rows, almost none for the views of an image, which are neighbours.
    """
    _, number, sizes = np.unique(data.groups, return_inverse=True, return_counts=True)
    unseen = sizes.copy()
    waiting, features = np.empty(0, np.int64), np.empty((0, data.rows.shape[1]), np.float32)
    start = 0
    for block in data.rows:
        index = np.arange(start, start + len(block))
        start += len(block)
        np.subtract.at(unseen, number[index], 1)
        if len(waiting):
            index, block = np.concatenate([waiting, index]), np.concatenate([features, block])
        whole = unseen[number[index]] == 0
        waiting, features = index[~whole], block[~whole]
        yield from _by_size(index, block, whole, number, sizes)


def _by_size(index: Ints, block: Block, whole: npt.NDArray[np.bool_], number: Ints, sizes: Ints) -> Iterator[Batch]:  # fmt: skip
    for size in np.unique(sizes[number[index[whole]]]):
        chosen = np.flatnonzero(whole & (sizes[number[index]] == size))
        chosen = chosen[np.argsort(number[index[chosen]], kind="stable")]
        step = max(1, BLOCK // int(size)) * int(size)
        for at in range(0, len(chosen), step):
            some = chosen[at : at + step]
            yield Batch(index[some].reshape(-1, size), block[some])


def folds(groups: Ints, truth: Ints, count: int) -> Ints:
    """The fold (R,) of each row: groups stay whole, classes are dealt evenly, nothing is drawn.

    Args:
        groups: (R,).
        truth: class indices (R,); a group counts for the class of its first row.
        count: number of folds; fewer are used if there are fewer groups.
    """
    _, first, number = np.unique(groups, return_index=True, return_inverse=True)
    order = np.lexsort((first, truth[first]))
    dealt = np.empty(len(first), np.int64)
    dealt[order] = np.arange(len(first)) % max(1, min(count, len(first)))
    return dealt[number]


def rounds(groups: Ints, truth: Ints) -> Ints:
    """The round (R,) of each row: round k holds the k-th group of every class.

    With few items a class, leaving out one alone makes its class the smallest, and heads lean away from
    the truth; leaving out one of *each* class keeps them even.

    Args:
        groups: (R,).
        truth: class indices (R,); a group counts for the class of its first row.
    """
    _, first, number = np.unique(groups, return_index=True, return_inverse=True)
    order = np.lexsort((first, truth[first]))
    ordered = truth[first][order]
    dealt = np.empty(len(first), np.int64)
    dealt[order] = np.arange(len(first)) - np.searchsorted(ordered, ordered)
    return dealt[number]
