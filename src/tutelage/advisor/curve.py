"""The learning curve: how the error falls with the number of training items, and what twice as many would gain.

``error(n) = a + b n^-c`` with a, b >= 0 and c in [0.1, 1] (Cortes et al., NIPS 1994; Viering and Loog,
"The Shape of Learning Curves: a Review", IEEE TPAMI 2023).
For each c of a grid a and b are weighted least squares in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError

Floats = npt.NDArray[np.float64]

EXPONENTS = np.linspace(0.1, 1.0, 19)
FEWEST = 3
SURE = 1e-4
"""No standard error is taken to be smaller: ten right of ten is not certainty."""


@dataclass(frozen=True)
class Curve:
    """A fitted learning curve.

    Attributes:
        floor: a, the error that more items would not mend.
        scale: b.
        exponent: c.
        items: the largest size it was fitted on.
        gain: ``error(items) - error(2 items)``, 0 or more.
        low: of the gain.
        high: of the gain.
    """

    floor: float
    scale: float
    exponent: float
    items: int
    gain: float
    low: float
    high: float

    def error(self, items: float) -> float:
        """Expected error of a head that learned from so many items."""
        return float(self.floor + self.scale * items**-self.exponent)


@dataclass(frozen=True)
class _Fits:
    """A fit for each exponent (E,): floor, scale, standard error of the scale, and misfit (chi-square)."""

    floor: Floats
    scale: Floats
    deviation: Floats
    misfit: Floats


def fit_curve(sizes: Sequence[int], errors: Sequence[float], deviations: Sequence[float], *, level: float = 0.95) -> tuple[Curve | None, str]:  # fmt: skip
    """The learning curve through errors at some training sizes, and what it says; or None, and why.

    The interval of the gain is of profile likelihood (Venzon and Moolgavkar 1988): for each exponent the
    delta method's, narrowed by how much worse that exponent fits, and their union. Errors of the sizes
    are taken as independent; at nested sizes they go together, so it is rather too wide than too narrow.

    Args:
        sizes: training items (S,), each at least one.
        errors: error, or log-loss in nats, of items that were left out (S,).
        deviations: their standard errors (S,).
        level: of the interval of the gain.

    Returns:
        (curve, a sentence), or (None, the reason): fewer than three sizes, or an error that does not fall.

    Raises:
        DataError: unequal lengths, or numbers that are not finite or have the wrong sign.

    Example:
        >>> curve, because = fit_curve([50, 100, 200, 400], [0.30, 0.22, 0.18, 0.16], [0.01] * 4)
        >>> round(curve.gain, 2), because
        (0.01, 'the error is 0.160 at 400 items; twice as many would take 0.010 off (0.008 to 0.029)')
    """
    n, y, s = _refused(sizes, errors, deviations)
    if len(np.unique(n)) < FEWEST:
        return None, f"{len(np.unique(n))} training sizes: a learning curve needs {FEWEST}"
    fits, most = _fits(n, y, s), float(n.max())
    best = int(fits.misfit.argmin())
    if fits.scale[best] <= 0:
        return None, f"the error does not fall with more items ({y[n.argmin()]:.3f} at {n.min():.0f}, {y[n.argmax()]:.3f} at {most:.0f})"  # fmt: skip
    each = most**-EXPONENTS * (1 - 2**-EXPONENTS)
    low, high = _interval(fits, each, level)
    curve = Curve(
        float(fits.floor[best]), float(fits.scale[best]), float(EXPONENTS[best]), int(most),
        float(fits.scale[best] * each[best]), low, high,
    )  # fmt: skip
    return curve, _told(curve)


def _fits(n: Floats, y: Floats, s: Floats) -> _Fits:
    """Weighted least squares of (a, b) for each exponent, with a, b >= 0."""
    x, w = n ** -EXPONENTS[:, None], 1 / np.square(s)
    middle, level = x @ w / w.sum(), y @ w / w.sum()
    spread = np.square(x - middle[:, None]) @ w
    scale = (x - middle[:, None]) @ (w * (y - level)) / spread
    floor, through = level - scale * middle, np.square(x) @ w
    free = floor >= 0  # else a = 0, and the line goes through the origin
    scale = np.where(free, scale, x @ (w * y) / through)
    flat = scale <= 0
    floor, scale = np.where(flat, level, np.where(free, floor, 0.0)), np.where(flat, 0.0, scale)
    misfit = np.square(y - floor[:, None] - scale[:, None] * x) @ w
    return _Fits(floor, scale, 1 / np.sqrt(np.where(free, spread, through)), misfit)


def _interval(fits: _Fits, each: Floats, level: float) -> tuple[float, float]:
    """Gains whose chi-square, at the exponent that suits them best, is within ``z^2`` of the least."""
    room = NormalDist().inv_cdf((1 + level) / 2) ** 2 - (fits.misfit - fits.misfit.min())
    reach = np.sqrt(np.maximum(room, 0.0)) * fits.deviation
    low, high = (fits.scale - reach) * each, (fits.scale + reach) * each
    return max(0.0, float(low[room >= 0].min())), float(high[room >= 0].max())


def _told(curve: Curve) -> str:
    return (
        f"the error is {curve.error(curve.items):.3f} at {curve.items} items; "
        f"twice as many would take {curve.gain:.3f} off ({curve.low:.3f} to {curve.high:.3f})"
    )


def _refused(sizes: Sequence[int], errors: Sequence[float], deviations: Sequence[float]) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    n, y, s = (np.asarray(values, dtype=np.float64) for values in (sizes, errors, deviations))
    fine = n.ndim == 1 and n.shape == y.shape == s.shape and bool(np.isfinite([n, y, s]).all())
    if not fine or (n < 1).any() or (y < 0).any() or (s < 0).any():
        raise DataError(
            "no-curve", given=f"sizes {list(sizes)}, errors {list(errors)}, deviations {list(deviations)}",
            expected="as many of each: sizes of at least 1, errors and deviations of 0 or more, all finite",
            next="Leave out the sizes at which nothing could be measured.",
        )  # fmt: skip
    return n, y, np.maximum(s, SURE)
