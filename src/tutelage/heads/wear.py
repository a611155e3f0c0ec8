"""Wear: how features move when items change in ways that must not matter; heads are pressed not to answer it.

Training on worn copies of all items adds, to second order, the penalty ``sum w |d B|^2`` on a linear head's weight B for
the movements d of its features (Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural Computation
7, 1995). So a sample of items is enough: its movements are added to the scatter as a fixed matrix, which no item that is
left out, forgotten or added changes. Labels play no part in it, nor does nearest mean, which has no metric to press.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tutelage.heads.rows import TrainingRows
from tutelage.heads.scaling import Scaling

Floats = npt.NDArray[np.float64]

SHARE = 0.5
"""Weight of an item's worn copies beside its own."""


def movements(data: TrainingRows, scaling: Scaling) -> Floats:
    """E (M, D): how scaled features move, so that ``|E B|^2`` is the penalty; M is 0 where no wear is known."""
    if data.wear is None:
        return np.zeros((0, data.rows.shape[1]))
    moved = scaling.apply(data.wear.worn) - scaling.apply(data.wear.plain)
    return np.asarray(moved * np.sqrt(SHARE * data.weights.sum() / len(moved)))
