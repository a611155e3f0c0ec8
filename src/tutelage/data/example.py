"""What a source gives: examples with labels, and what was wrong with it already at the door."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from tutelage.modality import Item, Modality

Part = Literal["train", "val", "test"]
Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled (or unlabelled) item.

    Attributes:
        name: unique and stable: the path relative to the source, or ``"index 17"`` for arrays.
        item: what the modality reads.
        label: the class name, None where unknown.
        part: the part that the source put it in, None where it did not say.
        group: what ``--group-by`` says (a patient, a video), None where it does not.
        companion: not the user's own: it came with ``--with``, teaches, and never tests.
    """

    name: str
    item: Item
    label: str | None = None
    part: Part | None = None
    group: str | None = None
    companion: bool = False


@dataclass(frozen=True)
class Finding:
    """A defect of the data.

    Attributes:
        kind: stable, hyphenated, e.g. ``"exact-duplicate"``.
        severity: ``"error"`` costs examples or correctness, ``"warning"`` may, ``"info"`` is to know.
        where: names of the examples, classes or files concerned.
        remedy: what was done about it, or what to do.
    """

    kind: str
    severity: Severity
    where: tuple[str, ...]
    remedy: str

    def as_json(self) -> dict[str, Any]:
        """``{"kind", "severity", "where", "remedy"}``."""
        return {
            "kind": self.kind, "severity": self.severity,
            "where": list(self.where), "remedy": self.remedy,
        }  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """All examples of a source, in a stable order.

    Attributes:
        classes: the labels to learn, in natural order (``x2`` before ``x10``).
        origin: what the user gave, for messages.
        ignored: files that were seen and not used.
        findings: what was wrong already while opening, e.g. rows of a table without a file.
    """

    examples: tuple[Example, ...]
    classes: tuple[str, ...]
    modality: Modality
    origin: str
    ignored: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def natural(text: str) -> tuple[list[tuple[int, int | str]], str]:
    """Sort key: numbers inside a text count as numbers; ties are broken by the text itself."""
    pieces = re.split(r"(\d+)", text)
    return [(0, int(p)) if p.isdecimal() else (1, p) for p in pieces if p], text


def classes_of(examples: Iterable[Example]) -> tuple[str, ...]:
    """The labels to learn: those outside given ``val`` and ``test`` parts, or all if that is none."""
    examples = list(examples)
    inside = {e.label for e in examples if e.label is not None and e.part in (None, "train")}
    every = inside or {e.label for e in examples if e.label is not None}
    return tuple(sorted(every, key=natural))
