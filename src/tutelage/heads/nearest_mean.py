"""Nearest mean: the class whose mean is closest; the squared distance, as linear logits.

``-|z - m_c|^2 / 2 = z' m_c - |m_c|^2 / 2 + (a term that all classes share)``. With scaled rows of
length one it is the prototype classifier of few-shot learning (Snell et al. 2017; Wang et al. 2019,
"SimpleShot").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.heads.coordinates import Coordinates, coordinates
from tutelage.heads.discriminant import Products, removal
from tutelage.heads.path import Path
from tutelage.heads.rows import TrainingRows
from tutelage.heads.scaling import Scaling
from tutelage.heads.statistics import Statistics

Floats = npt.NDArray[np.float64]

KIND = "nearest mean"


def path(data: TrainingRows, scaling: Scaling, penalties: Sequence[float] = (0.0,), *, within: Coordinates | None = None) -> Path:  # fmt: skip
    """The nearest-mean head; it has no penalty, so the path has one place whatever is given."""
    return Path(KIND, within or coordinates(data, scaling), penalties[:1], MeanSolution)


@dataclass(frozen=True)
class MeanSolution:
    """Class means; ``statistics`` are those of all rows."""

    statistics: Statistics
    vectors: None = None

    def weights(self, k: int) -> tuple[Floats, Floats]:
        """Weight (r, C) and bias (C,); a class without rows cannot win."""
        means = self.statistics.means
        bias = np.where(self.statistics.count == 0, -np.inf, -0.5 * np.square(means).sum(1))
        return means.T.copy(), bias

    def left_out(self, turned: Floats, targets: Floats, weights: Floats, which: slice) -> Floats:
        """See ``Solution``."""
        left, means = removal(self.statistics, targets, weights), self.statistics.means
        away = turned - means[left.truth]
        gram = means @ means.T
        products = Products(
            mean_mean=np.broadcast_to(np.diag(gram), (1, len(turned), len(gram))),
            own_mean=gram[left.truth][None], row_mean=(away @ means.T)[None],
            row_row=(away @ away.swapaxes(1, 2))[None],
        )  # fmt: skip
        score, length = products.scores(left)
        return np.where((left.empty | (self.statistics.count == 0))[None, :, None, :], -np.inf, score - 0.5 * length)  # fmt: skip
