"""What accuracy to expect on a test set, when the true accuracy is known only up to an error."""

from __future__ import annotations

import math
from statistics import NormalDist

from tutelage.errors import UsageError


def interval(expected: float, se: float, n_test: int, level: float = 0.95) -> tuple[float, float]:
    """Prediction interval (low, high) of the accuracy that will be measured on ``n_test`` items.

    ``(q - p)^2 <= z^2 (p (1 - p) / n_test + se^2)``, cut to [0, 1]: chance of the test items plus error
    of the estimate (law of total variance).
    Where p is 0 or 1 it says that chance plays no part, which nobody can know: there the variance is
    taken at the end q of the interval, ``q (1 - q)``, as Wilson does (JASA 1927).

    Args:
        expected: p, the expected accuracy, in [0, 1].
        se: its standard error, in the same unit.
        n_test: items of the test set, at least one.
        level: probability that the interval is to hold the result, in (0, 1).

    Raises:
        UsageError: an argument is outside its range; all of them are named.

    Example:
        >>> [round(end, 3) for end in interval(0.8, 0.02, 100)]
        [0.712, 0.888]
    """
    _refuse(expected, se, n_test, level)
    z = NormalDist().inv_cdf((1 + level) / 2)
    half = z * math.sqrt(expected * (1 - expected) / n_test + se**2)
    if expected in (0, 1):
        half = _from_the_end(z, se, n_test)
    return max(0.0, expected - half), min(1.0, expected + half)


def _from_the_end(z: float, se: float, n_test: int) -> float:
    """The distance d from 0 or 1 with ``d^2 = z^2 (d (1 - d) / n_test + se^2)``."""
    spread = z * z / n_test
    return (spread + math.sqrt(spread**2 + 4 * (1 + spread) * (z * se) ** 2)) / (2 * (1 + spread))


def _refuse(expected: float, se: float, n_test: int, level: float) -> None:
    wrong = [
        said for fine, said in (
            (0 <= expected <= 1, f"an expected accuracy of {expected}"), (0 <= se < math.inf, f"a standard error of {se}"),
            (n_test >= 1, f"{n_test} test items"), (0 < level < 1, f"a level of {level}"),
        ) if not fine
    ]  # fmt: skip
    if wrong:
        raise UsageError(
            "not-an-expectation", given=", ".join(wrong),
            expected="accuracy in [0, 1], error of 0 or more, at least one item, level between 0 and 1",
            next="Give shares, not per cents.",
        )  # fmt: skip
