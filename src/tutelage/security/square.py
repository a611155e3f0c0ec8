"""Square attack (Andriushchenko et al., ECCV 2020): random search by queries, without any gradient.

Where it beats a white-box attack, the gradient was masked and the white-box figure says nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.modality.perturb import Perturb

FIRST = 0.3
"""Share of the area that the first squares change (the paper's p is 0.8 for L-infinity at 10,000 queries)."""

Ask = Callable[[npt.NDArray[Any]], npt.NDArray[np.floating]]
"""Settled windows (N, ...) -> probabilities (N, C)."""

HALVINGS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Shares of the queries after which the area halves (the paper's section 4.2, at its 10,000 queries)."""


def square(ask: Ask, windows: npt.NDArray[Any], truth: npt.NDArray[np.int64], budget: float, perturb: Perturb, *, queries: int, seed: int) -> npt.NDArray[Any]:  # fmt: skip
    """Settled windows inside the budget; an item that is answered wrongly is not asked again.

    It starts at vertical stripes where they are better than the item itself.

    Args:
        ask: the student.
        windows: (N, H, W, C).
        truth: (N,).
        budget: see ``Perturb``.
        queries: an item, at most.
        seed: of the search.
    """
    rng = np.random.default_rng(seed)
    stripes = rng.choice([-budget, budget], (len(windows), 1, *windows.shape[2:]))
    best, margins = windows.copy(), _margins(ask(windows), truth)
    tried = perturb.settle(windows + stripes, windows, budget)
    found = _margins(ask(tried), truth)
    better = found < margins
    best[better], margins[better] = tried[better], found[better]
    rounds = queries - 2
    for done in range(rounds):
        active = np.flatnonzero(margins > 0)
        if not len(active):
            break
        tried = _squares(best[active], windows[active], budget, perturb, _side(done / rounds, windows.shape), rng)  # fmt: skip
        found = _margins(ask(tried), truth[active])
        better = found < margins[active]
        best[active[better]], margins[active[better]] = tried[better], found[better]
    return best


def _side(done: float, shape: tuple[int, ...]) -> int:
    halvings = sum(done > share for share in HALVINGS)
    return max(1, round(float(np.sqrt(FIRST / 2**halvings * shape[1] * shape[2]))))


def _squares(now: npt.NDArray[Any], origin: npt.NDArray[Any], budget: float, perturb: Perturb, side: int, rng: np.random.Generator) -> npt.NDArray[Any]:  # fmt: skip
    height, width, channels = now.shape[1:]
    side, values = min(side, height, width), now.astype(np.float64)
    for row in range(len(now)):
        top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        area = (row, slice(top, top + side), slice(left, left + side))
        values[area] = origin[area] + rng.choice([-budget, budget], (1, 1, channels))
    return perturb.settle(values, origin, budget)


def _margins(probabilities: npt.NDArray[np.floating], truth: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:  # fmt: skip
    """Log-probability of the truth minus that of the next best; negative is fooled."""
    logs = np.log(np.maximum(probabilities, 1e-30))
    rows = np.arange(len(truth))
    own = logs[rows, truth]
    logs[rows, truth] = -np.inf
    found: npt.NDArray[np.float64] = own - logs.max(1)
    return found
