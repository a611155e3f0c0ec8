"""Pages made again from what runs kept: one run with all that is known of its student, or several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from tutelage.errors import ArtefactError, UsageError
from tutelage.evaluation.compare import mcnemar
from tutelage.evaluation.crossed import mean_gain
from tutelage.files import read_json, write_json, write_text
from tutelage.report import charts
from tutelage.report.items import item_groups, read_items
from tutelage.report.page import page, render
from tutelage.report.thumbnails import read_pictures
from tutelage.run import Run

VERBS = ("compare", "view", "audit", "harden")
"""Whose runs tell of a student, beside its fit."""


def tell_again(folders: Sequence[Path], fits: Sequence[Mapping[str, Any]], run: Run) -> dict[str, Any]:  # fmt: skip
    """Write ``report.html`` and ``results.json`` into a run folder of its own; the runs told of are not touched.

    Args:
        folders: of finished fits; of one the page is the fit's own, with what other verbs found since.
        fits: their results.
    """
    told: dict[str, Any] = {"schema": 1, "run": str(run.folder), "page": str(run.folder / "report.html"), "of": [str(f) for f in folders]}  # fmt: skip
    if len(fits) == 1:
        other = about(folders[0], fits[0])
        html = render(fits[0], read_pictures(folders[0]), other)
        told |= {"beside": {verb: found["run"] for verb, found in other.items()}}
    else:
        told |= side_by_side(folders, fits)
        judged = [r for r in told["runs"] if r["accuracy"] is not None]
        drawn = charts.intervals(judged, "Accuracy of each run") if judged else None
        html = page("runs.html.jinja", "Runs side by side", told=told, drawn=drawn)
    write_text(run.folder / "report.html", html)
    write_json(run.folder / "results.json", told)
    run.log({"done": True})
    return told


def finished_fits(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Results of finished fits.

    Raises:
        ArtefactError: a folder holds no finished fit.
        UsageError: the same run is named twice.
    """
    fits = [finished(folder) for folder in folders]
    if len({str(folder) for folder in folders}) < len(folders):
        raise UsageError(
            "same-run", given="a run is named twice", expected="different runs",
            next="Type: tutelage report runs/fit/A runs/fit/B",
        )  # fmt: skip
    return fits


def finished(folder: Path) -> dict[str, Any]:
    """Results of a finished fit.

    Raises:
        ArtefactError: none is there, or it was made before pages could be made again.
    """
    path = folder / "results.json"
    told: dict[str, Any] = read_json(path) if path.exists() else {}
    if "student" not in told or "cases" not in told:
        why = "it is of harden, whose pages are in it" if "tried" in told else "it was made by an older version" if "student" in told else "it holds no finished fit"  # fmt: skip
        raise ArtefactError(
            "no-run", given=f"{folder}: {why}", expected="the folder of a finished fit",
            next="Make one with: tutelage fit DATA",
        )  # fmt: skip
    return told


def about(folder: Path, fit: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The newest run of each other verb, in the same place for runs, about the same student."""
    found: dict[str, dict[str, Any]] = {}
    for verb in VERBS:
        for path in sorted((folder.parent.parent / verb).glob("*/results.json"), key=lambda p: p.stat().st_mtime):  # fmt: skip
            told = read_json(path)
            if told.get("student_digest") == fit["digest"] or told.get("of") == str(folder):
                found[verb] = {
                    "run": str(path.parent),
                    "results": told,
                    "pictures": read_pictures(path.parent),
                }
    return found


def side_by_side(folders: Sequence[Path], fits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A row a run, and each pair on the items that both were tested on.

    Returns:
        ``runs``; ``pairs`` of ``a, b, points, low, high, p`` (exact McNemar; None where items go together in groups); ``warnings``.
    """
    rows = [_row(folder, fit) for folder, fit in zip(folders, fits, strict=True)]
    items = [read_items(folder) for folder in folders]
    pairs, warnings = [], []
    for (i, a), (j, b) in combinations(enumerate(items), 2):
        names = [name for name in a if name in b]
        if len(names) < len(a) or len(names) < len(b):
            warnings.append(f"{rows[i]['name']} and {rows[j]['name']} were not tested on the same items ({len(names)} in common): they are not compared in pairs")  # fmt: skip
        elif names:
            right, groups = (
                [[items[k][name] for name in names] for k in (i, j)],
                item_groups(folders[i], names),
            )
            points, low, high = (100 * value for value in mean_gain(right[:1], right[1:], groups))
            p = mcnemar(*right).two_sided if groups is None else None
            pairs.append({"a": rows[i]["name"], "b": rows[j]["name"], "points": points, "low": low, "high": high, "p": p})  # fmt: skip
    return {"runs": rows, "pairs": pairs, "warnings": warnings}


def _row(folder: Path, fit: Mapping[str, Any]) -> dict[str, Any]:
    test = fit["test"] or {"accuracy": None, "low": None, "high": None, "n": 0}
    return {
        "name": folder.name, "run": str(folder), **test, "teacher": fit["teacher"], "mode": fit["mode"], "cut": fit["cut"],
        "ece": fit["metrics"]["ece"] if fit["metrics"] else None, "seconds": fit["seconds"]["total"],
        "train": fit["split"]["train"], "trainable": fit["parameters"]["trainable"], "engine": fit["engine"], "digest": fit["digest"],
    }  # fmt: skip
