"""Separability: what share of a channel's variance lies between classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def separability(table: npt.NDArray[np.floating], truth: npt.NDArray[np.integer]) -> Floats:
    """For each column the variance between classes over all of it, less what chance alone gives.

    ``1 - (1 - eta^2) (N - 1) / (N - C)`` (the adjustment of Kelley 1935), never below 0; 0 for a column that
    does not vary, and where there are no more items than classes.

    Args:
        table: (N, D), e.g. a stage's pooled output.
        truth: class indices (N,).

    Returns:
        (D,) in 0..1.

    Example:
        >>> separability(np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 0, 1, 1])).tolist()
        [1.0]
    """
    values = table.astype(np.float64)
    kinds, numbers = np.unique(truth, return_inverse=True)
    spare = len(values) - len(kinds)
    if spare < 1:
        return np.zeros(values.shape[1])
    belongs = np.eye(len(kinds))[numbers]
    means = (belongs.T @ values) / belongs.sum(0)[:, None]
    total = np.square(values - values.mean(0)).sum(0)
    within = np.square(values - means[numbers]).sum(0)
    varies = total > 1e-12 * np.maximum(1.0, np.square(values).sum(0))
    left = np.where(varies, within / np.where(varies, total, 1.0), 1.0)
    shares: Floats = np.clip(1 - left * (len(values) - 1) / spare, 0.0, 1.0)
    return np.where(varies, shares, 0.0)


def telling(shares: Floats, count: int) -> tuple[int, ...]:
    """The ``count`` channels that tell classes apart best, the best first; ties by number.

    Example:
        >>> telling(np.array([0.1, 0.5, 0.5]), 2)
        (1, 2)
    """
    return tuple(int(i) for i in np.argsort(-shares, kind="stable")[:count])
