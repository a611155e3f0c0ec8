"""A table: one row per example, with a column for the item, one for the label, perhaps a ``split``."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tutelage.data import complaints
from tutelage.data.example import Example, Finding, Part
from tutelage.data.folders import PARTS, Found
from tutelage.errors import DataError
from tutelage.modality import Item, Modality

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
LABELS = ("label", "target", "class")
_MISSING = {"", "nan", "null", "n/a", "na", "<na>"}

Row = dict[str, Any]


def open_table(path: Path, modality: Modality, group_by: str | None = None) -> Found:
    """Every row that has a label and, for files, whose file is there; the others become findings.

    Paths are relative to the table. Labels stay text as written: ``01`` and ``1`` are two classes.

    Args:
        group_by: the name of a column, or None; a regular expression is the caller's business.

    Raises:
        DataError: not a table, a column is missing, or no row can be used.
    """
    columns, rows = read_rows(path)
    item = pick(columns, tuple(modality.columns))
    label = pick(columns, LABELS)
    if item is None:
        raise complaints.no_column(str(path), tuple(modality.columns), columns, "items")
    if label is None:
        raise complaints.no_column(str(path), LABELS, columns, "labels")
    kind = modality.columns[item.strip().lower()]
    split, group = (
        pick(columns, ("split", "part")),
        pick(columns, (group_by,)) if group_by else None,
    )
    found = _Rows(path, kind == "path")
    for number, row in enumerate(rows, start=1):
        found.add(
            number,
            row.get(item),
            text_of(row.get(label)),
            row.get(split or ""),
            row.get(group or ""),
        )
    return found.finish(len(rows))


class _Rows:
    """Takes the rows one by one and sorts the unusable ones by what is wrong with them."""

    def __init__(self, path: Path, files: bool) -> None:
        self.path, self.files = path, files
        self.found = Found()
        self.bad: dict[str, list[str]] = {
            "missing-file": [],
            "missing-label": [],
            "duplicate-row": [],
        }
        self.seen: set[tuple[str, str, Part | None]] = set()
        self.names: set[str] = set()

    def add(self, number: int, cell: Any, label: str | None, split: Any, group: Any) -> None:
        """Take one row."""
        text = text_of(cell)
        where = f"row {number}" + (f": {text}" if text and self.files else "")
        item = self._item(text)
        if item is None:
            self.bad["missing-file"].append(where)
        elif label is None:
            self.bad["missing-label"].append(where)
        elif text is not None:
            part = part_of(split, f"{self.path}, row {number}")
            if (text, label, part) in self.seen:
                self.bad["duplicate-row"].append(where)
                return
            self.seen.add((text, label, part))
            name = self._name(text, number)
            self.found.examples.append(Example(name, item, label, part, text_of(group)))

    def _item(self, text: str | None) -> Item | None:
        if text is None or not self.files:
            return text
        path = self.path.parent / text
        return path if path.is_file() else None

    def _name(self, text: str, number: int) -> str:
        name = Path(text).as_posix() if self.files else f"row {number}"
        name = f"{name} (row {number})" if name in self.names else name
        self.names.add(name)
        return name

    def finish(self, count: int) -> Found:
        """Everything found; raises if no row can be used."""
        remedies = {
            "missing-file": "Left out: the file is not there. Mend the path (relative to the table) or add it.",
            "missing-label": "Left out: no label. Fill in the cell.",
            "duplicate-row": "Counted once. Remove the repeated row.",
        }
        for kind, where in self.bad.items():
            severity: Any = "warning" if kind == "duplicate-row" else "error"
            if where:
                self.found.findings.append(Finding(kind, severity, tuple(where), remedies[kind]))
        if not self.found.examples:
            raise self._nothing(count)
        return self.found

    def _nothing(self, count: int) -> DataError:
        bad = {kind: len(where) for kind, where in self.bad.items() if where}
        example = next((where[0] for where in self.bad.values() if where), "")
        said = ", ".join(f"{n} {kind}" for kind, n in bad.items())
        return DataError(
            "empty-source", given=f"{self.path} has {count} rows, none usable ({said or 'no rows'}; {example})",
            expected="rows with a label and a path relative to the table",
            next=f"Look at the paths: they are taken relative to {self.path.parent}/",
        )  # fmt: skip


def part_of(cell: Any, where: str) -> Part | None:
    """A ``split`` cell as a part.

    Raises:
        DataError: it names none.
    """
    text = text_of(cell)
    if text is None:
        return None
    part = PARTS.get(text.strip().lower())
    if part is None:
        raise DataError(
            "bad-split", given=f"{where} has split {text!r}", expected="train, val or test",
            next="Write one of train, val and test into the column `split`, or remove the column.",
        )  # fmt: skip
    return part


def text_of(cell: Any) -> str | None:
    """A cell as text; None where it is empty or NaN. Whole floats lose their ``.0`` (a Parquet habit)."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = str(cell)
    return None if text.strip().lower() in _MISSING else text


def pick(columns: Sequence[str], wanted: Iterable[str]) -> str | None:
    """The first wanted column that is there, whatever its case."""
    by_name = {column.strip().lower(): column for column in reversed(columns)}
    return next((by_name[w.lower()] for w in wanted if w.lower() in by_name), None)


def read_rows(path: Path) -> tuple[list[str], list[Row]]:
    """Column names and rows of a table.

    Raises:
        DataError: it cannot be read as a table.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return _parquet(path)
        text = path.read_text(encoding="utf-8-sig")
        return (
            _json_lines(path, text) if suffix in (".jsonl", ".ndjson") else _separated(text, suffix)
        )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise complaints.bad_table(str(path), str(error)) from error


def _separated(text: str, suffix: str) -> tuple[list[str], list[Row]]:
    header = text.split("\n", 1)[0]
    separator = "\t" if suffix == ".tsv" else ";" if ";" in header and "," not in header else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    rows = [row for row in reader if any(value for value in row.values())]
    return list(reader.fieldnames or ()), rows


def _json_lines(path: Path, text: str) -> tuple[list[str], list[Row]]:
    rows: list[Row] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise complaints.bad_table(f"{path}, line {number}", str(error)) from error
        if not isinstance(row, dict):
            raise complaints.bad_table(f"{path}, line {number}", "it is not an object {...}")
        rows.append(row)
    return list(dict.fromkeys(key for row in rows for key in row)), rows


def _parquet(path: Path) -> tuple[list[str], list[Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise complaints.bad_table(str(path), str(error)) from error
    return list(table.column_names), table.to_pylist()
