"""Examples that are not files of their own: arrays from Python, and MNIST-style idx pairs."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.data.example import Example, Part
from tutelage.data.folders import Found
from tutelage.data.tables import text_of
from tutelage.errors import DataError, UsageError
from tutelage.modality import Item, Modality

_ITEMS = re.compile(r"^(?P<prefix>.*?)images[-.]idx3-ubyte(\.gz)?$")


def open_list(items: Iterable[Any], labels: Iterable[Any] | None, modality: Modality) -> Found:
    """Paths, strings or arrays from Python, with one label each.

    Raises:
        UsageError: labels are missing, or there are more or fewer than items.
        DataError: a label is None or NaN (all such rows are named).
    """
    items = list(items)
    if labels is None:
        raise UsageError(
            "no-labels", given=f"{len(items)} items without labels", expected="one label per item",
            next="Give them: fit(paths_or_arrays, labels=[...])",
        )  # fmt: skip
    texts = [text_of(_scalar(label)) for label in labels]
    if len(texts) != len(items):
        raise UsageError(
            "labels-mismatch", given=f"{len(items)} items and {len(texts)} labels",
            expected="one label per item", next="Make both lists equally long.",
        )  # fmt: skip
    lacking = [str(n) for n, text in enumerate(texts) if text is None]
    if lacking:
        raise DataError(
            "missing-label", given="no label at index " + ", ".join(lacking[:10]),
            expected="one label per item", next="Fill them in or drop these items.",
        )  # fmt: skip
    examples = [
        Example(f"index {n}", item_of(x, modality), t)
        for n, (x, t) in enumerate(zip(items, texts, strict=True))
    ]
    return Found(examples)


def _scalar(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def item_of(value: Any, modality: Modality) -> Item:
    """What a user hands over as an item: a string is one itself where the modality says so, else a path."""
    if isinstance(value, str) and not modality.literal:
        return Path(value)
    return value if isinstance(value, (np.ndarray, str, Path)) else np.asarray(value)


def idx_pairs(folder: Path) -> list[tuple[str, Path, Path]]:
    """``(prefix, images file, labels file)`` of every complete idx pair in a folder."""
    pairs: dict[str, tuple[Path, Path]] = {}
    for items in sorted(folder.iterdir()):
        match = _ITEMS.match(items.name)
        name = items.name.replace("images", "labels").replace("idx3", "idx1")
        twin = name[:-3] if name.endswith(".gz") else name + ".gz"
        labels = next((folder / n for n in (name, twin) if (folder / n).is_file()), None)
        if match and labels is not None:
            pairs.setdefault(match["prefix"], (items, labels))
    return [(prefix, *files) for prefix, files in pairs.items()]


def open_idx(folder: Path) -> Found:
    """The examples of a folder's idx pairs; ``train-`` and ``t10k-`` are parts if both are there.

    Raises:
        DataError: a file is truncated, no idx file, or the two do not belong together.
    """
    pairs = idx_pairs(folder)
    known: dict[str, Part] = {"train-": "train", "t10k-": "test", "test-": "test", "val-": "val"}
    parts = {prefix: known.get(prefix) for prefix, _, _ in pairs}
    split = "train" in parts.values() and len(pairs) > 1
    found = Found()
    for prefix, items, labels in pairs:
        part = parts[prefix] if split else None
        start = f"{prefix.rstrip('-.')} index" if len(pairs) > 1 else "index"
        found.examples += _pair(items, labels, part, start)
    used = {path.name for _, *both in pairs for path in both}
    found.ignored += sorted(p.name for p in folder.iterdir() if p.name not in used)
    return found


def _pair(items: Path, labels: Path, part: Part | None, start: str) -> list[Example]:
    values, classes = read_idx(items), read_idx(labels)
    if values.ndim < 2 or classes.ndim != 1 or len(values) != len(classes):
        raise _bad_idx(items, f"its shape {values.shape} does not fit the labels' {classes.shape}")
    rows = zip(values, classes, strict=True)
    return [Example(f"{start} {n}", x, str(int(y)), part) for n, (x, y) in enumerate(rows)]


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """An idx file of bytes (magic ``00 00 08 ndim``, big-endian sizes, data), perhaps gzipped.

    Raises:
        DataError: it is not one, or it is truncated.
    """
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        if raw[:3] != b"\x00\x00\x08":
            raise _bad_idx(path, "it does not begin like an idx file of bytes")
        shape: Sequence[int] = struct.unpack_from(f">{raw[3]}I", raw, 4)
        start = 4 + 4 * raw[3]
        if len(raw) - start != int(np.prod(shape, dtype=np.int64)):
            raise _bad_idx(path, f"it holds {len(raw) - start} bytes, not {tuple(shape)}")
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise _bad_idx(path, str(error)) from error
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def _bad_idx(path: Path, why: str) -> DataError:
    return DataError(
        "unreadable", given=f"{path} cannot be read: {why}", expected="a whole idx file (perhaps .gz)",
        next="Download it again, both the images and the labels.",
    )  # fmt: skip
