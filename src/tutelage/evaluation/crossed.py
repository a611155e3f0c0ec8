"""Intervals that respect two kinds of luck at once: which items were tested, and which seeds trained.

Items and seeds are crossed: every student judges every item. The variance of the mean over both is taken
as that of the items' means plus that of the seeds' means, as the pigeonhole bootstrap has it (Owen,
Annals of Applied Statistics 1, 2007): what items and seeds do together is counted twice, which is rather
too wide than too narrow. Three seeds tell little of their own spread, so the quantile is Student's t with
Satterthwaite's degrees of freedom (Biometrics Bulletin 2, 1946).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError
from tutelage.evaluation.compare import Z95
from tutelage.evaluation.metrics import wilson

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float, float]
"""(estimate, low, high)."""

Spread = tuple[float, float]
"""A variance, and the degrees of freedom that it was estimated with; infinite if it is taken as known."""


def mean_accuracy(correct: npt.ArrayLike, groups: Sequence[str] | None = None) -> Interval:
    """Mean accuracy over seeds, with a 95 % interval for other items and other seeds.

    Wilson's interval (1927) of the effective number of items, the one at which a binomial share would have
    the variance that was found (Korn and Graubard, Survey Methodology 24, 1998), never more than there are. Of
    one seed and items without groups it is Wilson's own.

    Args:
        correct: whether the student of each seed is right (S, N).
        groups: of each item (N,); items of a group are taken to go together.

    Returns:
        (mean, low, high), in [0, 1].

    Raises:
        DataError: no seed, no item, or another number of groups than of items.

    Example:
        >>> [round(x, 3) for x in mean_accuracy([[1, 1, 1, 0], [1, 1, 0, 1]])]
        [0.75, 0.301, 0.954]
    """
    table = _table(correct, groups)
    share, items = float(table.mean()), _of_items(table.mean(0), groups)
    spreads = [items, *_of_seeds(table)]
    variance = sum(v for v, _ in spreads)
    effective = float(table.shape[1] if groups is None else len(set(groups)))
    if variance > 0:
        effective = min(float(table.shape[1]), share * (1 - share) / variance)
    effective *= (Z95 / _quantile(spreads)) ** 2
    return share, *wilson(share * effective, effective)


def mean_gain(correct_a: npt.ArrayLike, correct_b: npt.ArrayLike, groups: Sequence[str] | None = None) -> Interval:  # fmt: skip
    """Mean accuracy of the first minus that of the second on the same items, with a 95 % interval.

    Each item gives the share of seeds of the first that are right minus that of the second. As in Bonett and
    Price (2012, equation 5) two invented items are added, one for each side, so that the interval does not
    collapse where the two agree; of one seed each it is theirs exactly. The spread of the seeds' means
    of either side is added.

    Args:
        correct_a: whether the first student of each seed is right (S, N).
        correct_b: the second's, on the same items in the same order (T, N).
        groups: of each item (N,).

    Returns:
        (difference, low, high), in [-1, 1].

    Raises:
        DataError: the two do not judge the same, or no, items.
    """
    a, b = _table(correct_a, groups), _table(correct_b, groups)
    if a.shape[1] != b.shape[1]:
        raise _unfit(f"{a.shape[1]} and {b.shape[1]} judged items")
    each = a.mean(0) - b.mean(0)
    invented = np.append(each, [1.0, -1.0])
    marked = None if groups is None else [*(f"g{name}" for name in groups), "+", "-"]
    spreads = [_of_items(invented, marked, fewest=4), *_of_seeds(a), *_of_seeds(b)]
    half = _quantile(spreads) * math.sqrt(sum(v for v, _ in spreads))
    centre = float(invented.mean())
    return float(each.mean()), max(-1.0, centre - half), min(1.0, centre + half)


def _table(correct: npt.ArrayLike, groups: Sequence[str] | None) -> Floats:
    table = np.asarray(correct, dtype=bool)
    if table.ndim != 2 or not table.size:
        raise _unfit(f"judgements of shape {table.shape}")
    if groups is not None and len(groups) != table.shape[1]:
        raise _unfit(f"{len(groups)} groups of {table.shape[1]} items")
    return table.astype(np.float64)


def _unfit(given: str) -> DataError:
    return DataError(
        "unpaired", given=given, expected="the same items, at least one, judged by every seed",
        next="Evaluate all students on the same test data.",
    )  # fmt: skip


def _of_items(values: Floats, groups: Sequence[str] | None, fewest: int = 2) -> Spread:
    """Variance of the mean of N values; of groups, by the sums of their deviations (Liang and Zeger 1986).

    Infinite where there are fewer than the fewest groups: one group tells nothing of another.
    """
    centred = values - values.mean()
    if groups is None or len(set(groups)) == len(values):
        return float(np.square(centred).mean() / len(values)), math.inf
    names = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    if len(names) < fewest:
        return math.inf, math.inf
    sums = np.bincount([names[name] for name in groups], centred)
    wide = len(names) / (len(names) - 1)
    return float(wide * np.square(sums).sum() / len(values) ** 2), len(names) - 1.0


def _of_seeds(table: Floats) -> list[Spread]:
    """Variance of the mean over S seeds; nothing can be said of one."""
    seeds = len(table)
    return [(float(table.mean(1).var(ddof=1)) / seeds, seeds - 1.0)] if seeds > 1 else []


def _quantile(spreads: Sequence[Spread]) -> float:
    """Two-sided 95 % point of Student's t with Satterthwaite's degrees of freedom."""
    from scipy.special import stdtrit  # every verb would pay for its import

    total = sum(v for v, _ in spreads)
    unsure = sum(v * v / freedom for v, freedom in spreads)
    if math.isinf(total) or not unsure:
        return Z95
    return float(stdtrit(total**2 / unsure, 0.975))
