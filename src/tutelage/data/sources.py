"""Open whatever the user gave: a folder, a table, an idx pair, a list or an array."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.data import complaints
from tutelage.data.arrays import idx_pairs, open_idx, open_list
from tutelage.data.companion import PREFIX
from tutelage.data.example import Dataset, Example, Finding, classes_of
from tutelage.data.folders import Found, open_folder, walk
from tutelage.data.kind import modality_of
from tutelage.data.tables import SUFFIXES, open_rows, open_table, pick, read_table
from tutelage.errors import DataError, UsageError
from tutelage.modality import Modality
from tutelage.modality.known import KNOWN

Source = str | Path | Sequence[Any] | npt.NDArray[Any]


def open_source(
    source: Source,
    *,
    labels: Iterable[Any] | None = None,
    modality: Modality | None = None,
    group_by: str | None = None,
    test: Source | None = None,
    companion: Source | None = None,
    least: int = 2,
) -> Dataset:
    """Every labelled example of a source; nothing is decoded and nothing is changed.

    Args:
        source: a folder with one sub-folder per class (perhaps below train/ val/ test/), a CSV,
            TSV, JSONL or Parquet table, a folder with an MNIST-style idx pair, a list of paths or
            arrays, or one array ``(N, H, W[, C])``.
        labels: one per item, for lists and arrays.
        modality: what the items are; if None, what they look like (see ``kind``).
        group_by: a column of the table, or a regular expression on the name whose first group
            names what must stay together (a patient, a video).
        test: another source, all of which is the reported test.
        companion: another source, all of which only teaches: whatever parts it has, it is never
            tested on, and copies of the user's own items are left out of it (see ``companion``).
        least: classes that there must be.

    Raises:
        UsageError: no such path, or arguments that contradict each other.
        DataError: nothing to learn from, no labels, one class, or a broken table.

    Example:
        ``open_source("photos/").classes``
    """
    modality = modality or modality_of(source)
    origin, found = _found(source, labels, modality, group_by)
    if test is not None:
        _add_test(found, test, modality, group_by)
    if companion is not None:
        _add_companion(found, companion, modality, group_by)
    _unique(found.examples, origin)
    classes = classes_of(found.examples)
    if len(classes) < least:
        raise complaints.one_class(origin, classes)
    return Dataset(
        tuple(found.examples),
        classes,
        modality,
        origin,
        tuple(found.ignored),
        tuple(found.findings),
    )


def _found(
    source: Source, labels: Iterable[Any] | None, modality: Modality, group_by: str | None
) -> tuple[str, Found]:
    columns: list[str] = []
    if not isinstance(source, (str, Path)):
        found = open_list(source, labels, modality)
        if not found.examples:
            raise complaints.empty("the list")
        origin = f"{len(found.examples)} items"
    else:
        origin = str(source)
        found, columns = _open_path(Path(source), modality, group_by)
    if group_by is not None and pick(columns, (group_by,)) is None:
        _group_by_pattern(found, group_by, origin, columns)
    return origin, found


def _open_path(path: Path, modality: Modality, group_by: str | None) -> tuple[Found, list[str]]:
    if not path.exists():
        raise complaints.no_such_path(path)
    if path.is_dir():
        return (open_idx(path) if idx_pairs(path) else open_folder(path, modality)), []
    if path.suffix.lower() in SUFFIXES:
        return open_table(path, modality, group_by), read_table(path).columns if group_by else []
    raise DataError(
        "no-source", given=f"{path} is a single file", expected="a folder with one sub-folder per class, "
        "or a table (.csv, .tsv, .jsonl, .parquet)", next=f"Give the folder: tutelage fit {path.parent}",
    )  # fmt: skip


def _add_test(found: Found, test: Source, modality: Modality, group_by: str | None) -> None:
    if any(example.part == "test" for example in found.examples):
        raise UsageError(
            "contradiction", given="--test beside a source that has a test part of its own",
            expected="one test part", next="Leave out --test, or give the training folder alone.",
        )  # fmt: skip
    _, other = _found(test, None, modality, group_by)
    found.examples += [replace(e, name=f"test/{e.name}", part="test") for e in other.examples]
    _add_remarks(found, other, "test/")


def _add_companion(
    found: Found, companion: Source, modality: Modality, group_by: str | None
) -> None:
    """Its groups are its own: patient 7 of a public data set is not the user's patient 7."""
    try:
        _, other = _found(companion, None, modality, group_by)
    except UsageError as error:
        if error.kind != "no-such-group":
            raise
        _, other = _found(companion, None, modality, None)
    found.examples += [
        replace(
            e, name=PREFIX + e.name, part=None, companion=True,
            group=None if e.group is None else PREFIX + e.group,
        )
        for e in other.examples
    ]  # fmt: skip
    _add_remarks(found, other, PREFIX)


def _add_remarks(found: Found, other: Found, prefix: str) -> None:
    found.ignored += [prefix + name for name in other.ignored]
    found.findings += [
        replace(f, where=tuple(prefix + name for name in f.where)) for f in other.findings
    ]


def _group_by_pattern(found: Found, group_by: str, origin: str, columns: Sequence[str]) -> None:
    """Set each example's group from its name, by a regular expression."""
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise complaints.bad_group(origin, group_by, str(error), columns) from error
    matches = [pattern.search(example.name) for example in found.examples]
    if not any(matches):
        raise complaints.bad_group(origin, group_by, "it matches no name", columns)
    texts = [m and (m.group(1) if pattern.groups else m.group(0)) for m in matches]
    found.examples = [replace(e, group=t) for e, t in zip(found.examples, texts, strict=True)]
    alone = tuple(e.name for e in found.examples if e.group is None)
    if alone:
        remedy = "These names do not match --group-by: each is a group of its own."
        found.findings.append(Finding("no-group", "warning", alone, remedy))


def _unique(examples: Sequence[Example], origin: str) -> None:
    twice = [name for name, n in Counter(e.name for e in examples).items() if n > 1]
    if twice:
        raise DataError(
            "same-name", given=f"{origin} names {complaints.listed(twice)} more than once",
            expected="one name per example", next="Rename one of them.",
        )  # fmt: skip


def open_unlabelled(
    inputs: str | Path | Iterable[Any] | npt.NDArray[Any], modality: Modality = KNOWN[0]
) -> list[Example]:
    """What to predict: files, folders (at any depth), tables, patterns like ``new/*.jpg``, or arrays.

    A file that is named is taken whatever its suffix; in folders only the modality's are. Of a table every row
    is. Where a string may be an item itself it is one; a ``Path`` never is.

    Raises:
        UsageError: a path that does not exist, or a pattern that matches nothing.
        DataError: a folder without a file of the modality.
    """
    entries = [inputs] if isinstance(inputs, (str, Path)) else inputs
    examples: list[Example] = []
    for number, entry in enumerate(entries):
        if isinstance(entry, (str, Path)):
            examples += _named(entry, modality)
        else:
            examples.append(Example(f"index {number}", np.asarray(entry)))
    return examples


def _named(entry: str | Path, modality: Modality) -> list[Example]:
    if isinstance(entry, str) and modality.literal:
        return [Example(entry, entry)]
    path = Path(entry)
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        return open_rows(path, modality)
    if path.is_dir():
        files = [p for p in walk(path, path, []) if modality.sniff(p)]
        if not files:
            raise complaints.empty(str(path))
    elif path.exists():
        files = [path]
    else:
        files = [Path(p) for p in sorted(glob.glob(str(entry), recursive=True))]
    if not files:
        raise complaints.no_such_path(path)
    return [Example(str(file), file) for file in files]
