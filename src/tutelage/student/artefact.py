"""The student: tensors and facts in memory, and the folder they are saved to. Loading runs no code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import ArtefactError
from tutelage.features.choice import at_hand
from tutelage.features.engine import Compiled, EngineSpec, Program, engine
from tutelage.features.extract import Extractor
from tutelage.features.ragged import row_layout
from tutelage.files import (
    canonical_json,
    damaged,
    digest_arrays,
    digest_bytes,
    digest_file,
    digest_json,
    read_arrays,
    read_json,
    write_arrays,
    write_bytes,
)
from tutelage.heads.linear import LinearHead
from tutelage.heads.reject import RejectRule
from tutelage.modality import Modality
from tutelage.modality.known import KNOWN, known_modality
from tutelage.student.facts import FORMAT, StudentFacts
from tutelage.student.joint import OldClasses
from tutelage.teachers import Teacher
from tutelage.teachers.local import code_builder
from tutelage.teachers.zoo import assembled, load_named

if TYPE_CHECKING:
    from torch import nn

    from tutelage.network.stages import Network

__all__ = ["FORMAT", "Student", "load"]

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Student:
    """A teacher's network, adapted: trunk, tail and head with everything that ``predict`` needs.

    Attributes:
        facts: what ``student.json`` says.
        teacher: its network carries the student's own weights, trunk and tuned tail.
        head: the linear head with its temperature.
        reject: the score and threshold for "none of these".
        statistics: sufficient statistics of the head, for exact additions and deletions later.
        golden: 8 decoded inputs, their activations at the cut and their probabilities.
        folder: where it was saved or loaded from.
        old: the teacher's own classifier, where the student still knows its classes.
        compiled: its tail by engine and digest, compiled once for all students that are ``replace``d from one.
    """

    facts: StudentFacts
    teacher: Teacher
    head: LinearHead
    reject: RejectRule
    statistics: Mapping[str, npt.NDArray[Any]]
    golden: Mapping[str, npt.NDArray[Any]]
    folder: Path | None = None
    old: OldClasses | None = None
    compiled: dict[tuple[EngineSpec, str], Compiled] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def classes(self) -> tuple[str, ...]:
        """Label names, in the order of the probabilities: its own, then the teacher's it still knows."""
        return self.facts.classes + self.facts.kept

    @cached_property
    def engine(self) -> EngineSpec:
        """What it runs in: the engine that it was made with, if this machine has that device; see ``at_hand``."""
        return at_hand(self.facts.engine)

    @property
    def stands_in(self) -> str:
        """A sentence, where another engine answers than the one that it was made with; else empty."""
        made = self.facts.engine
        return "" if self.engine == made else f"it was made with {made} on {made.device}, which is not here: {self.engine} on {self.engine.device} stands in"  # fmt: skip

    @cached_property
    def extractor(self) -> Extractor:
        """What turns items into activations at the cut; compiled once for all that is asked."""
        return Extractor(self.teacher, self.facts.frozen, self.facts.spec, self.engine)

    @property
    def network(self) -> Network:
        """The student's own network, in eval mode."""
        return self.teacher.network

    @cached_property
    def tail(self) -> Compiled | None:
        """What runs between the cut and the head, compiled; None in ``deep`` mode."""
        if self.facts.cut == len(self.facts.card.stages):
            return None
        program = self._tail_program()
        key = self.engine, program.key
        if key not in self.compiled:
            self.compiled[key] = engine(self.engine)(program)
        return self.compiled[key]

    def _tail_program(self) -> Program:
        cut, spec = self.facts.frozen, self.facts.spec

        def module() -> nn.Module:
            from tutelage.network.taps import Tapped

            stages = [stage.module for stage in self.network.stages[cut:]]
            return Tapped(
                stages, self.facts.reads, cut, None if cut else self.teacher.prepare(spec)
            )

        rows = {
            n[len("activation/") :]: a
            for n, a in self.golden.items()
            if n.startswith("activation/")
        }
        layout = row_layout({name: a for name, a in rows.items() if not name.startswith("tap.")})
        key = ["tail", self.tensors_digest, cut, list(self.facts.reads), spec.as_json()]
        return Program(digest_json(key), module, layout)

    @cached_property
    def tensors_digest(self) -> str:
        """Digest of the network's tensors."""
        return digest_arrays(self.teacher.tensors())

    # -- what it does; the work is in student/predict.py ------------------------------------------

    def predict(self, inputs: Any) -> list[str]:
        """The most probable class of each input.

        Args:
            inputs: paths (files, folders, patterns) or arrays.

        Raises:
            DataError: an input cannot be read; ``predictions`` names it and goes on instead.
        """
        return [self.classes[i] for i in self.predict_proba(inputs).argmax(1)]

    def predict_proba(self, inputs: Any) -> npt.NDArray[np.float64]:
        """Calibrated probabilities (N, C), columns in the order of ``classes``."""
        from tutelage.student.predict import probabilities_of

        return probabilities_of(self, inputs)

    def evaluate(self, source: Any, labels: Sequence[str] | None = None) -> dict[str, Any]:
        """Accuracy with its interval and the rest, on labelled data that it never saw.

        Args:
            source: what ``fit`` takes: a folder with one sub-folder per class, a table, ...
            labels: for a list of paths or arrays.
        """
        from tutelage.student.predict import evaluate_on

        return evaluate_on(self, source, labels)

    @property
    def digest(self) -> str:
        """sha256 over the tensors and the canonical ``student.json``."""
        return digest_bytes(canonical_json(self.facts.as_json()))

    def save(self, folder: str | Path, *, by_reference: bool = False) -> Student:
        """Write the folder; ``student.json`` is written last, so a killed save is not believed.

        Args:
            folder: a new or empty folder.
            by_reference: leave out the frozen trunk; loading then needs the teacher.

        Raises:
            ArtefactError: there is a student in the folder already.
        """
        target = Path(folder)
        if (target / "student.json").exists():
            raise ArtefactError(
                "exists", given=f"{target} holds a student already", expected="a new folder",
                next="Save to another folder; nothing is ever overwritten.",
            )  # fmt: skip
        facts = replace(self.facts, by_reference=by_reference)
        tensors = self.teacher.tensors()
        trunk = {*facts.card.names[: facts.frozen], "classifier", "dropped"}
        left_out = trunk if by_reference else set()
        kept = {n: a for n, a in tensors.items() if facts.card.owners.get(n) not in left_out}
        files = {
            "student.safetensors": {**_prefixed("backbone/", kept), **_prefixed("head/", self.head.as_arrays()), **_prefixed("old/", self.old.as_arrays() if self.old else {})},
            "state.safetensors": {**_prefixed("reject/", self.reject.as_arrays()), **_prefixed("statistics/", self.statistics)},
            "golden.safetensors": dict(self.golden),
        }  # fmt: skip
        for name, arrays in files.items():
            write_arrays(target / name, arrays)
        facts = replace(facts, files={name: digest_file(target / name) for name in files})
        write_bytes(target / "student.json", canonical_json(facts.as_json()))
        return replace(self, facts=facts, folder=target)


