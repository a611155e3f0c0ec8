"""The published image teachers by name: what their libraries say of them, without either library.

``catalogue.csv`` is written by ``tools/catalogue.py``. An organisation adds its own teachers, or puts
its own copies in the place of published ones, with a file of the same columns that the environment
variable ``TUTELAGE_CATALOGUE`` names.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

from tutelage.errors import UsageError
from tutelage.modality import InputSpec
from tutelage.teachers.catalogue_own import OWN, own_rows
from tutelage.teachers.licences import normal

SOURCES = ("torchvision", "timm")
"""Where a bare name is looked for, in this order."""

SUGGESTIONS = 3


@dataclass(frozen=True)
class Entry:
    """One published weight file.

    Attributes:
        name: what ``--teacher`` takes, e.g. ``timm:resnet18.a1_in1k``.
        source: a URL, a path, or ``hf:OWNER/REPO``.
        architecture: who builds the network, see ``blueprint``.
        file: its name at the source.
        prefix: the first hex digits of its sha256, where the file's name has them.
        licence: as the publisher states it, in lower case; empty if none is.
        parameters: scalars, the classifier's included.
        gmacs: 1e9 multiply-accumulates an image at its own input size; None if unknown.
        trained_on: the data it learned from.
        labels: number of classes of its classifier; 0 if it has none.
        top1, top1_source: published accuracy in percent on ImageNet-1k's validation set, and who says so.
        preprocessing: its ``spec``, as JSON.
        default: is it the one meant where no tag is given?
    """

    name: str
    source: str
    architecture: str
    file: str
    prefix: str
    licence: str
    parameters: int
    gmacs: float | None
    trained_on: str
    labels: int
    top1: float | None
    top1_source: str
    preprocessing: str
    default: bool

    @property
    def spec(self) -> InputSpec:
        """Its own preprocessing."""
        return InputSpec.from_json(json.loads(self.preprocessing))

    @property
    def stem(self) -> str:
        """Its name without the tag, e.g. ``timm:resnet18``."""
        return self.name.partition(".")[0]


def entries() -> tuple[Entry, ...]:
    """All teachers of the catalogue, by name; read once.

    Raises:
        TeacherError: kind ``bad-catalogue``: the organisation's own file is broken (all rows are listed).

    Example:
        >>> [entry.top1 for entry in entries() if entry.name == "torchvision:alexnet.IMAGENET1K_V1"]
        [56.522]
    """
    return _entries(os.environ.get(OWN, ""))


def find(name: str) -> Entry:
    """The teacher of a name.

    Args:
        name: with source and tag (``timm:resnet18.a1_in1k``); without tag, for the library's default
            (``timm:resnet18``); either without source, for torchvision's if it has it, else timm's.

    Raises:
        UsageError: kind ``no-such-teacher``, with the names that are most like it.
        TeacherError: as ``entries`` does.

    Example:
        >>> find("resnet50").name
        'torchvision:resnet50.IMAGENET1K_V1'
    """
    own = os.environ.get(OWN, "")
    found = _names(own).get(name)
    if found is None:
        raise UsageError(
            "no-such-teacher", given=f"--teacher {name}", expected="a name of the catalogue",
            next=_advice(name, own),
        )  # fmt: skip
    return found


def search(
    max_gmacs: float | None = None, licence: str | None = None, text: str | None = None
) -> list[Entry]:
    """Teachers by what they cost, permit and are called, by name.

    Args:
        max_gmacs: at most so many 1e9 multiply-accumulates; unknown ones are left out.
        licence: exactly this one, in any spelling of ``licences.normal``.
        text: every word of it is in the name or the training data, in any case.
    """
    words = (text or "").lower().split()
    return [
        entry
        for entry in entries()
        if (max_gmacs is None or (entry.gmacs is not None and entry.gmacs <= max_gmacs))
        and (licence is None or normal(entry.licence) == normal(licence))
        and all(word in f"{entry.name} {entry.trained_on}".lower() for word in words)
    ]


@lru_cache(maxsize=8)
def _entries(own: str) -> tuple[Entry, ...]:
    text = resources.files("tutelage.teachers").joinpath("catalogue.csv").read_text("utf-8")
    known = {row["name"]: _entry(row) for row in csv.DictReader(io.StringIO(text, newline=""))}
    for row in own_rows(Path(own)) if own else []:
        _put(known, row)
    return tuple(known[name] for name in sorted(known))


def _put(known: dict[str, Entry], row: dict[str, str]) -> None:
    """Put an organisation's row in; one in the place of another is as much a default as that was."""
    before = known.get(row["name"])
    entry = _entry(row)
    if not row["default"] and before is not None:
        entry = replace(entry, default=before.default)
    if row["default"] == "1":
        others = [other for other in known.values() if other.stem == entry.stem and other.default]
        known.update({other.name: replace(other, default=False) for other in others})
    known[entry.name] = entry


