"""The finished fit that is compared: what it was asked, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from tutelage.errors import ArtefactError, DataError, UsageError
from tutelage.files import read_csv, read_json
from tutelage.network.decision import Mode
from tutelage.training import FitOptions, read_options


@dataclass(frozen=True)
class Original:
    """A finished fit.

    Attributes:
        folder: of the run, absolute.
        source: path of its data.
        options: what it was asked.
        results: its ``results.json``.
        teacher: digest of its teacher's weights.
        from_python: whether its teacher was a module and not a name.
    """

    folder: Path
    source: str
    options: FitOptions
    results: Mapping[str, Any]
    teacher: str
    from_python: bool

    @property
    def mode(self) -> Mode:
        """Of the student that shipped."""
        return cast(Mode, self.results["mode"])

    def asked(self, mode: Mode, seed: int, time_limit: float | None, share: float = 1.0) -> FitOptions:  # fmt: skip
        """The options of one run of an arm: the original's, but for what the arm is about."""
        settled = self.options.teacher == "auto" or self.options.teachers is not None
        same = replace(
            self.options, teacher=self.results["teacher"] if settled else self.options.teacher, teachers=None, seed=seed,
            time_limit=time_limit, train_share=share, mode=mode, freeze="auto", keep_classes=False, lora=self.options.lora and mode == self.mode and mode != "deep",
        )  # fmt: skip
        if mode == self.mode == "mid":  # the cut that the original has, not the rule's
            return replace(same, mode=None, freeze=str(self.results["cut"]["index"]))
        return same


def read_original(folder: Path) -> Original:
    """The finished fit in a run folder.

    Raises:
        ArtefactError: no fit is there, or it is not finished.
        UsageError: its data came from Python and not from a path.
        DataError: it has no test part.
    """
    if not (folder / "args.json").exists():
        raise ArtefactError(
            "no-run", given=f"{folder} has no args.json", expected="the folder of a finished fit",
            next="Make a student first: tutelage fit DATA, then: tutelage compare runs/fit/NAME",
        )  # fmt: skip
    args = read_json(folder / "args.json")
    if args.get("verb") != "fit":
        raise ArtefactError(
            "no-run", given=f"{folder} is a run of {args.get('verb')}", expected="the folder of a finished fit",
            next=f"Type: tutelage compare {args.get('run', 'runs/fit/NAME')}",
        )  # fmt: skip
    if not (folder / "results.json").exists():
        raise ArtefactError(
            "unfinished", given=f"{folder} has no results.json: the fit is not finished", expected="a finished fit",
            next=f"Finish it: tutelage fit --resume {folder}",
        )  # fmt: skip
    results, told = read_json(folder / "results.json"), read_json(folder / "student/lineage.json")
    _usable(args, results, folder)
    return Original(
        folder.absolute(), args["source"], read_options(args["options"]), results,
        told["teacher"]["digest"], told["teacher"]["source"].startswith("python"),
    )  # fmt: skip


def _usable(args: Mapping[str, Any], results: Mapping[str, Any], folder: Path) -> None:
    if "options" not in args:
        raise UsageError(
            "changed", given=f"{folder}, a student that was extended, or that forgot", expected="a fit of one source",
            next="Fit all of it anew (what was seen is in the cache), then: tutelage compare runs/fit/NAME",
        )  # fmt: skip
    if args["source"] is None:
        raise UsageError(
            "no-source", given=f"{folder} learned from data that came from Python", expected="a fit of a path: every arm reads the data again",
            next="Save the items in a folder with one sub-folder per class, then: tutelage fit FOLDER, and: tutelage compare runs/fit/FOLDER",
        )  # fmt: skip
    if results["test"] is None:
        raise DataError(
            "no-test-part", given=f"{folder} has no test part", expected="test items, on which the arms can be judged",
            next=f"Fit with a test part: tutelage fit {args['source']} --test LABELLED_DATA",
        )  # fmt: skip


def split_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of a run's ``split.csv``."""
    return read_csv(folder / "split.csv")


def same_split(original: Original, folder: Path) -> None:
    """Refuse a run of other items, or with another test part, than the original's: the data has changed since.

    Raises:
        DataError: naming some of the items that differ.
    """
    reported = original.results["split"]["reported"]
    before, now = (_placed(split_rows(f), reported) for f in (original.folder, folder))
    moved = sorted(name for name, *_ in before ^ now)
    if moved:
        named = ", ".join(list(dict.fromkeys(moved))[:6])
        raise DataError(
            "data-changed", given=f"{original.source} is not what it was when {original.folder.name} was made: {named}",
            expected="the same items, and the same of them to test on",
            next=f"Fit again, and compare that run: tutelage fit {original.source}",
        )  # fmt: skip


def _placed(rows: list[dict[str, str]], reported: str) -> set[tuple[str, str, str, bool]]:
    return {(r["name"], r["label"], r["digest"], r["part"] == reported) for r in rows}
