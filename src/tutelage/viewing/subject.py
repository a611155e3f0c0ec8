"""The subject: what is looked at. A teacher with somebody's items, or a finished fit with its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tutelage.errors import ArtefactError, UsageError
from tutelage.files import read_json
from tutelage.student import Student, load
from tutelage.teachers import Teacher
from tutelage.training import FitOptions, read_options


@dataclass(frozen=True)
class Subject:
    """What is looked at, and on which items.

    Attributes:
        source, labels: the items; see ``fit``.
        options: what a fit of them is asked: it settles teacher, parts and engine.
        student: adapted from that teacher; None for a teacher alone.
        told: the fit's ``results.json``; empty for a teacher alone.
        own: the teacher, if it came from Python.
    """

    source: Any
    labels: Sequence[str] | None
    options: FitOptions
    student: Student | None = None
    told: Mapping[str, Any] | None = None
    own: Teacher | None = None

    @property
    def name(self) -> str:
        """Of its run folder."""
        if self.student is not None and self.student.folder is not None:
            return self.student.folder.absolute().parent.name
        stem = Path(self.source).stem if isinstance(self.source, str | Path) else "items"
        return f"{self.options.teacher}-{stem}" if self.own is None else f"{self.own.card.name}-{stem}"  # fmt: skip


def finished_fit(folder: Path, source: Any = None, labels: Sequence[str] | None = None, teacher: Teacher | None = None, code: str | Path | None = None) -> Subject:  # fmt: skip
    """A fit's student, on the items that it learned from or on others.

    Args:
        source, labels: other labelled items, or None for the fit's own.
        teacher: the module, if the fit's teacher came from Python.
        code: the file that builds the student's network, if that is the user's own.

    Raises:
        ArtefactError: no finished fit is there.
        UsageError: its data came from Python, and no other was given.
    """
    student = load(folder, teacher=teacher, code=code)
    home = (student.folder or folder).parent
    args, told = _read(home / "args.json"), _read(home / "results.json")
    given = args.get("source") if source is None else source
    if given is None:
        raise UsageError(
            "no-source", given=f"{folder} learned from data that came from Python, or was changed",
            expected="items to look at", next=f"Give them: tutelage view {folder} PHOTOS",
        )  # fmt: skip
    asked = read_options(args.get("options", {}))
    settled = asked.teacher == "auto" or asked.teachers is not None or "options" not in args
    named = student.facts.card.name if settled else asked.teacher
    options = replace(asked, teacher=named, teachers=None, time_limit=None, strict=False)
    if source is not None:
        options = replace(options, test=None, companion=None, group_by=None)
    return Subject(given, labels, options, student, told, teacher)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ArtefactError(
            "no-run", given=f"{path.parent} has no {path.name}", expected="the folder of a finished fit",
            next="Make a student first: tutelage fit DATA, then: tutelage view runs/fit/NAME",
        )  # fmt: skip
    told: dict[str, Any] = read_json(path)
    return told


def of_teacher(options: FitOptions, source: Any, labels: Sequence[str] | None = None, own: Teacher | None = None) -> Subject:  # fmt: skip
    """A teacher alone, before any training."""
    return Subject(source, labels, options, own=own)
