"""The errors of sources, in one place, so that they sound alike."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from tutelage.errors import DataError, UsageError


def no_such_path(path: Path) -> UsageError:
    """Nothing is there; names the sibling that was probably meant."""
    parent = path.parent
    try:
        siblings = sorted(entry.name for entry in parent.iterdir())
    except OSError:
        siblings = []
    near = difflib.get_close_matches(path.name, siblings, 1, 0.5)
    meant = f"Did you mean {parent / near[0]}?" if near else f"Look at: ls {parent}"
    return UsageError(
        "no-such-path", given=f"{path} does not exist", next=meant,
        expected="a folder with one sub-folder per class, or a table",
    )  # fmt: skip


def empty(origin: str, ignored: Sequence[str] = ()) -> DataError:
    """No file of the modality is in there."""
    seen = f" (ignored: {listed(ignored)})" if ignored else ""
    return DataError(
        "empty-source", given=f"{origin} holds nothing to learn from{seen}",
        expected="a folder with one sub-folder per class and files in them",
        next="Put the files of each class into a folder named like the class, then: tutelage check DATA",
    )  # fmt: skip


def no_labels(origin: str, count: int) -> DataError:
    """Files, but nothing that says what they are."""
    return DataError(
        "no-labels", given=f"{origin} holds {count} files side by side, without labels",
        expected="one sub-folder per class, or a table with the columns path and label",
        next="Sort the files into folders named like their classes, or write table.csv with the "
        "header `path,label` and type: tutelage fit table.csv",
    )  # fmt: skip


def one_class(origin: str, classes: Iterable[str]) -> DataError:
    """There is nothing to tell apart."""
    only = next(iter(classes), "")
    return DataError(
        "one-class", given=f"{origin} has one class only, {only!r}",
        expected="at least two classes", next="Add a folder with examples of another class, even of 'other'.",
    )  # fmt: skip


def no_column(origin: str, wanted: Sequence[str], found: Sequence[str], what: str) -> DataError:
    """A table lacks a column; lists those that it has and names the one probably meant."""
    near = [(w, m[0]) for w in wanted if (m := difflib.get_close_matches(w, found, 1))]
    hint = f"Did you mean {near[0][1]!r}? Rename it to {near[0][0]!r}." if near else (
        f"Rename the column that holds the {what} to {wanted[0]!r}."
    )  # fmt: skip
    return DataError(
        "missing-column", given=f"{origin} has the columns {listed(found, 20)}", next=hint,
        expected=f"a column with the {what}, named one of {', '.join(wanted)}",
    )  # fmt: skip


def bad_table(origin: str, why: str) -> DataError:
    """A table that cannot be read as one."""
    return DataError(
        "unreadable-table", given=f"{origin} cannot be read as a table: {why}",
        expected="CSV, TSV, JSONL or Parquet with a header, in UTF-8",
        next="Save it again as CSV (UTF-8) with the header `path,label`.",
    )  # fmt: skip


def bad_group(origin: str, group_by: str, why: str, columns: Sequence[str] = ()) -> UsageError:
    """``--group-by`` names no column and is no useful pattern."""
    near = difflib.get_close_matches(group_by, columns, 1)
    hint = f"Did you mean --group-by {near[0]}?" if near else (
        r"For names like patient12_3.jpg type: --group-by '(patient\d+)_'"
    )  # fmt: skip
    have = f"one of the columns {listed(columns, 20)}, or " if columns else ""
    return UsageError(
        "no-such-group", given=f"--group-by {group_by} on {origin}: {why}", next=hint,
        expected=f"{have}a regular expression whose first group names what belongs together",
    )  # fmt: skip


def listed(names: Sequence[str], most: int = 5) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
