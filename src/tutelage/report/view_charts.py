"""Charts of the layer atlas: what can be told apart along depth, and how far a student moved from its teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tutelage.report.charts import FROZEN, GOOD, SOFT, TUNED, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]


def along_depth(view: Mapping[str, Any]) -> Markup:
    """Left-out accuracy and separability of each stage; below, of a student, likeness to its teacher and movement.

    Args:
        view: what ``view --json`` tells.
    """
    rows, cut = view["stages"], view["cut"]
    compared = any(row["cka"] is not None for row in rows)

    def draw(above: Axes, *below: Axes) -> None:
        _apart(above, rows)
        for axes in below:
            _likeness(axes, rows)
        for axes in (above, *below):
            _cut(axes, rows, cut)
            axes.grid(visible=False, axis="x")
        (above, *below)[-1].set_xticks([row["number"] for row in rows], [row["name"] for row in rows], rotation=60, ha="right")  # fmt: skip

    return drawn(draw, "What each stage sees", _said(rows, compared), rows=(1.4, 1) if compared else (1,), height=4.6 if compared else 3.0)  # fmt: skip


def _said(rows: Rows, compared: bool) -> str:
    read = [row for row in rows if row["reading"]]
    told = []
    if read:
        best = max(read, key=lambda row: row["reading"]["accuracy"])
        told.append(
            f"Most is read from {best['name']}: {best['reading']['accuracy']:.1%} left out."
        )
    if compared:
        least = min(rows, key=lambda row: row["cka"])
        told.append(f"The student is least like its teacher at {least['name']}: CKA {least['cka']:.2f}.")  # fmt: skip
    return " ".join(told) or "Separability of each stage."


def _apart(axes: Axes, rows: Rows) -> None:
    read = [row for row in rows if row["reading"]]
    axes.bar([row["number"] for row in rows], [100 * row["separability"] for row in rows], width=0.6, color=GOOD, alpha=0.45, label="separability (mean of channels)")  # fmt: skip
    if read:
        values = [100 * row["reading"]["accuracy"] for row in read]
        spread = [[v - 100 * row["reading"]["low"] for v, row in zip(values, read, strict=True)], [100 * row["reading"]["high"] - v for v, row in zip(values, read, strict=True)]]  # fmt: skip
        axes.errorbar([row["number"] for row in read], values, yerr=spread, color=FROZEN, marker="o", capsize=3, label="left-out accuracy")  # fmt: skip
    axes.set(ylim=(0, 104), ylabel="in %")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)


def _likeness(axes: Axes, rows: Rows) -> None:
    at = [row["number"] for row in rows]
    axes.bar(at, [100 * (row["moved"] or 0) for row in rows], width=0.6, color=TUNED, alpha=0.6, label="weights moved")  # fmt: skip
    axes.plot(at, [100 * row["cka"] for row in rows], color=FROZEN, marker="s", ms=4, label="like the teacher (CKA)")  # fmt: skip
    axes.set(ylim=(0, 108), ylabel="in %")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)


def _cut(axes: Axes, rows: Rows, cut: Mapping[str, Any] | None) -> None:
    if cut is None:
        return
    at = cut["index"] + 0.5
    axes.axvline(at, color=SOFT, linestyle="--", linewidth=1.6)
    for side, word, there in ((-4, "frozen", cut["index"] > 0), (4, "tuned", cut["index"] < len(rows))):  # fmt: skip
        if there:
            axes.annotate(word, (at, 0.02), (side, 0), xycoords=("data", "axes fraction"), textcoords="offset points", ha="right" if side < 0 else "left", va="bottom")  # fmt: skip
