"""The subject of an audit: a student on disk, and the public teacher that an adversary would hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tutelage.errors import TutelageError, UsageError
from tutelage.files import read_arrays
from tutelage.modality import lacking
from tutelage.modality.perturb import Perturb
from tutelage.student import Student, load
from tutelage.teachers import Asked, Teacher, load_teacher
from tutelage.teachers.kept import folder_of, kept
from tutelage.teachers.zoo import load_named


@dataclass(frozen=True)
class Subject:
    """Who is audited.

    Attributes:
        student: as it is on disk.
        teacher: the public one, with its published weights.
        told: how the teacher is known, in a sentence.
    """

    student: Student
    teacher: Teacher
    told: str

    @property
    def perturb(self) -> Perturb:
        """What may be done to an item.

        Raises:
            NotYetError: the modality has no perturbations.
        """
        found = self.student.teacher.modality.perturb
        if found is None:
            raise lacking(self.student.teacher.modality, "perturb")
        return found

    @property
    def depth(self) -> int:
        """L: stages of the teacher."""
        return len(self.teacher.card.stages)

    @property
    def true_cut(self) -> int:
        """K: stages that the student took over frozen; of scratch 0."""
        return self.student.facts.frozen


def open_subject(student: str | Path | Student, teacher: str | Teacher | None = None, code: str | Path | None = None) -> Subject:  # fmt: skip
    """The subject in a run's folder, or a loaded student.

    Args:
        student: see ``tutelage.load``.
        teacher: the public teacher, by name or as it is; by default the one that the student's card names.
        code: for a student of a network that the user's own file builds.

    Raises:
        ArtefactError: no student is there, or it is damaged.
        TeacherError: the teacher's weights cannot be had.
        NotYetError: its modality cannot be attacked.
    """
    given = teacher if isinstance(teacher, Teacher) else None
    own = student if isinstance(student, Student) else load(student, teacher=given, code=code)
    public, told = _public(own, teacher)
    subject = Subject(own, public, told)
    _ = subject.perturb
    return subject


def _public(student: Student, asked: str | Teacher | None) -> tuple[Teacher, str]:
    card = student.facts.card
    if isinstance(asked, Teacher):
        return asked, f"{asked.card.name} was given as its teacher"
    if asked is not None:
        found = load_teacher(Asked(asked, allow_licence=True, channels=student.facts.spec.channels), student.teacher.modality)  # fmt: skip
        _require_same_stages(found, student)
        return found, f"{found.card.name} was named as its teacher"
    here = kept(card)
    if here is not None:
        weights = folder_of(card) / "weights.safetensors"
        teacher = replace(student.teacher, card=here, tensors=lambda: read_arrays(weights))
        return teacher, f"its card names {card.name}, which is kept on this machine"
    try:
        return load_named(card.name, student.teacher.modality, student.facts.spec.channels), f"its card names {card.name}"  # fmt: skip
    except TutelageError:
        if student.facts.mode != "deep":
            raise
        return student.teacher, f"{card.name}, which its card names, cannot be had here: its frozen layers are taken for the teacher's"  # fmt: skip


def _require_same_stages(teacher: Teacher, student: Student) -> None:
    own = student.facts.card
    if teacher.card.names != own.names:
        raise UsageError(
            "other-network", given=f"--teacher {teacher.card.name}, whose stages are {', '.join(teacher.card.names[:4])}, ...",
            expected=f"the network of {own.name}: {', '.join(own.names[:4])}, ...", next="Leave out --teacher, or name another set of weights for the same network.",
        )  # fmt: skip