def _prefixed(prefix: str, arrays: Mapping[str, Any]) -> Arrays:
    return {prefix + name: np.asarray(array) for name, array in arrays.items()}


def _part(arrays: Arrays, prefix: str) -> Arrays:
    return {n[len(prefix) :]: a for n, a in arrays.items() if n.startswith(prefix)}


def load(path: str | Path, *, teacher: Teacher | None = None, code: str | Path | None = None) -> Student:  # fmt: skip
    """Load a student from its folder or from the folder of its run. No code in it is run.

    Args:
        path: ``runs/fit/NAME`` or ``runs/fit/NAME/student``.
        teacher: only for a student of the user's own network: gives the architecture and modality.
        code: only for a student of a network that the user's own file builds: that file, which is
            run if it is still the one that the student was made with.

    Raises:
        ArtefactError: no student there, a damaged or truncated file, a newer format, a NaN, or
            other code.
    """
    folder = _find(Path(path))
    facts = StudentFacts.from_json(read_json(folder / "student.json"))
    _verify(folder, facts)
    tensors, state = (
        read_arrays(folder / "student.safetensors"),
        read_arrays(folder / "state.safetensors"),
    )
    _all_finite(folder, tensors)
    return Student(
        facts,
        _as_teacher(facts, _part(tensors, "backbone/"), teacher, code),
        LinearHead.from_arrays(_part(tensors, "head/")),
        RejectRule.from_arrays(_part(state, "reject/")),
        _part(state, "statistics/"),
        read_arrays(folder / "golden.safetensors"),
        folder,
        OldClasses.from_arrays(_part(tensors, "old/")),
    )


def _find(path: Path) -> Path:
    for folder in (path, path / "student"):
        if (folder / "student.json").exists():
            return folder
    unfinished = (path / "args.json").exists()
    raise ArtefactError(
        "no-student", given=f"{path} has no student.json" + (", because its run did not finish" if unfinished else ""),
        expected="the folder of a finished run",
        next=f"Finish it with: tutelage fit --resume {path}" if unfinished else "Make one with: tutelage fit DATA",
    )  # fmt: skip


def _verify(folder: Path, facts: StudentFacts) -> None:
    for name, digest in facts.files.items():
        if not (folder / name).exists() or digest_file(folder / name) != digest:
            raise damaged(folder / name, "its sha256 is not the one in student.json")


def _all_finite(folder: Path, tensors: Arrays) -> None:
    for name, array in tensors.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise damaged(folder / "student.safetensors", f"NaN or infinity in {name}")


def _as_teacher(facts: StudentFacts, tensors: Arrays, given: Teacher | None, code: str | Path | None) -> Teacher:  # fmt: skip
    """The student's network in the form of a teacher: same card, its own tensors."""
    if facts.by_reference:
        origin = given or _referred(facts)
        if origin.card.digest != facts.card.digest:
            raise ArtefactError(
                "wrong-teacher", given=f"teacher {origin.card.name} with digest {origin.card.digest[:16]}",
                expected=f"digest {facts.card.digest[:16]}, which the student refers to", next="Get that teacher's weight file.",
            )  # fmt: skip
        tensors = {**origin.tensors(), **tensors}
    if given is not None:
        return replace(given, card=facts.card, tensors=lambda: tensors)
    own = code_builder(code, facts.card.architecture)
    _require_known(facts.modality)
    return assembled(facts.card, lambda: tensors, own)


def _referred(facts: StudentFacts) -> Teacher:
    """The teacher that a student saved by reference leaves out."""
    if facts.card.source.startswith(("file:", "python")):
        raise ArtefactError(
            "own-teacher", given=f"a student that refers to {facts.card.name}, a teacher of the user's own",
            expected="that teacher", next="Load it with: tutelage.load(path, teacher=load_teacher(Asked(...)))",
        )  # fmt: skip
    return load_named(facts.card.name, _require_known(facts.modality), facts.spec.channels)


def _require_known(name: str) -> Modality:
    """The modality of that name; one of the user's own kind is refused: ``load`` then needs ``teacher=``."""
    known = known_modality(name)
    if known is None:
        raise ArtefactError(
            "own-modality", given=f"a student that looks at {name}", expected=" or ".join(known.name for known in KNOWN),
            next="Load it with: tutelage.load(path, teacher=your_teacher)",
        )  # fmt: skip
    return known
