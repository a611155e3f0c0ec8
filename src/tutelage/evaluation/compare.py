"""Fair comparison of two students on the same items."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError

Z95 = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""


@dataclass(frozen=True)
class McNemar:
    """Exact McNemar test of two students on the same items.

    Attributes:
        only_a: items that only the first has right.
        only_b: items that only the second has right.
        two_sided: p-value of "they are equally accurate".
        one_sided: p-value of "the first is not more accurate"; small speaks for the first.
    """

    only_a: int
    only_b: int
    two_sided: float
    one_sided: float


def mcnemar(correct_a: npt.ArrayLike, correct_b: npt.ArrayLike) -> McNemar:
    """Exact binomial McNemar test (McNemar 1947; exact form as in Fay 2010).

    Args:
        correct_a: whether the first student is right (N,).
        correct_b: whether the second is right, on the same items in the same order (N,).

    Raises:
        DataError: the two do not judge the same number of items.

    Example:
        >>> mcnemar([1] * 9 + [0], [0] * 8 + [1, 1]).two_sided
        0.0390625
    """
    a, b = _paired(correct_a, correct_b)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    trials = only_a + only_b
    two_sided = min(1.0, 2 * _at_least(max(only_a, only_b), trials))
    return McNemar(only_a, only_b, two_sided, _at_least(only_a, trials))


def _at_least(successes: int, trials: int) -> float:
    """P(X >= successes), X ~ Binomial(trials, 1/2), in exact integers."""
    ways, total = 1, 0  # ways to get `trials` successes; then one fewer each time
    for k in range(trials, successes - 1, -1):
        total += ways
        ways = ways * k // (trials - k + 1)
    return total / (1 << trials)


def paired_difference(correct_a: npt.ArrayLike, correct_b: npt.ArrayLike) -> tuple[float, float, float]:  # fmt: skip
    """Accuracy of the first minus that of the second, with a 95 % interval.

    Adjusted Wald interval for paired proportions (Bonett & Price 2012, equation 5): it does not
    collapse to a point where the two agree on every item.

    Args:
        correct_a: whether the first student is right (N,).
        correct_b: whether the second is right (N,).

    Returns:
        (difference, low, high), in [-1, 1].

    Raises:
        DataError: the two do not judge the same, or no, items.
    """
    a, b = _paired(correct_a, correct_b)
    only_a, only_b, n = int((a & ~b).sum()), int((b & ~a).sum()), len(a)
    share_a, share_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    centre = share_a - share_b
    half = Z95 * math.sqrt((share_a + share_b - centre**2) / (n + 2))
    return (only_a - only_b) / n, max(-1.0, centre - half), min(1.0, centre + half)


def _paired(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:  # fmt: skip
    first, second = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    if first.shape != second.shape or not first.size:
        raise DataError(
            "unpaired", given=f"{first.size} and {second.size} judged items",
            expected="the same items, at least one, judged by both",
            next="Evaluate both students on the same test data.",
        )  # fmt: skip
    return first, second
