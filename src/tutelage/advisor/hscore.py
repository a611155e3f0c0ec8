"""H-score: how much of the features' spread the classes explain, in every direction alike (Bao et al. 2019)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tutelage.advisor.leep import labelled
from tutelage.advisor.logme import projections

Floats = npt.NDArray[np.float64]


def hscore(features: npt.ArrayLike, truth: npt.ArrayLike, *, shrinkage: float | None = None) -> float:  # fmt: skip
    """``tr(S_a^-1 (1 - a) cov(E[f | y]))`` with ``S_a = (1 - a) cov(f) + a tr(cov(f)) / D I``; larger is better.

    Bao et al., "An Information-Theoretic Approach to Transferability in Task Transfer Learning", ICIP
    2019 (a = 0); shrinkage as in Ibrahim et al., "Newer is not always better", 2021 (arXiv 2110.06893),
    with a by Ledoit and Wolf 2004. Covariances are divided by N. Between 0 and C - 1.
    O(N D min(N, D)). With a = 0, unmoved by invertible linear maps of the features.

    Args:
        features: (N, D).
        truth: class indices (N,).
        shrinkage: a in [0, 1]; Ledoit and Wolf's if not given. With 0, directions that the items do
            not span are left out (pseudo-inverse), and for N <= D the score is C - 1 whatever the labels.

    Raises:
        TrainingError: a feature is not finite.
        DataError: fewer than two items, one class, or unequal lengths.

    Example:
        >>> round(hscore([[0.0], [0.0], [1.0], [1.0]], [0, 0, 1, 1], shrinkage=0), 6)
        1.0
    """
    table, answer = labelled(features, truth)
    centred = np.where(np.ptp(table, axis=0) > 0, table - table.mean(0), 0.0)
    values, turned = projections(centred, answer)
    values = values / len(answer)
    share = ledoit_wolf(centred, values) if shrinkage is None else shrinkage
    explained = (np.square(turned) / np.bincount(answer)[:, None]).sum(0)
    shrunk = (1 - share) * values + share * values.sum() / table.shape[1]
    return float((1 - share) * (values / shrunk * explained).sum())


def ledoit_wolf(centred: Floats, values: Floats) -> float:
    """The shrinkage with the least expected error of the covariance (Ledoit and Wolf 2004, section 3.3).

    Args:
        centred: (N, D).
        values: eigenvalues of its covariance (r,), those that are nought left out.
    """
    items, width = centred.shape
    squares = float(np.square(values).sum())
    far = squares - float(values.sum()) ** 2 / width
    noise = float(np.square(np.square(centred).sum(1)).sum()) / items**2 - squares / items
    return min(noise / far, 1.0) if far > 0 and noise > 0 else float(noise > 0)
