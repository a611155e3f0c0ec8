"""The items that an audit looks at: test items as windows, and a few others of each class as targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.data import digest_item, open_source
from tutelage.errors import ArtefactError, DataError, UsageError
from tutelage.files import digest_bytes, digest_json, read_csv, read_json
from tutelage.modality import Item
from tutelage.modality.perturb import windows_of
from tutelage.student import Student

REFERENCES = 8
"""Items of each class that an adversary is taken to have, at most."""

SPARED = 0.2
"""Share of the items that may be spared as references; of fewer items, references come from what the student learned."""

REFERENCED = 256
"""Of all classes together, but at least one of each."""


@dataclass(frozen=True)
class Known:
    """One labelled item of a source, with the part that it had; ``group`` is what it is no independent item of."""

    name: str
    label: str
    digest: str
    part: str
    item: Item
    group: str = ""

    @property
    def kin(self) -> str:
        """Its group, or the item itself."""
        return self.group or self.digest


@dataclass(frozen=True)
class Items:
    """What is attacked, and what is imitated.

    Attributes:
        windows: (N, ...) as the network sees them.
        truth: (N,) class numbers.
        targets: (N,) another class for each, drawn from its digest and the seed.
        names: of the items.
        classes: names of the student's own classes.
        references: (M, ...) windows of other items, at most ``REFERENCES`` a class.
        reference_truth: (M,) their classes.
        digest: of all of it; part of every crafted set's name.
    """

    windows: npt.NDArray[Any]
    truth: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    names: tuple[str, ...]
    classes: tuple[str, ...]
    references: npt.NDArray[Any]
    reference_truth: npt.NDArray[np.int64]
    digest: str

    def __len__(self) -> int:
        return len(self.truth)

    def first(self, count: int) -> Items:
        """The first few of them."""
        many = min(count, len(self))
        if many == len(self):
            return self
        digest = digest_json([self.digest, "first", many])
        return Items(
            self.windows[:many], self.truth[:many], self.targets[:many], self.names[:many], self.classes,
            self.references, self.reference_truth, digest,
        )  # fmt: skip


def choose_items(known: Sequence[Known], student: Student, count: int, seed: int, parts: Sequence[str] = ("test",)) -> Items:  # fmt: skip
    """Some items of a part, in an order that depends on their digests and the seed alone.

    Of a group (copies, or what ``--group-by`` says) one item is attacked, because intervals count independent ones. References
    are items of other groups of the same part; where a class has too few, training items.

    Args:
        known: all labelled items.
        count: how many are attacked, at most.
        seed: another seed takes other items and other targets.
        parts: which parts are attacked.

    Raises:
        DataError: nothing of these parts is of the student's classes.
    """
    classes = student.facts.classes
    usable = [k for k in known if k.label in classes]
    ranked = sorted(usable, key=lambda k: digest_bytes(f"{seed}|{k.digest}".encode()))
    tested = _apart([k for k in ranked if k.part in parts])
    unlearned = set(classes) - {k.label for k in usable if k.part not in parts}
    spared = len(classes) if len(classes) <= SPARED * len(tested) else len(unlearned)
    attacked = tested[: min(count, max(1, len(tested) - spared))]
    if not tested:
        raise DataError(
            "nothing-to-attack", given=f"no item of {' or '.join(parts)} with one of the student's classes",
            expected="labelled items that it was not trained on", next="Give some: tutelage audit RUN --data LABELLED_DATA",
        )  # fmt: skip
    taken = {k.digest for k in attacked} | {k.kin for k in attacked}
    others = [k for k in (*tested, *ranked) if not {k.digest, k.kin} & taken]
    most = max(1, min(REFERENCES, REFERENCED // len(classes)))
    references = [k for name in classes for k in _distinct(others, name)[:most]]
    if len({k.label for k in references}) < 2:
        raise DataError(
            "nothing-to-imitate", given=f"{len(tested)} items to attack, and others of {len({k.label for k in references})} classes to imitate",
            expected="others of two classes at least", next="Give more labelled items: tutelage audit RUN --data LABELLED_DATA",
        )  # fmt: skip
    return _items(attacked, references, student, seed)


def _apart(some: Sequence[Known]) -> list[Known]:
    """The first of each group."""
    first: dict[str, Known] = {}
    for k in some:
        first.setdefault(k.kin, k)
    return list(first.values())


def _distinct(others: Sequence[Known], name: str) -> list[Known]:
    found = {k.digest: k for k in others if k.label == name}
    return list(found.values())


def _items(attacked: Sequence[Known], references: Sequence[Known], student: Student, seed: int) -> Items:  # fmt: skip
    modality, spec, classes = student.teacher.modality, student.facts.spec, student.facts.classes
    truth = np.array([classes.index(k.label) for k in attacked])
    known = sorted({classes.index(k.label) for k in references})
    targets = np.array([other_class(f"target|{seed}|{k.digest}", t, known) for k, t in zip(attacked, truth, strict=True)])  # fmt: skip
    rows = [[k.digest, k.label] for k in (*attacked, *references)]
    return Items(
        windows_of([k.item for k in attacked], modality, spec), truth, targets,
        tuple(k.name for k in attacked), classes,
        windows_of([k.item for k in references], modality, spec),
        np.array([classes.index(k.label) for k in references]),
        digest_json([rows, len(attacked), seed, spec.as_json(), list(classes)]),
    )  # fmt: skip


def other_class(key: str, truth: int, known: Sequence[int]) -> int:
    """A known class other than the truth, drawn by a key."""
    others = [c for c in known if c != truth]
    return others[int(digest_bytes(key.encode())[:8], 16) % len(others)]


def known_items(folder: Path, student: Student, data: str | Path | None = None) -> list[Known]:
    """The labelled items of a run, with their parts; or of other labelled data: its test part, else its val part, else all.

    Raises:
        UsageError: the run's data came from Python, and no other was given.
        ArtefactError: the student does not lie in a run's folder.
    """
    modality = student.teacher.modality
    if data is not None:
        dataset = open_source(data, modality=modality)
        parts = {e.part for e in dataset.examples}
        tested = next((part for part in ("test", "val") if part in parts), None)
        return [
            Known(e.name, str(e.label), digest_item(e.item), "test" if e.part == tested or tested is None else str(e.part), e.item)
            for e in dataset.examples
        ]  # fmt: skip
    rows, args = _register(folder), read_json(folder / "args.json")
    options = args.get("options", {})
    if args.get("source") is None:
        raise UsageError(
            "no-source", given=f"{folder}, whose data came from Python or from several sources", expected="labelled data to attack",
            next=f"Give it: tutelage audit {folder} --data LABELLED_DATA",
        )  # fmt: skip
    dataset = open_source(
        args["source"], modality=modality, test=options.get("test"), companion=options.get("companion"), group_by=options.get("group_by"),
    )  # fmt: skip
    items = {e.name: e.item for e in dataset.examples}
    reported = "test" if any(row["part"] == "test" for row in rows) else "val"
    return [_known(row, items, reported) for row in rows if row["name"] in items]


def _known(row: Mapping[str, str], items: Mapping[str, Item], reported: str) -> Known:
    part = "test" if row["part"] == reported else row["part"]
    return Known(row["name"], row["label"], row["digest"], part, items[row["name"]], row["group"])


def _register(folder: Path) -> list[dict[str, str]]:
    if not (folder / "split.csv").exists() or not (folder / "args.json").exists():
        raise ArtefactError(
            "no-run", given=f"{folder} has no split.csv: it is a student without its run", expected="the folder of a finished run, or labelled data",
            next=f"Give labelled data that it never saw: tutelage audit {folder} --data LABELLED_DATA",
        )  # fmt: skip
    return read_csv(folder / "split.csv")
