"""Run the arms: ordinary fits in a folder of their own, on the original's split. Finished ones are kept."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from tutelage.comparison.attempt import Attempt, finished, read_attempt
from tutelage.comparison.original import same_split
from tutelage.comparison.plan import SHARES, Plan, budget
from tutelage.errors import ArtefactError, UsageError
from tutelage.files import read_json
from tutelage.network.decision import Mode
from tutelage.pipeline import tell_story
from tutelage.run import Run, open_run
from tutelage.teachers import Teacher
from tutelage.training import FitOptions

Job = tuple[Mode, int, float]
"""An arm, a seed and a share of the training items."""


def run_arms(plan: Plan, run: Run, teacher: Teacher | None = None) -> tuple[list[Attempt], tuple[float, str]]:  # fmt: skip
    """Every attempt of the plan, transfer arms first, and scratch's budget with its reason.

    What an interrupted comparison finished is taken as it is; what it left unfinished is run anew, because
    its seconds would not be one run's.
    """
    known_teacher(plan, teacher)
    if set(plan.modes) - {"deep"}:
        import_module("torch")  # takes seconds, which no arm should pay for
    first, last = list(_transfers(plan)), list(_controls(plan))
    attempts: list[Attempt] = []
    for job in first:
        attempts.append(_attempt(plan, job, plan.time_limit, run, teacher))
        run.progress("arms", len(attempts), len(first) + len(last))
    allowed = budget(plan, attempts)
    for job in last:
        attempts.append(_attempt(plan, job, allowed[0], run, teacher))
        run.progress("arms", len(attempts), len(first) + len(last))
    return attempts, allowed


def _transfers(plan: Plan) -> Iterator[Job]:
    yield from ((mode, seed, 1.0) for mode in plan.transfers for seed in plan.seeds_of(mode))


def _controls(plan: Plan) -> Iterator[Job]:
    if "scratch" in plan.modes:
        shares = (1.0, *SHARES) if plan.curve else (1.0,)
        yield from (("scratch", seed, share) for share in shares for seed in plan.seeds)


def _attempt(plan: Plan, job: Job, limit: float | None, run: Run, teacher: Teacher | None) -> Attempt:  # fmt: skip
    mode, seed, share = job
    options = plan.original.asked(mode, seed, limit, share)
    known = _reusable(plan, job, limit) or _finished_before(run.folder / "arms", job, options)
    if known is None:
        name = f"{mode}-seed-{seed}" + ("" if share == 1 else f"-share-{share:g}")
        told = {"verb": "fit", "source": plan.original.source, "options": options.as_json()}
        own = open_run(run.folder, "arms", name, told, run.listener)
        tell_story(plan.original.source, None, options, own, teacher)
        known = read_attempt(own.folder, mode, seed, share)
    same_split(plan.original, known.folder)
    run.log({"arm": mode, "seed": seed, "share": share, "run": str(known.folder), "accuracy": known.accuracy})  # fmt: skip
    return known


def _reusable(plan: Plan, job: Job, limit: float | None) -> Attempt | None:
    """The original itself, where the arm would repeat it: same mode, seed and time limit, told item by item."""
    (mode, seed, share), original = job, plan.original
    same = (original.mode, original.options.seed, 1.0) == (mode, seed, share)
    if not same or original.options.keep_classes or not finished(original.folder):
        return None
    attempt = read_attempt(original.folder, mode, seed)
    if mode == "deep":  # where it tuned in vain, its seconds are not those of a head alone
        other = "tune" in original.results["seconds"]
    else:  # the guard may have known what the advice expected
        other = not original.results["asked"]
    within = _within(attempt, original.options.time_limit, limit)
    return None if other or attempt.interrupted or not within else attempt


def _within(attempt: Attempt, had: float | None, limit: float | None) -> bool:
    """Whether another time limit would have changed nothing: a head alone is fitted or it is not."""
    quick = attempt.arm == "deep" and had is None
    return had == limit or (quick and limit is not None and attempt.seconds <= limit)


def _finished_before(arms: Path, job: Job, options: FitOptions) -> Attempt | None:
    mode, seed, share = job
    for folder in sorted(arms.glob(f"{mode}-seed-{seed}*")):
        if finished(folder) and FitOptions(**read_json(folder / "args.json")["options"]) == options:
            return read_attempt(folder, mode, seed, share)
    return None


def known_teacher(plan: Plan, teacher: Teacher | None) -> None:
    """Refuse to go on without the teacher's module, or with another teacher.

    Raises:
        UsageError: the original's teacher came from Python, and none was given.
        ArtefactError: the one that was given is another.
    """
    original = plan.original
    if teacher is None and original.from_python:
        raise UsageError(
            "own-teacher", given=f"{original.folder} was taught by {original.results['teacher']}, a module from Python",
            expected="that module", next=f"In Python: tutelage.compare({str(original.folder)!r}, teacher=your_module)",
        )  # fmt: skip
    if teacher is not None and teacher.card.digest != original.teacher:
        raise ArtefactError(
            "wrong-teacher", given=f"teacher {teacher.card.name} with digest {teacher.card.digest[:16]}",
            expected=f"digest {original.teacher[:16]}, which taught {original.folder}", next="Give that teacher.",
        )  # fmt: skip
