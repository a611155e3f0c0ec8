"""The story of a comparison: read the fit, run the arms, tell the figures, write the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tutelage.comparison.arms import known_teacher, run_arms
from tutelage.comparison.figures import figures
from tutelage.comparison.original import read_original
from tutelage.comparison.page import render
from tutelage.comparison.plan import Plan, make_plan
from tutelage.comparison.verdict import verdict
from tutelage.errors import ArtefactError
from tutelage.files import read_json, write_json, write_text
from tutelage.run import Listener, Run, alone, open_run, silent
from tutelage.teachers import Teacher


def compare_run(
    folder: Path, *, modes: Sequence[str], seeds: int, seed: int | None, time_limit: float | None, curve: bool,
    out: Path, listener: Listener = silent, teacher: Teacher | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Compare a finished fit in a new folder below ``out/compare``; see ``tutelage.api.compare``."""
    plan = make_plan(read_original(folder), modes, seeds, seed, time_limit, curve)
    known_teacher(plan, teacher)
    args = {"run": str(plan.original.folder), **plan.as_json()}
    return _tell(plan, open_run(out, "compare", plan.original.folder.name, args, listener), teacher)


def resume_comparison(folder: Path, *, listener: Listener = silent, teacher: Teacher | None = None) -> dict[str, Any]:  # fmt: skip
    """Go on with an interrupted comparison; arms that are finished are not run again.

    Raises:
        ArtefactError: no comparison is there.
    """
    args = read_json(folder / "args.json") if (folder / "args.json").exists() else {}
    if args.get("verb") != "compare":
        raise ArtefactError(
            "no-run", given=f"{folder} holds no comparison", expected="the folder of an interrupted one",
            next="Start a new one with: tutelage compare runs/fit/NAME",
        )  # fmt: skip
    original = read_original(Path(args["run"]))
    plan = make_plan(original, args["modes"], args["seeds"], args["seed"], args["time_limit"], args["curve"])  # fmt: skip
    return _tell(plan, Run(folder.absolute(), listener), teacher)


def _tell(plan: Plan, run: Run, teacher: Teacher | None) -> dict[str, Any]:
    with alone(run), _resumable(run):
        attempts, allowed = run_arms(plan, run, teacher)
        told = {"run": str(run.folder), **figures(plan, attempts, allowed)}
        told["verdict"] = verdict(told)
        write_text(run.folder / "compare.html", render(told))
        write_json(run.folder / "results.json", told)
    return told


@contextmanager
def _resumable(run: Run) -> Iterator[None]:
    """Say how to go on with the whole, and not with the one arm that was interrupted."""
    try:
        yield
    except KeyboardInterrupt as error:
        error.__notes__ = [f"go on with: tutelage compare --resume {run.folder}"]
        raise
