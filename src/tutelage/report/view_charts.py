"""Charts of the layer atlas: what can be told apart along depth, and how far the student moved."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

INK = "#6b7280"
"""Of text and lines: readable on white and on black."""

BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
"""Safe for the colour-blind (Okabe and Ito)."""

SETTINGS: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "tutelage", "font.size": 11, "font.family": "sans-serif",
    "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
}  # fmt: skip


def depth(stages: Sequence[Mapping[str, Any]], cut: Mapping[str, Any] | None) -> str:
    """SVG: left-out accuracy and separability of each stage, below them CKA and movement; the cut through all.

    Args:
        stages: rows of ``view --json``.
        cut: ``{"index", "stage"}``, or None.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        compared = any(row["cka"] is not None for row in stages)
        figure = Figure(figsize=(8, 5 if compared else 3), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(2 if compared else 1, 1, sharex=True, squeeze=False)[:, 0]
        _apart(axes[0], stages)
        if compared:
            _moved(axes[1], stages)
        for place in axes:
            _cut(place, stages, cut)
        axes[-1].set_xticks(range(1, len(stages) + 1), [row["name"] for row in stages], rotation=40, ha="right")  # fmt: skip
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]


def _apart(axes: Any, stages: Sequence[Mapping[str, Any]]) -> None:
    read = [row for row in stages if row["reading"]]
    at = [row["number"] for row in read]
    values = [row["reading"]["accuracy"] for row in read]
    spread = [
        [v - row["reading"]["low"] for v, row in zip(values, read, strict=True)],
        [row["reading"]["high"] - v for v, row in zip(values, read, strict=True)],
    ]
    axes.bar([row["number"] for row in stages], [row["separability"] for row in stages], width=0.5, color=GREEN, alpha=0.45, label="separability")  # fmt: skip
    if read:
        axes.errorbar(at, values, yerr=spread, color=BLUE, marker="o", capsize=3, label="left-out accuracy")  # fmt: skip
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower right", ncols=2, bbox_to_anchor=(1, 1))


def _moved(axes: Any, stages: Sequence[Mapping[str, Any]]) -> None:
    at = [row["number"] for row in stages]
    axes.bar(at, [row["moved"] or 0 for row in stages], width=0.5, color=ORANGE, alpha=0.6, label="weights moved by")  # fmt: skip
    axes.plot(at, [row["cka"] for row in stages], color=BLUE, marker="s", label="likeness to the teacher (CKA)")  # fmt: skip
    axes.set_ylim(0, 1.05)
    axes.legend(loc="lower right", ncols=2, bbox_to_anchor=(1, 1))


def _cut(axes: Any, stages: Sequence[Mapping[str, Any]], cut: Mapping[str, Any] | None) -> None:
    if cut is None:
        return
    at = cut["index"] + 0.5
    axes.axvline(at, color=INK, linestyle="--", linewidth=1.5)
    if cut["index"]:
        axes.annotate("frozen", (at, 0.97), (-6, 0), textcoords="offset points", ha="right", va="top", xycoords=("data", "axes fraction"))  # fmt: skip
    if cut["index"] < len(stages):
        axes.annotate("tuned", (at, 0.97), (6, 0), textcoords="offset points", ha="left", va="top", xycoords=("data", "axes fraction"))  # fmt: skip
