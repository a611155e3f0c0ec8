"""Class weights: how much a rare class counts; fixed once, and part of the model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BALANCED_ENOUGH = 3.0
"""Up to this ratio between the largest and the smallest class all items weigh the same."""


def class_weights(targets: npt.ArrayLike, groups: npt.ArrayLike | None = None) -> Floats:
    """Weight of each item (N,), 1 on average, so that rare classes are heard.

    Up to a ratio of 3 between the largest and the smallest class all weights are 1: probabilities then
    carry the shares that the classes really have. Beyond, an item weighs ``1 / sqrt(n_c)`` (n_c items
    in its class), half-way between accuracy (no weights) and balanced accuracy (``1 / n_c``), as in
    square-root sampling (Mahajan et al., ECCV 2018, section 2.2; Kang et al., ICLR 2020, section 4.1).

    Args:
        targets: (N, C), one-hot.
        groups: (N,) if given, a class is as large as its number of groups: copies are not evidence.

    Example:
        >>> class_weights(np.repeat(np.eye(2), [16, 4], axis=0))[[0, -1]]
        array([0.83333333, 1.66666667])
    """
    table = np.asarray(targets, dtype=np.float64)
    sizes = _sizes(table, groups)
    present = sizes > 0
    if not present.any() or sizes.max() <= BALANCED_ENOUGH * sizes[present].min():
        return np.ones(len(table))
    inverse = np.where(present, 1.0 / np.sqrt(np.where(present, sizes, 1.0)), 0.0)
    weights = table @ inverse
    return np.asarray(weights / weights.mean())


def _sizes(table: Floats, groups: npt.ArrayLike | None) -> Floats:
    if groups is None:
        return np.asarray(table.sum(0))
    pairs = np.unique(np.stack([np.asarray(groups, dtype=np.int64), table.argmax(1)]), axis=1)
    return np.bincount(pairs[1], minlength=table.shape[1]).astype(np.float64)
