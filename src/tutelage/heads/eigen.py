"""The decomposition that every path of penalties comes from, its like for one penalty, and their threads."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LONG = 3e10
"""Multiplications (two to three seconds on one core) from which more threads are worth their risk."""
EIGEN = 3
"""What a decomposition of (r, r) takes, in r^3 multiplications at the pace of a product, as measured."""


def threads_for(rows: int, width: int) -> AbstractContextManager[Any]:
    """Within it, linear algebra on (rows, width) runs on one thread, unless it is very much.

    Most of it are short steps: on an idle machine two threads gain a third, but on a busy one they wait
    for each other (seen: an ``eigh`` of 1,280 took 12 s instead of 0.5 s). One thread also rounds the
    same everywhere.
    """
    if takes_long(rows, width):
        return nullcontext()
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(limits=1, user_api="blas")
    return limits


def takes_long(rows: int, width: int) -> bool:
    """Whether linear algebra on (rows, width) is so much that it runs on all threads, alone."""
    return float(rows) * width * min(rows, width) > LONG


def eigen(matrix: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues (r,), rising, and eigenvectors (r, r), in columns, of a symmetric matrix (r, r)."""
    with threads_for(EIGEN * len(matrix), len(matrix)):
        values, vectors = np.linalg.eigh(matrix)
    return np.asarray(values), np.asarray(vectors)


def solve_symmetric(matrix: Floats, right: Floats) -> Floats:
    """``matrix^-1 right`` (r, C) for a symmetric positive matrix (r, r)."""
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)
