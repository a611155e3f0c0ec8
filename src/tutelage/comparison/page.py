"""``compare.html``: one self-contained page with the arms and their intervals drawn to scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tutelage.report.lineage import environment

WIDTH, LEFT, RIGHT, ROW = 720, 90, 130, 44
"""Of the drawing, in its own units: whole, room for names, room for figures, height of an arm."""


def render(told: Mapping[str, Any]) -> str:
    """The page as HTML, from what ``compare --json`` tells."""
    return environment().get_template("compare.html.jinja").render(told=told, chart=chart(told["arms"]))  # fmt: skip


def chart(arms: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Where everything is drawn: an axis from a round figure below the lowest interval up to 100 %."""
    least: float = math.floor(10 * min(arm["low"] for arm in arms)) / 10

    def x(accuracy: float) -> float:
        share = (accuracy - least) / (1 - least)
        return float(round(LEFT + (WIDTH - LEFT - RIGHT) * share, 1))

    steps = round(10 * (1 - least))
    marks = [least + k / 10 for k in range(0, steps + 1, 1 if steps <= 5 else 2)]
    return {
        "width": WIDTH, "height": ROW * len(arms) + 34, "bottom": ROW * len(arms) + 8, "right": WIDTH - RIGHT + 14,
        "ticks": [{"x": x(mark), "percent": round(100 * mark)} for mark in marks],
        "rows": [_row(arm, ROW * i + ROW / 2, x) for i, arm in enumerate(arms)],
    }  # fmt: skip


def _row(arm: Mapping[str, Any], y: float, x: Any) -> dict[str, Any]:
    return {
        "mode": arm["mode"], "own": arm["own"], "y": y, "low": x(arm["low"]), "high": x(arm["high"]), "at": x(arm["accuracy"]),
        "accuracy": arm["accuracy"], "runs": [x(run["accuracy"]) for run in arm["runs"]] if arm["seeds"] > 1 else [],
    }  # fmt: skip
