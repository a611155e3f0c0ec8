"""Charts of an audit: success over budgets, and mimicry cut by cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tutelage.report.charts import FROZEN, GOOD, SOFT, TUNED, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"teacher only": TUNED, "control teacher": FROZEN, "noise": SOFT, "white box": GOOD}

MARKS = {"teacher only": "o", "control teacher": "s", "noise": "^", "white box": "D"}

Rows = Sequence[Mapping[str, Any]]


def audit_charts(told: Mapping[str, Any]) -> dict[str, Markup]:
    """Name -> SVG of what an audit's results can be drawn as.

    Args:
        told: what ``audit --json`` prints.
    """
    said = told["verdict"][0]
    found = {"budgets": drawn(lambda axes: budgets(axes, told["rows"], told["headline_cut"], told["unit"]), "Success over the budget", said, height=3.0)}  # fmt: skip
    if len(told["curve"]) > 1:
        found["curve"] = drawn(lambda axes: curve(axes, told["curve"]), "Success along depth", said, height=3.0)  # fmt: skip
    return found


def harden_charts(told: Mapping[str, Any]) -> dict[str, Markup]:
    """The same of what ``harden --json`` prints."""
    reduced, price = told["reduction"]["untargeted"], told["accuracy"]
    places = [{"accuracy": price[when], "success": reduced[when]} for when in ("before", "after")]
    said = told["verdict"][0]
    return {"hardening": drawn(lambda axes: hardening(axes, *places), "Accuracy against success", said, height=3.0)}  # fmt: skip


def budgets(axes: Axes, rows: Rows, cut: int, unit: str) -> None:
    """Untargeted success over the budget: teacher only, its controls, and the white box."""
    for name, chosen in _series(rows, cut).items():
        x, y = [r["budget"] for r in chosen], [100 * r["success"] for r in chosen]
        spread = [[100 * max(0.0, r["success"] - r["low"]) for r in chosen], [100 * max(0.0, r["high"] - r["success"]) for r in chosen]]  # fmt: skip
        axes.errorbar(x, y, yerr=spread, label=name, color=COLOURS[name], marker=MARKS[name], capsize=3)  # fmt: skip
    label = f"budget in 1{unit}" if unit.startswith("/") else f"budget, share{unit}"
    axes.set(xlabel=label, ylabel="success, %", ylim=(-2, 104))
    axes.legend(loc="best")


def _series(rows: Rows, cut: int) -> dict[str, list[Mapping[str, Any]]]:
    """Rows of each curve, by rising budget; of teacher-only attacks the best at each budget."""
    plain = [r for r in rows if r["measure"] == "linf" and not r["targeted"]]
    own = [r for r in plain if r["threat"] == "T1" and r["cut"] == cut]
    found = {
        "teacher only": _best(own),
        "control teacher": _best([r for r in plain if r["attack"].startswith("control: ")]),
        "noise": _best([r for r in plain if r["attack"] == "noise"]),
        "white box": _best([r for r in plain if r["attack"] in ("pgd", "apgd", "search")]),
    }
    return {name: chosen for name, chosen in found.items() if chosen}


def _best(rows: Rows) -> list[Mapping[str, Any]]:
    by_budget: dict[float, Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda r: float(r["success"])):
        by_budget[row["budget"]] = row
    return [by_budget[budget] for budget in sorted(by_budget)]


def curve(axes: Axes, places: Rows) -> None:
    """Success at the graded budget, cut by cut; the true cut is marked."""
    at = [p["cut"] for p in places]
    for aim, colour, mark in (("untargeted", TUNED, "o"), ("targeted", FROZEN, "s")):
        axes.plot(at, [100 * p[aim]["success"] for p in places], label=aim, color=colour, marker=mark)  # fmt: skip
    true = [p["cut"] for p in places if p["true"]]
    for cut in true:
        axes.axvline(cut, color=SOFT, linestyle="--", label="true cut")
    axes.set(xlabel="cut: stages that are imitated", ylabel="success, %", ylim=(-2, 104), xticks=at)
    axes.legend(loc="best")


AROUND = 5.0
"""Points of accuracy that are drawn on either side, so that a small change looks small."""


def hardening(axes: Axes, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Accuracy against teacher-only success, before and after hardening."""
    for name, place, colour, mark in (("before", before, TUNED, "o"), ("after", after, GOOD, "D")):  # fmt: skip
        axes.plot([100 * place["accuracy"]], [100 * place["success"]], label=name, color=colour, marker=mark, linestyle="none", markersize=10)  # fmt: skip
    ends = sorted(100 * place["accuracy"] for place in (before, after))
    wide = (ends[0] - AROUND, min(100.5, ends[1] + AROUND))
    axes.set(xlabel="accuracy, %", ylabel="teacher-only success, %", xlim=wide, ylim=(-2, 104))
    axes.legend(loc="best")
