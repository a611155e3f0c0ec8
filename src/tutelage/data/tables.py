"""A table: one row per example, with a column for the item, one for the label, perhaps a ``split``."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tutelage.data import complaints
from tutelage.data.example import Example, Finding, Part
from tutelage.data.folders import PARTS, Found
from tutelage.errors import DataError
from tutelage.files import decoded
from tutelage.modality import Item, Modality

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
LABELS = ("label", "target", "class", "category", "intent", "sentiment")
UNNAMED = ("item", "label")
"""Columns of a table without a header, as they are called here."""

MOST_LABELS = 0.5
"""Share of different cells from which a column holds no labels."""
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
    table = read_table(path)
    columns, rows = table.columns, table.rows
    item, kind = item_column(table, modality, str(path))
    label = pick(columns, LABELS)
    if label is None:
        raise complaints.no_column(str(path), LABELS, columns, "labels")
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
    found.found.findings += table.findings
    return found.finish(len(rows))


def open_rows(path: Path, modality: Modality) -> list[Example]:
    """The item of every row, without a label: what to predict. A row without one is an item that cannot be read.

    Raises:
        DataError: not a table, or no column holds items.
    """
    table = read_table(path)
    item, kind = item_column(table, modality, str(path))
    cells = [(n, text_of(row.get(item))) for n, row in enumerate(table.rows, 1)]
    if kind == "path":
        return [Example(cell, path.parent / cell) if cell else Example(f"row {n}", path.parent / f"row {n}: no path") for n, cell in cells]  # fmt: skip
    return [Example(cell or f"row {n}", cell or "") for n, cell in cells]


def item_column(table: Table, modality: Modality, origin: str) -> tuple[str, str]:
    """The column that holds the items, and whether as ``path`` or as ``value``.

    Raises:
        DataError: there is none.
    """
    item = pick(table.columns, tuple(modality.columns))
    if item is not None:
        return item, modality.columns[item.strip().lower()]
    if UNNAMED[0] not in table.columns or not table.headless:
        raise complaints.no_column(origin, tuple(modality.columns), table.columns, "items")
    literal = modality.literal and not any(
        modality.sniff(Path(cell)) for cell in table.cells(UNNAMED[0])
    )
    return UNNAMED[0], "value" if literal else "path"


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


@dataclass(frozen=True)
class Table:
    """A table as read.

    Attributes:
        columns: their names, in order.
        rows: a dictionary a row.
        headless: whether its first line was a row like the others; then the columns are ``UNNAMED``.
        findings: what was odd about it.
    """

    columns: list[str]
    rows: list[Row]
    headless: bool = False
    findings: tuple[Finding, ...] = ()

    def cells(self, column: str, most: int = 50) -> list[str]:
        """The first cells of a column that hold something, as text."""
        texts = (text_of(row.get(column)) for row in self.rows[:most])
        return [text for text in texts if text is not None]


def read_table(path: Path) -> Table:
    """A table with its header, or without one where the first line is a row like the others.

    Raises:
        DataError: it cannot be read as a table.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return Table(*_parquet(path))
        text, encoding = decoded(path.read_bytes())
        if suffix in (".jsonl", ".ndjson"):
            return replace(Table(*_json_lines(path, text)), findings=_encoding(path, encoding))
        return replace(_separated(path, text, suffix), findings=_encoding(path, encoding))
    except (OSError, ValueError, csv.Error) as error:
        raise complaints.bad_table(str(path), str(error)) from error


def _encoding(path: Path, encoding: str) -> tuple[Finding, ...]:
    """Said where a table is not UTF-8: characters may be other ones than were meant."""
    if encoding.startswith("utf"):
        return ()
    remedy = (
        "The table is not UTF-8; read as Windows-1252. Save it as UTF-8 if characters look wrong."
    )
    return (Finding("encoding", "warning", (path.name,), remedy),)


def _separated(path: Path, text: str, suffix: str) -> Table:
    header = text.split("\n", 1)[0]
    separator = "\t" if suffix == ".tsv" else ";" if ";" in header and "," not in header else ","
    lines = _lines(text, separator)
    labels = _labels_of_headless(lines)
    if labels is None:
        names = lines[0] if lines else []
        return Table(list(names), [dict(zip(names, line, strict=False)) for line in lines[1:]])
    rows = [{UNNAMED[0]: line[1 - labels], UNNAMED[1]: line[labels]} for line in lines]
    return Table(list(UNNAMED), rows, True)


def _lines(text: str, separator: str) -> list[list[str]]:
    """The cells of every line; where tabs separate and lines match better so, quotes are taken as they are."""
    read = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    lines = [line for line in read if any(line)]
    if separator == "\t" and lines and '"' in text:
        plain = [line.split("\t") for line in text.splitlines() if line.strip()]
        if len(plain) > len(lines) and {len(line) for line in plain} == {len(lines[0])}:
            return plain
    return lines


def _labels_of_headless(lines: Sequence[Sequence[str]]) -> int | None:
    """The column that holds the labels of a table without a header; None if it has one.

    It has none if it has two columns and what stands first in the one with few different cells stands there again.
    """
    if len(lines) < 4 or any(len(line) != 2 for line in lines):
        return None
    kinds = [len({line[column] for line in lines}) for column in (0, 1)]
    labels = 0 if kinds[0] < kinds[1] else 1
    again = any(line[labels] == lines[0][labels] for line in lines[1:])
    return labels if again and kinds[labels] <= MOST_LABELS * len(lines) else None


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
