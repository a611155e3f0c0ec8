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
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

from tutelage.errors import TeacherError, UsageError
from tutelage.modality import InputSpec
from tutelage.teachers.blueprint import read_blueprint
from tutelage.teachers.licences import normal

COLUMNS = (
    "name", "source", "architecture", "file", "prefix", "licence", "parameters", "gmacs",
    "trained_on", "labels", "top1", "top1_source", "spec", "default",
)  # fmt: skip
NEEDED = ("name", "source", "architecture", "spec")
"""Columns that an organisation's own file must have; the others may be left out or empty."""

SOURCES = ("torchvision", "timm")
"""Where a bare name is looked for, in this order."""

OWN = "TUTELAGE_CATALOGUE"
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
    for row in _own(Path(own)) if own else []:
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


def _own(path: Path) -> list[dict[str, str]]:
    """The rows of an organisation's own teachers.

    Raises:
        TeacherError: kind ``bad-catalogue``, with all that is wrong.
    """
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
        rows = list(reader)
        header, lines = reader.fieldnames or [], [_filled(row) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _bad(path, [str(error)]) from error
    faults = [f"no column {column}" for column in NEEDED if column not in header]
    faults += [f"unknown column {column}" for column in header if column not in COLUMNS]
    faults += [f"row {n}: more cells than columns" for n, row in enumerate(rows, 2) if None in row]
    faults = faults or list(_faults(lines))
    if faults:
        raise _bad(path, faults)
    return lines


def _filled(row: Mapping[str | None, str | None]) -> dict[str, str]:
    """A row with all columns; the file's name is the source's, if none is given."""
    cells = {column: (row.get(column) or "").strip() for column in COLUMNS}
    at_hub = cells["source"].startswith("hf:")
    file = "model.safetensors" if at_hub else re.split(r"[\\/]", cells["source"])[-1]
    return {**cells, "file": cells["file"] or file, "licence": cells["licence"].lower()}


def _faults(rows: list[dict[str, str]]) -> Iterator[str]:
    """What is wrong in which row; the header is row 1."""
    seen: set[str] = set()
    for number, row in enumerate(rows, 2):
        for fault in _row_faults(row):
            yield f"row {number}: {fault}"
        if row["name"] and row["name"] in seen:
            yield f"row {number}: a second {row['name']}"
        seen.add(row["name"])


def _row_faults(row: Mapping[str, str]) -> Iterator[str]:
    yield from (f"no {column}" for column in NEEDED if not row[column])
    if row["architecture"] and not _builds(row["architecture"]):
        yield f"architecture {row['architecture']} is not timm:NAME or torchvision:NAME"
    for column, kind in (("parameters", int), ("labels", int), ("gmacs", float), ("top1", float)):
        if row[column] and not _reads(kind, row[column]):
            yield f"{column} {row[column]} is not a number"
    if not re.fullmatch(r"([0-9a-f]{8,64})?", row["prefix"]):
        yield f"prefix {row['prefix']} is not the first 8 or more hex digits of a sha256"
    if row["default"] not in ("", "0", "1"):
        yield f"default {row['default']} is not 1 or empty"
    if row["spec"] and not _specifies(row["spec"]):
        yield f"spec {row['spec']} is not an input's"


def _builds(architecture: str) -> bool:
    try:
        blueprint = read_blueprint(architecture)
    except (UsageError, ValueError):
        return False
    return blueprint.source in SOURCES and bool(blueprint.name)


def _reads(kind: type[int] | type[float], cell: str) -> bool:
    try:
        return 0 <= kind(cell) < math.inf
    except ValueError:
        return False


def _specifies(text: str) -> bool:
    try:
        spec = InputSpec.from_json(json.loads(text))
        sizes = (spec.size, spec.resize, spec.channels)
        scales = [*spec.mean, *spec.std]
        return (
            all(type(size) is int and size > 0 for size in sizes)
            and all(isinstance(scale, int | float) for scale in scales)
            and len(spec.mean) == len(spec.std) == spec.channels
            and spec.interpolation in ("bicubic", "bilinear")
        )
    except (ValueError, TypeError, KeyError):
        return False


def _bad(path: Path, faults: list[str]) -> TeacherError:
    return TeacherError(
        "bad-catalogue", given=f"{path} ({OWN}): {'; '.join(faults)}",
        expected=f"UTF-8 rows with the columns {', '.join(COLUMNS)}, of which {', '.join(NEEDED)} are needed",
        next=f"Correct the file, or unset {OWN}.",
    )  # fmt: skip