def _entry(row: Mapping[str, str]) -> Entry:
    gmacs, top1 = row["gmacs"], row["top1"]
    return Entry(
        row["name"], row["source"], row["architecture"], row["file"], row["prefix"], row["licence"],
        int(row["parameters"] or 0), float(gmacs) if gmacs else None, row["trained_on"],
        int(row["labels"] or 0), float(top1) if top1 else None, row["top1_source"], row["spec"],
        row["default"] == "1",
    )  # fmt: skip


@lru_cache(maxsize=8)
def _names(own: str) -> dict[str, Entry]:
    """Every way to call a teacher; the first rule that gives a name its meaning wins."""
    known = _entries(own)
    names = {entry.name: entry for entry in known}
    for entry in sorted(known, key=lambda entry: not entry.default):
        names.setdefault(entry.stem, entry)
    for source in SOURCES:
        mine = [name for name in names if name.startswith(f"{source}:")]
        for name in mine:
            names.setdefault(name.removeprefix(f"{source}:"), names[name])
    return names


def _advice(name: str, own: str) -> str:
    """The corrected part of the command, if anything is like what was given."""
    untagged = _names(own).get(name.partition(".")[0])
    near = _near(name, _entries(own)) or ([untagged.stem] if untagged else [])
    if not near:
        return "See what there is: tutelage teachers"
    return f"Did you mean {' or '.join(f'--teacher {one}' for one in near)}?"


def _near(name: str, known: tuple[Entry, ...]) -> list[str]:
    """Names that begin as the given one does, the shortest first; then those that look like it."""
    pool = _pool(name, known)
    wanted = _plain(name if f"{name.partition(':')[0]}:" in _sources(known) else _bare(name))
    longer = sorted((one for one in pool if wanted and one.startswith(wanted)), key=len)
    close = difflib.get_close_matches(wanted, pool, SUGGESTIONS, 0.7)
    near = dict.fromkeys(pool[one] for one in (longer[:SUGGESTIONS] + close))
    return list(near)[:SUGGESTIONS]


def _pool(name: str, known: tuple[Entry, ...]) -> dict[str, str]:
    """What a name could have meant, as people remember it -> what to type; tags only if it has one."""
    stem, _, tag = name.partition(".")
    same = [entry for entry in known if stem in (entry.stem, _bare(entry.stem))] if tag else []
    pool: dict[str, str] = {}
    for entry in sorted(same or known, key=lambda entry: not entry.name.startswith(SOURCES[0])):
        one = entry.name if tag else entry.stem
        pool.setdefault(_plain(one), one)
        pool.setdefault(_plain(_bare(one)), one)
    return pool


def _sources(known: tuple[Entry, ...]) -> set[str]:
    return {f"{entry.name.partition(':')[0]}:" for entry in known}


def _bare(name: str) -> str:
    return name.rpartition(":")[2]


def _plain(name: str) -> str:
    """As people remember it: ``ResNet-50`` is ``resnet50``."""
    return re.sub(r"[-_\s]", "", name).lower()
