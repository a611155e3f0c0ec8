"""NLEEP: LEEP for a teacher without a classifier: clusters of the features stand in for its classes (Li et al., CVPR 2021)."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from tutelage.advisor.leep import labelled, leep
from tutelage.heads.eigen import threads_for

Floats = npt.NDArray[np.float64]

ENERGY = 0.8
"""Share of the variance that the principal components keep."""
PER_CLASS = 5
"""Clusters a class, as in the benchmark of Shao et al., ECCV 2022."""
PER_CLUSTER = 5
"""Items a cluster at least: with as many clusters as items every labelling looks perfect."""


def nleep(features: npt.ArrayLike, truth: npt.ArrayLike, *, seed: int = 0) -> float:
    """LEEP of the memberships in a Gaussian mixture on principal components, in nats; 0 is best.

    Li et al., "Ranking Neural Checkpoints", CVPR 2021 (arXiv 2011.11200), with LEEP's formula. The covariances
    are diagonal in the principal axes: full ones need more items than a small task has, and
    O(N D^2) for each cluster.

    Args:
        features: (N, D).
        truth: class indices (N,).
        seed: of the clusters' start.

    Raises:
        TrainingError: a feature is not finite.
        DataError: fewer than two items, one class, or unequal lengths.

    Example:
        >>> near = [[0.0, c] for c in (0.0, 0.1, 0.2, 0.3, 0.4, 9.0, 9.1, 9.2, 9.3, 9.4)]
        >>> nleep(near, [0] * 5 + [1] * 5) > nleep(near, [0, 1] * 5)
        True
    """
    table, answer = labelled(features, truth)
    items, wanted = len(answer), PER_CLASS * (int(answer.max()) + 1)
    clusters = max(1, min(wanted, items // PER_CLUSTER))
    with threads_for(*table.shape):
        return leep(_memberships(_reduced(table), clusters, seed), answer)


def _reduced(table: Floats) -> Floats:
    """Principal components (N, d) that keep ``ENERGY``, divided by one scale; one of zeros if nothing varies."""
    from sklearn.decomposition import PCA

    if not np.ptp(table, axis=0).any():
        return np.zeros((len(table), 1))
    tall = table.shape[0] > table.shape[1]
    components = PCA(ENERGY, svd_solver="covariance_eigh" if tall else "full")
    found: Floats = components.fit_transform(table)
    return np.asarray(found / found.std())


def _memberships(rows: Floats, clusters: int, seed: int) -> Floats:
    """Probability of each cluster for each row (N, clusters)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(clusters, covariance_type="diag", random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct rows than clusters
        found: Floats = mixture.fit(rows).predict_proba(rows)
    return found
