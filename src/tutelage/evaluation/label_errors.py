"""Suspected label errors, by confident learning on probabilities that never saw the item."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def suspected(probabilities: npt.NDArray[np.float64], given: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:  # fmt: skip
    """Items whose label is probably wrong, the surest first.

    The confident joint (Northcutt, Jiang and Chuang, JAIR 2021, section 3.1): a class is believed of an item
    if its probability reaches the mean probability of that class over the items that bear it; of several the
    most probable counts. An item is suspected if another class than its own is believed.

    Args:
        probabilities: left out or out of fold (N, C).
        given: labels (N,).

    Returns:
        Indices of the suspected, by how much less probable the given label is than the believed one.

    Example:
        >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.05, 0.95]])
        >>> suspected(p, np.array([0, 0, 1, 0])).tolist()
        [3]
    """
    classes = probabilities.shape[1]
    own = probabilities[np.arange(len(given)), given]
    thresholds = np.array([own[given == c].mean() if (given == c).any() else np.inf for c in range(classes)])  # fmt: skip
    believed = np.where(probabilities >= thresholds, probabilities, -np.inf)
    best = believed.argmax(1)
    doubted = np.flatnonzero(np.isfinite(believed.max(1)) & (best != given))
    margin = own[doubted] - probabilities[doubted, best[doubted]]
    return doubted[np.argsort(margin, kind="stable")]
