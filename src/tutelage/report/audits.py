"""Pages of an audit and of a hardening, from what they tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutelage.report.audit_charts import audit_charts, harden_charts
from tutelage.report.page import page
from tutelage.report.thumbnails import Pictures


def render_audit(told: Mapping[str, Any], pictures: Pictures) -> str:
    """The page of an audit as HTML, from what ``audit --json`` prints."""
    title = f"What a student of {told['teacher']} inherited"
    return page(
        "section.html.jinja",
        title,
        section="audit",
        audit=told,
        pictures=pictures,
        charts=audit_charts(told),
    )


def render_harden(told: Mapping[str, Any]) -> str:
    """The page of a hardening as HTML, from what ``harden --json`` prints."""
    title = f"A student of {told['teacher']}, hardened"
    return page(
        "section.html.jinja", title, section="harden", harden=told, charts=harden_charts(told)
    )
