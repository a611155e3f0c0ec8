"""Scaling: how features are made comparable; fixed once, and part of the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.errors import TrainingError
from tutelage.heads.rows import Rows

Floats = npt.NDArray[np.float64]

TINY = 1e-12
"""Shortest length that a row is divided by (the same as in ``torch.nn.functional.normalize``)."""


@dataclass(frozen=True)
class Scaling:
    """``z = (x - shift) * scale``, then, if ``normalise``, divided by its length.

    Attributes:
        shift: (D,) the weighted mean.
        scale: (D,) one over a standard deviation.
        normalise: whether each row is brought to length one.
    """

    shift: Floats
    scale: Floats
    normalise: bool = False

    def apply(self, rows: npt.NDArray[np.floating]) -> Floats:
        """Features (n, D) -> scaled features (n, D), float64."""
        scaled: Floats = (rows - self.shift) * self.scale
        if self.normalise:
            scaled /= np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), TINY)
        return scaled


def fit_scaling(
    rows: Rows, weights: npt.NDArray[np.floating], *, each: bool = True, normalise: bool = False
) -> Scaling:
    """Weighted mean and standard deviation of the features, in one pass (Chan et al. 1983).

    Args:
        rows: (R, D).
        weights: (R,).
        each: divide every feature by its own deviation (a feature that never varies becomes 0);
            else all by one, the root mean square of theirs, which keeps their proportions.
        normalise: kept in the result.

    Raises:
        TrainingError: a feature is NaN or infinite, or all weights are zero.
    """
    mean, scatter, mass, start = np.zeros(rows.shape[1]), np.zeros(rows.shape[1]), 0.0, 0
    for block in rows:
        share = np.asarray(weights[start : start + len(block)], dtype=np.float64)
        values = block.astype(np.float64)
        refuse_broken(values, start)
        start += len(block)
        here = float(share.sum())
        if here <= 0:
            continue
        centre = share @ values / here
        away = centre - mean
        scatter += share @ np.square(values - centre) + away**2 * (mass * here / (mass + here))
        mean += away * (here / (mass + here))
        mass += here
    variance = scatter / _positive(mass)
    spread = variance if each else np.full_like(variance, variance.mean())
    return Scaling(mean, _inverse(np.sqrt(spread), mean), normalise)


def _inverse(deviation: Floats, mean: Floats) -> Floats:
    """1 / deviation; 0 where it is nothing but rounding, of the mean or of what the other features are made of."""
    usual = float(np.sqrt(np.mean(deviation**2)))
    varies = deviation > 1e-6 * (np.abs(mean) + usual) + TINY
    return np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 0.0)


def _positive(mass: float) -> float:
    if mass > 0:
        return mass
    raise TrainingError(
        "no-weight", given="all training rows weigh nothing", expected="at least one positive weight",
        next="Give class weights above zero.",
    )  # fmt: skip


def refuse_broken(values: npt.NDArray[np.floating], start: int = 0) -> None:
    """Refuse features that are not finite.

    Raises:
        TrainingError: it names the first such row.
    """
    if np.isfinite(values).all():
        return
    row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
    raise TrainingError(
        "broken-features", given=f"the features of row {start + row} hold NaN or infinity",
        expected="finite features",
        next="See whether the teacher's weights or its engine are broken with: tutelage doctor",
    )  # fmt: skip
