"""Data saved: how many items scratch would need to be as accurate as the student, by its learning curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tutelage.advisor.curve import Curve, fit_curve

FAR = 10.0
"""The curve is not followed beyond so many times the items it was measured with."""

DRAWS = 400


def data_saved(sizes: Sequence[int], errors: Sequence[float], deviations: Sequence[float], student: tuple[float, float], seed: int = 0) -> tuple[dict[str, Any] | None, str]:  # fmt: skip
    """Items that scratch would need for the student's error, with a 95 % interval.

    ``a + b n^-c = e`` is solved for n on the curve through scratch's errors. The interval is that of a
    parametric bootstrap (Efron and Tibshirani 1993, section 6.5): errors are drawn from normal distributions
    about those measured, and the curve is fitted anew. Three sizes only just determine a curve, so it is wide.

    Args:
        sizes: training items (S,), the largest of them what the student learned from.
        errors: of scratch at these sizes (S,).
        deviations: their standard errors (S,).
        student: its error and its standard error.
        seed: of the bootstrap.

    Returns:
        (``{"needed", "has", "more", "times", "low", "high", "at_least"}``, a sentence), or (None, the reason).
        ``low`` and ``high`` are of ``times``; None is more than ``FAR``. Where ``needed`` is beyond that too,
        ``at_least`` is true and it is ``FAR`` times what there is.
    """
    has = max(sizes)
    if student[0] >= errors[list(sizes).index(has)]:
        return None, "the student is not more accurate than scratch: no data is saved"
    curve, why = fit_curve(sizes, errors, deviations)
    if curve is None:
        return None, why
    times = needed(curve, student[0]) / has
    low, high = _interval(sizes, errors, deviations, student, seed)
    told = {
        "needed": round(min(times, FAR) * has), "has": has, "more": round((min(times, FAR) - 1) * has),
        "times": min(times, FAR), "low": min(low, FAR), "high": high if high <= FAR else None, "at_least": times > FAR,
    }  # fmt: skip
    return told, _told(told)


def needed(curve: Curve, error: float) -> float:
    """Items at which the curve has this error; infinite if it never falls so far.

    Example:
        >>> needed(Curve(0.0, 1.0, 0.5, 100, 0.0, 0.0, 0.0), 0.05)
        400.0
    """
    over = error - curve.floor
    return math.inf if over <= 0 else float((curve.scale / over) ** (1 / curve.exponent))


def _interval(sizes: Sequence[int], errors: Sequence[float], deviations: Sequence[float], student: tuple[float, float], seed: int) -> tuple[float, float]:  # fmt: skip
    rng = np.random.default_rng(seed)
    drawn = np.clip(rng.normal(errors, deviations, (DRAWS, len(errors))), 0, 1)
    targets = np.clip(rng.normal(*student, DRAWS), 0, 1)
    times = []
    for row, target in zip(drawn, targets, strict=True):
        curve, _ = fit_curve(sizes, row.tolist(), deviations)
        enough = row[int(np.argmax(sizes))] <= target
        times.append(1.0 if enough else needed(curve, target) / max(sizes) if curve else math.inf)
    low, high = np.quantile(times, (0.025, 0.975), method="nearest")
    return float(low), float(high)


def _told(saved: dict[str, Any]) -> str:
    upper = f"{saved['high']:.1f}" if saved["high"] is not None else f"more than {FAR:g}"
    if saved["at_least"]:
        return f"By its learning curve scratch would need more than {FAR:g} times as many items to be as accurate as the student (at least {saved['low']:.1f} times)."  # fmt: skip
    return (
        f"By its learning curve scratch would need about {saved['times']:.1f} times as many items ({saved['low']:.1f} to {upper}) "
        f"to be as accurate as the student: {saved['needed']:,} instead of {saved['has']:,}."
    )  # fmt: skip
