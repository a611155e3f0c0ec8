"""``compare.html``: one self-contained page with the arms and their intervals drawn to scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutelage.report import charts
from tutelage.report.page import arms, page


def render(told: Mapping[str, Any]) -> str:
    """The page as HTML, from what ``compare --json`` tells."""
    title = f"{told['teacher']}: transfer against training from scratch"
    drawn = charts.intervals(arms(told), "Accuracy of each arm")
    return page("compare.html.jinja", title, told=told, drawn=drawn)
