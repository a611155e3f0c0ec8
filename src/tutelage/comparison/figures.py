"""The figures: arms with intervals, the gain over scratch, and every pair, on the same test items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.comparison.attempt import Attempt, read_attempt
from tutelage.comparison.plan import Plan
from tutelage.comparison.saved import data_saved
from tutelage.comparison.speed import speed_up
from tutelage.errors import DataError
from tutelage.evaluation.compare import Z95
from tutelage.evaluation.crossed import mean_accuracy, mean_gain
from tutelage.evaluation.holm import holm
from tutelage.evaluation.repeated import mcnemar_over_seeds
from tutelage.network.decision import Mode
from tutelage.report.items import item_groups

METHOD = (
    "Intervals are of 95 % and respect both which items are tested and which seeds train: accuracies are Wilson's at the effective "
    "number of items; differences are paired by item, as Bonett and Price adjust them, with the spread of the seeds' "
    "means added and Student's t of Satterthwaite's degrees of freedom. p-values are of exact McNemar tests of pairs of seeds, of "
    "which a majority must agree, and Holm's over all pairs of arms."
)


@dataclass(frozen=True)
class Bench:
    """The judgements of all arms, side by side.

    Attributes:
        correct: arm -> whether the student of each seed is right (S, N), on the same items in the same order.
        groups: of each item; None if none has a companion in its group.
    """

    correct: Mapping[Mode, npt.NDArray[np.bool_]]
    groups: tuple[str, ...] | None

    @property
    def items(self) -> int:
        """N."""
        return int(next(iter(self.correct.values())).shape[1])


def bench(plan: Plan, attempts: Sequence[Attempt]) -> Bench:
    """Line the test items up: those that every student has judged.

    Raises:
        DataError: there is none.
    """
    whole = [attempt for attempt in attempts if attempt.share == 1]
    names = sorted(set.intersection(*(set(attempt.judged) for attempt in whole)))
    if not names:
        raise DataError(
            "unpaired", given="no test item that every arm has judged", expected="the same test items for all",
            next="See what is wrong with: tutelage check DATA",
        )  # fmt: skip
    correct = {mode: _judged([a for a in whole if a.arm == mode], names) for mode in plan.modes}
    return Bench(correct, item_groups(plan.original.folder, names))


def _judged(attempts: Sequence[Attempt], names: Sequence[str]) -> npt.NDArray[np.bool_]:
    return np.array([[attempt.judged[name] for name in names] for attempt in attempts], dtype=bool)


def figures(plan: Plan, attempts: Sequence[Attempt], allowed: tuple[float, str]) -> dict[str, Any]:
    """Everything that ``compare --json`` tells, but for the folder and the verdict."""
    board = bench(plan, attempts)
    student = _student(plan, board)
    reported = plan.original.results["split"]["reported"]
    gain = _gain(board, student)
    quick, saved = _speed(plan, attempts, student), _saved(plan, attempts, board, student)
    return {
        "schema": 1, "of": str(plan.original.folder), "teacher": plan.original.results["teacher"], "mode": plan.original.mode,
        "test": {"n": board.items, "part": reported, "groups": None if board.groups is None else len(set(board.groups))},
        "seeds": list(plan.seeds), "budget": {"seconds": round(allowed[0], 3), "because": allowed[1]},
        "arms": [_arm(plan, mode, [a for a in attempts if a.arm == mode and a.share == 1], board) for mode in plan.modes],
        "gain": gain, "pairs": _pairs(board),
        "speed_up": quick[0], "data_saved": saved[0],
        "reasons": {"gain": None if gain else _no_gain(plan), "speed_up": quick[1], "data_saved": saved[1]},
        "warnings": _warnings(plan, attempts, board), "method": METHOD,
    }  # fmt: skip


def _student(plan: Plan, board: Bench) -> Mode | None:
    """The arm that stands for transfer: the run's own; of a scratch run, the most accurate one."""
    if plan.original.mode != "scratch":
        return plan.original.mode
    return max(plan.transfers, key=lambda m: float(board.correct[m].mean()), default=None)


def _arm(plan: Plan, mode: Mode, attempts: Sequence[Attempt], board: Bench) -> dict[str, Any]:
    accuracy, low, high = mean_accuracy(board.correct[mode], board.groups)
    shipped = Counter(str(attempt.results["mode"]) for attempt in attempts)
    cuts = [a.results["cut"] for a in attempts if not a.guarded] or [attempts[0].results["cut"]]
    return {
        "mode": mode, "own": mode == plan.original.mode, "cut": cuts[0], "accuracy": accuracy, "low": low, "high": high,
        "seconds": round(float(np.mean([attempt.seconds for attempt in attempts])), 3), "seeds": len(attempts),
        "shipped": dict(shipped), "runs": [_run(a, row) for a, row in zip(attempts, board.correct[mode], strict=True)],
    }  # fmt: skip


def _run(attempt: Attempt, correct: npt.NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "seed": attempt.seed, "accuracy": float(correct.mean()), "seconds": attempt.seconds, "shipped": attempt.results["mode"],
        "train": attempt.results["split"]["train"], "stopped": attempt.stopped, "cold": attempt.cold, "run": str(attempt.folder),
    }  # fmt: skip


