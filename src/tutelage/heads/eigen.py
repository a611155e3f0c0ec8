"""Short-stepped linear algebra, on one thread: the decomposition that every path comes from, and its like."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def one_thread() -> AbstractContextManager[Any]:
    """Within it, linear algebra runs on one thread.

    For work in many short steps: two threads gain a third on an idle machine, and lose a factor of 25
    (seen: an ``eigh`` of 1,280 took 12 s instead of 0.5 s) while they wait for each other on a busy one.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(limits=1, user_api="blas")
    return limits


def eigen(matrix: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues (r,), rising, and eigenvectors (r, r), in columns, of a symmetric matrix (r, r)."""
    with one_thread():
        values, vectors = np.linalg.eigh(matrix)
    return np.asarray(values), np.asarray(vectors)


def solve_symmetric(matrix: Floats, right: Floats) -> Floats:
    """``matrix^-1 right`` (r, C) for a symmetric positive matrix (r, r)."""
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)
