"""What ``student.json`` says: facts that change predictions, and nothing else.

No date, path, duration or host is in it, so that the same seed on the same machine gives the same
digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tutelage.errors import ArtefactError
from tutelage.features.engine import EngineSpec
from tutelage.heads.refit import Part
from tutelage.modality import InputSpec
from tutelage.network.decision import Mode
from tutelage.teachers import Card

FORMAT = 1


@dataclass(frozen=True)
class StudentFacts:
    """Facts of one student.

    Attributes:
        classes: label names, in the order of the probabilities.
        task: name of the task, e.g. ``"single"``.
        modality: name of what it looks at.
        mode: deep, mid, full or scratch.
        cut: stages that are the teacher's own, frozen; None for scratch.
        card: the teacher's card.
        built_with: library and version that builds the architecture.
        spec: how inputs are made ready.
        engine: what ran the trunk, and runs it again.
        recipe: all training numbers.
        kept: names of the teacher's own classes that the student still knows; their probabilities
            follow those of ``classes``.
        reads: stages whose pooled output the head reads beside the features.
        parts: the closed forms that the head is, to fit it again from its statistics; none where it was refined
            or tuned.
        by_reference: whether the frozen trunk is left out of the file.
        files: name -> sha256 of the tensors beside it.
    """

    classes: tuple[str, ...]
    task: str
    modality: str
    mode: Mode
    cut: int | None
    card: Card
    built_with: str
    spec: InputSpec
    engine: EngineSpec
    recipe: Mapping[str, Any]
    kept: tuple[str, ...] = ()
    reads: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()
    by_reference: bool = False
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def frozen(self) -> int:
        """Number of frozen stages."""
        return self.cut or 0

    def as_json(self) -> dict[str, Any]:
        """Canonical content of ``student.json``; ``from_json`` is its inverse."""
        plain = {**asdict(self), "card": self.card.as_json(), "spec": self.spec.as_json()}
        return {"schema": 1, "format": FORMAT, **plain, "engine": self.engine.as_json()}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> StudentFacts:
        """The inverse of ``as_json``.

        Raises:
            ArtefactError: not a student, or one of a newer format.
        """
        check_format(value)
        known = {k: v for k, v in value.items() if k not in ("schema", "format")}
        try:
            return StudentFacts(
                **{
                    **known,
                    "classes": tuple(known["classes"]),
                    "kept": tuple(known.get("kept", ())),
                    "reads": tuple(known.get("reads", ())),
                    "parts": tuple(Part(**part) for part in known.get("parts", ())),
                    "card": Card.from_json(known["card"]),
                    "spec": InputSpec.from_json(known["spec"]),
                    "engine": EngineSpec(**known["engine"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise ArtefactError(
                "damaged-file", given=f"student.json lacks or misspells {error}", expected=f"format {FORMAT}",
                next="Restore it from a copy, or make the student again with: tutelage fit DATA",
            ) from error  # fmt: skip


def check_format(value: Mapping[str, Any]) -> None:
    """Refuse what is not a student, and what a newer tutelage wrote."""
    number = value.get("format") if isinstance(value, Mapping) else None
    if not isinstance(number, int):
        raise ArtefactError(
            "not-a-student", given="a student.json without a format number",
            expected=f"a student of format {FORMAT}", next="Give the folder of a run: tutelage predict runs/fit/NAME ...",
        )  # fmt: skip
    if number > FORMAT:
        raise ArtefactError(
            "newer-student", given=f"a student of format {number}", expected=f"format {FORMAT} or older",
            next="It was made by a newer tutelage: pip install --upgrade tutelage",
        )  # fmt: skip