def _gain(board: Bench, student: Mode | None) -> dict[str, Any] | None:
    """The student's arm minus scratch."""
    if student is None or "scratch" not in board.correct:
        return None
    compared = _pair(board, student, "scratch")
    helps = "helps" if compared["low"] > 0 else "harms" if compared["high"] < 0 else "unclear"
    return {"mode": student, "over": "scratch", **{k: compared[k] for k in ("points", "low", "high", "p")}, "n": board.items, "helps": helps}  # fmt: skip


def _no_gain(plan: Plan) -> str:
    return "scratch is not among the modes" if plan.transfers else "no transfer arm is among the modes"  # fmt: skip


def _pair(board: Bench, a: Mode, b: Mode) -> dict[str, Any]:
    first, second = board.correct[a], board.correct[b]
    points, low, high = (100 * x for x in mean_gain(first, second, board.groups))
    return {"a": a, "b": b, "points": points, "low": low, "high": high, "p": mcnemar_over_seeds(first, second)}  # fmt: skip


def _pairs(board: Bench) -> list[dict[str, Any]]:
    """Each arm against each, the later one minus the earlier."""
    pairs = [_pair(board, later, earlier) for earlier, later in combinations(board.correct, 2)]
    adjusted = holm([pair["p"] for pair in pairs])
    return [{**pair, "p_holm": p} for pair, p in zip(pairs, adjusted, strict=True)]


def _speed(plan: Plan, attempts: Sequence[Attempt], student: Mode | None) -> tuple[dict[str, Any] | None, str]:  # fmt: skip
    """The original is timed too: it is the one that may have found no features in the cache."""
    whole = [attempt for attempt in attempts if attempt.share == 1]
    own, control = ([a for a in whole if a.arm == mode] for mode in (student, "scratch"))
    folder, options = plan.original.folder, plan.original.options
    if plan.original.mode == student and folder not in [a.folder for a in own]:
        own.append(read_attempt(folder, plan.original.mode, options.seed))
    return speed_up(own, control) if own and control else (None, "it needs a transfer arm and scratch")  # fmt: skip


def _saved(plan: Plan, attempts: Sequence[Attempt], board: Bench, student: Mode | None) -> tuple[dict[str, Any] | None, str]:  # fmt: skip
    """From scratch's errors at a quarter, a half and all of the training items."""
    if not plan.curve:
        return None, "it needs scratch at fewer items: add --curve"
    if student is None:
        return None, "it needs a transfer arm"
    scratch = [attempt for attempt in attempts if attempt.arm == "scratch"]
    if any(attempt.stopped for attempt in scratch):
        return (
            None,
            "time stopped scratch, so that its curve tells of time and not of data: give --curve a longer --time-limit",
        )
    shares = sorted({attempt.share for attempt in scratch})
    at = {share: [a for a in scratch if a.share == share] for share in shares}
    names = sorted(set.intersection(*(set(attempt.judged) for attempt in attempts)))
    groups = item_groups(plan.original.folder, names)
    known = [_error(_judged(group, names), groups) for group in at.values()]
    sizes = [round(np.mean([a.results["split"]["train"] for a in group])) for group in at.values()]
    own = _error(_judged([a for a in attempts if a.arm == student], names), groups)
    return data_saved(sizes, [e for e, _ in known], [d for _, d in known], own)


def _error(correct: npt.NDArray[np.bool_], groups: Sequence[str] | None) -> tuple[float, float]:
    """Mean error with its standard error, from the width of its interval."""
    accuracy, low, high = mean_accuracy(correct, groups)
    return 1 - accuracy, (high - low) / (2 * Z95)


def _warnings(plan: Plan, attempts: Sequence[Attempt], board: Bench) -> list[str]:
    told = []
    if len(plan.seeds) < 3 and set(plan.modes) - {"deep"}:
        told.append(f"{len(plan.seeds)} seed{'s' if len(plan.seeds) > 1 else ''}: little can be told of the luck of training; take 3 or more")  # fmt: skip
    if board.items < 100:
        told.append(f"{board.items} test items: intervals are wide")
    if not any(a.cold for a in attempts if a.arm != "scratch"):
        told.append("features came from the cache of earlier runs: seconds are without extracting them")  # fmt: skip
    late = [a.seconds for a in attempts if plan.time_limit and a.seconds > 1.1 * plan.time_limit]
    if late:
        told.append(
            f"{len(late)} of {len(attempts)} runs took longer than their time limit of {plan.time_limit:g} s, up to {max(late):.0f} s"
        )
    learned = [int(a.results["split"]["train"]) for a in attempts if a.share == 1]
    if min(learned) < max(learned):
        told.append(f"time left some runs fewer training items: {min(learned)} of {max(learned)}")
    if plan.original.mode == "scratch" and len(plan.transfers) > 1:
        told.append("the run is scratch itself: the most accurate transfer arm stands for transfer, which flatters it a little")  # fmt: skip
    if plan.original.options.keep_classes:
        told.append("--keep-classes was left out: the arms tell your classes apart, not the teacher's")  # fmt: skip
    return told
