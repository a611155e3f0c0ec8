"""Lineage: the chain of digests from teacher and data to student; and the model card for people."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tutelage.files import digest_json
from tutelage.student import Student
from tutelage.training import Lesson, Trained

PACKAGES = ("tutelage", "torch", "timm", "openvino", "numpy", "pillow")


def lineage(lesson: Lesson, trained: Trained, student: Student) -> dict[str, Any]:
    """Where the student comes from."""
    card, decision, checked = lesson.teacher.card, trained.decision, lesson.checked
    labelled = sorted(
        zip(checked.digests, (str(e.label) for e in checked.dataset.examples), strict=True)
    )
    rows = [[row["digest"], row["part"]] for row in lesson.parts.as_rows(checked)]
    return {
        "schema": 1,
        "student": student.digest,
        "parent": None,
        "teacher": {"name": card.name, "digest": card.digest, "source": card.source, "licence": card.licence, "trained_on": card.trained_on},
        "data": {"digest": digest_json(labelled), "items": len(labelled), "classes": list(student.facts.classes)},
        "split": {"digest": digest_json(sorted(rows))},
        "decision": {"mode": decision.mode, "cut": decision.cut_json(), "because": list(decision.because),
                     "evidence": [dict(row) for row in decision.evidence], "asked": decision.asked},
        "recipe": dict(student.facts.recipe),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


@cache
def environment() -> Environment:
    """Templates of this room, each compiled once; everything is escaped in HTML, and a missing name is an error."""
    return Environment(
        loader=PackageLoader("tutelage.report", "templates"), undefined=StrictUndefined,
        autoescape=lambda name: name is not None and name.endswith(".html.jinja"), trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def model_card(student: Student, results: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """The student's README.md."""
    template = environment().get_template("model_card.md.jinja")
    return template.render(student=student, card=student.facts.card, results=results, lineage=told)
