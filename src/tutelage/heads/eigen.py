"""The one decomposition that every path of penalties comes from, and its like for one penalty."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def eigen(matrix: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues (r,), rising, and eigenvectors (r, r), in columns, of a symmetric matrix (r, r).

    On one thread: its steps are so short that two threads gain a third on an idle machine, and lose a
    factor of 25 (seen: 0.5 s became 12 s at r = 1,280) while they wait for each other on a busy one.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1, user_api="blas"):
        values, vectors = np.linalg.eigh(matrix)
    return np.asarray(values), np.asarray(vectors)


def solve_symmetric(matrix: Floats, right: Floats) -> Floats:
    """``matrix^-1 right`` (r, C) for a symmetric positive matrix (r, r)."""
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)
