"""An organisation's own catalogue: a file of the same columns, every fault in it told at once."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tutelage.errors import TeacherError, UsageError
from tutelage.modality import InputSpec
from tutelage.teachers.blueprint import read_blueprint

COLUMNS = (
    "name", "source", "architecture", "file", "prefix", "licence", "parameters", "gmacs",
    "trained_on", "labels", "top1", "top1_source", "spec", "default",
)  # fmt: skip
NEEDED = ("name", "source", "architecture", "spec")
"""Columns that an organisation's own file must have; the others may be left out or empty."""

BUILDERS = ("torchvision", "timm")
OWN = "TUTELAGE_CATALOGUE"
"""The environment variable that names the file."""


def own_rows(path: Path) -> list[dict[str, str]]:
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
    return blueprint.source in BUILDERS and bool(blueprint.name)


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
