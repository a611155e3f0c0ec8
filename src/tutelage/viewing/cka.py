"""Linear CKA: how alike two networks see the same items (Kornblith et al., ICML 2019, section 3).

    CKA(X, Y) = ||Y'X||_F^2 / (||X'X||_F ||Y'Y||_F),   columns centred

computed from Gram matrices, because there are fewer items than values. 1 means alike up to a rotation and a
scale. Of few items and many values even unlike networks come out above 0: compare stages, not figures.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def linear_cka(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> float:
    """CKA of two tables of the same items, (N, D) and (N, E).

    Example:
        >>> x = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
        >>> round(linear_cka(x, 5 * x[:, ::-1]), 6)
        1.0
    """
    return gram_cka(gram(first), gram(second))


def gram(table: npt.NDArray[np.floating]) -> Floats:
    """Inner products (N, N) of centred rows."""
    centred = table.astype(np.float64) - table.mean(0, dtype=np.float64)
    products: Floats = centred @ centred.T
    return products


def gram_cka(first: Floats, second: Floats) -> float:
    """CKA from two Gram matrices of centred rows (N, N); 0 where one of them is zero."""
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float((first * second).sum() / size) if size > 0 else 0.0
