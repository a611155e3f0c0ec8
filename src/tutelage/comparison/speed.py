"""Speed-up: how much sooner the student was as good as scratch became, as far as the histories tell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from statistics import median
from typing import Any

from tutelage.comparison.attempt import Attempt, Log

Point = tuple[float, float]
"""(seconds since the run began, accuracy on its validation items)."""


def timeline(log: Log) -> list[Point]:
    """Validation accuracy against time, epoch 0 (the first head) included; empty where nothing was tuned.

    Of a run that tuned several times, the last time counts.
    """
    points: list[Point] = []
    for record in log:
        if record.get("validation_accuracy") is not None and "at" in record:
            points = [] if record["epoch"] == 0 else points
            points.append((float(record["at"]), float(record["validation_accuracy"])))
    return points


def reached(points: Sequence[Point], level: float) -> float | None:
    """Seconds until the accuracy was first at least ``level``; None if it never was.

    Example:
        >>> reached([(1.0, 0.2), (2.0, 0.7), (3.0, 0.6)], 0.6)
        2.0
    """
    return next((seconds for seconds, accuracy in points if accuracy >= level), None)


def ready(log: Log) -> float | None:
    """Seconds until a student existed: when scoring it began; None where the log does not tell."""
    ends = [r["at"] - r["seconds"] for r in log if r.get("phase") == "evaluate" and "at" in r]
    return float(ends[-1]) if ends else None


def speed_up(student: Sequence[Attempt], scratch: Sequence[Attempt]) -> tuple[dict[str, Any] | None, str]:  # fmt: skip
    """How many times sooner the student had scratch's final accuracy: the median over pairs of seeds.

    Where layers were tuned, both histories are read on the same validation items. Of a head alone there is
    no history: it counts as having reached scratch when it was ready, if it is at least as good on the test.
    Runs that found their features in the cache of an earlier run are not timed.

    Returns:
        (``{"factor", "seconds", "scratch_seconds"}``, a sentence), or (None, the reason).
    """
    timed = [attempt for attempt in student if attempt.cold and not attempt.interrupted]
    if not timed:
        return None, "the student's features came from the cache of an earlier run, so that its seconds are not a first run's"  # fmt: skip
    pairs = [_pair(one, other) for one, other in product(timed, scratch)]
    known = [pair for pair in pairs if pair is not None]
    if 2 * len(known) <= len(pairs):
        return None, "the student did not reach the accuracy that scratch ended with"
    factor = median(late / soon for soon, late in known)
    soon, late = (median(pair[i] for pair in known) for i in (0, 1))
    told = {"factor": factor, "seconds": soon, "scratch_seconds": late}
    return told, _told(factor, soon, late)


def _pair(student: Attempt, scratch: Attempt) -> tuple[float, float] | None:
    """Seconds until the student, and until scratch, had what scratch ended with."""
    control, own = timeline(scratch.log), timeline(student.log)
    if not control:
        return None
    level = control[-1][1]
    if own:  # where the guard threw the tuning away, the first head is what shipped
        soon = reached(own[:1] if student.results["mode"] == "deep" else own, level)
    else:
        soon = ready(student.log) if student.accuracy >= scratch.accuracy else None
    late = reached(control, level)
    return None if soon is None or late is None else (max(soon, 1e-3), late)


def _told(factor: float, soon: float, late: float) -> str:
    if factor >= 1:
        return f"The student had scratch's final accuracy {factor:.1f} times sooner: after {soon:.1f} s, not {late:.1f} s."  # fmt: skip
    return f"Scratch had its final accuracy {1 / factor:.1f} times sooner than the student: after {late:.1f} s, not {soon:.1f} s."  # fmt: skip
