"""Every error a user can meet says what was given, what was expected and what to type next.

TutelageError
├── UsageError       the arguments contradict each other or name nothing   (exit code 2)
├── DataError        the user's data cannot serve                          (exit code 1)
├── TeacherError     a teacher's weights or code cannot be trusted or used (exit code 1)
├── ArtefactError    a student, run or cache file is not what it should be (exit code 1)
├── TrainingError    the numbers went wrong, or the disk or memory ended   (exit code 1)
└── NotYetError      a task or modality does not have what was asked for   (exit code 1)
"""

from __future__ import annotations

from typing import ClassVar


class TutelageError(Exception):
    """The root: catch this to catch everything that tutelage raises on purpose.

    Args:
        kind: a short, stable, hyphenated name for programs, e.g. ``"empty-source"``.
        given: what the user gave, or what was found.
        expected: what would have been right.
        next: what to type or do next.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, kind: str, *, given: str, expected: str, next: str) -> None:
        self.kind, self.given, self.expected, self.next = kind, given, expected, next
        super().__init__(f"{given}. Expected {expected}. {next}")

    def as_json(self) -> dict[str, object]:
        """The machine-readable form: ``{"schema": 1, "error": {kind, given, expected, next}}``."""
        body = {"kind": self.kind, "given": self.given, "expected": self.expected}
        return {"schema": 1, "error": {**body, "next": self.next}}


class UsageError(TutelageError):
    """The arguments contradict each other, or name something that does not exist."""

    exit_code: ClassVar[int] = 2


class DataError(TutelageError):
    """The user's data cannot serve: nothing to read, one class, a broken table."""


class TeacherError(TutelageError):
    """A teacher's weights or code cannot be trusted, found or used."""


class ArtefactError(TutelageError):
    """A student, run folder or cache file is missing, damaged or too new."""


class TrainingError(TutelageError):
    """The numbers went wrong, or the disk or the memory ended."""


class NotYetError(TutelageError):
    """A task or a modality does not have what was asked for."""


def missing_extra(extra: str, package: str, what: str) -> UsageError:
    """The one error for a package that only some data needs and that is not installed."""
    return UsageError(
        "missing-extra", given=f"{what}, without the package {package}", expected=f"the extra `{extra}` of tutelage",
        next=f'Type: pip install "tutelage[{extra}]"',
    )  # fmt: skip
