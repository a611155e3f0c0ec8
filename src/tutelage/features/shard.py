"""One write unit of the cache: an immutable safetensors file that lists its rows and proves its bytes.

The proof is a chain: the file's name is the digest of its header, and the header holds the digest of
the payload, keys included. So a header is believed when it is read, and the rest once it was verified.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.features.ragged import FREE, Ragged, Rows
from tutelage.files import atomic, canonical_json, damaged, digest_bytes

Key = tuple[str, int]
"""(digest of an example: 64 hex characters, number of the view)."""

Layout = Mapping[str, tuple[tuple[int, ...], str]]
"""Name of a tensor -> (shape of one row, numpy dtype such as ``"<f2"``); a ragged one's begins with ``FREE``."""

Arrays = Mapping[str, npt.NDArray[Any]]

SUFFIX = ".safetensors"
FORMAT = "1"
KEY_BYTES = 36
HEADER_BYTES = 1024
"""About what a header takes, for planning."""
_KEYS, _LENGTHS = "keys", "lengths"
_MAX_HEADER = 2**20
_CODES = {
    "|b1": "BOOL", "|u1": "U8", "|i1": "I8", "<u2": "U16", "<i2": "I16", "<u4": "U32", "<i4": "I32",
    "<u8": "U64", "<i8": "I64", "<f2": "F16", "<f4": "F32", "<f8": "F64",
}  # fmt: skip
_DTYPES = {code: dtype for dtype, code in _CODES.items()}


def pack(key: Key) -> bytes:
    """A key as 36 bytes: 32 of the digest, 4 of the view.

    Raises:
        ValueError: the digest is not 64 hex characters, or the view is not in 0..2^32-1.
    """
    digest, view = key
    if len(digest) != 64 or not 0 <= view < 2**32:
        raise ValueError(f"a key is (64 hex characters, view number), not {key!r}")
    return bytes.fromhex(digest) + int(view).to_bytes(4, "little")


def layout_of(rows: Rows) -> dict[str, tuple[tuple[int, ...], str]]:
    """The layout of arrays that each have their rows first: ``(R, ...)``.

    Raises:
        ValueError: a reserved name, or a dtype that safetensors does not have.
    """
    layout = {}
    for name, given in rows.items():
        array = given.values if isinstance(given, Ragged) else given
        if name in (_KEYS, _LENGTHS, "__metadata__") or array.dtype.str not in _CODES or not array.ndim:  # fmt: skip
            raise ValueError(f"the cache cannot keep {name!r}: {array.dtype.str} {array.shape}")
        free = (FREE,) if isinstance(given, Ragged) else ()
        layout[name] = ((*free, *array.shape[1:]), array.dtype.str)
    return layout


@dataclass(frozen=True)
class Shard:
    """A shard whose header, length and name agree.

    Attributes:
        path: the file.
        layout: what one row is.
        rows: R, the number of rows.
        start: where the payload begins in the file.
        spans: name of a tensor (and ``keys``, ``lengths``) -> its bytes, counted from ``start``.
        sha256: digest of the payload.
    """

    path: Path
    layout: Layout
    rows: int
    start: int
    spans: Mapping[str, tuple[int, int]]
    sha256: str

    def keys(self) -> list[bytes]:
        """The packed keys of the rows, in order; a claim, until the shard is verified."""
        first, last = self.spans[_KEYS]
        with self.path.open("rb") as stream:
            stream.seek(self.start + first)
            data = stream.read(last - first)
        return [data[at : at + KEY_BYTES] for at in range(0, len(data), KEY_BYTES)]

    def verify(self) -> None:
        """Read the whole payload once, in bounded memory.

        Raises:
            ArtefactError: its bytes are not those that were written.
        """
        with self.path.open("rb") as stream:
            stream.seek(self.start)
            if hashlib.file_digest(stream, "sha256").hexdigest() != self.sha256:
                raise damaged(self.path, "its rows have changed")

    def map(self) -> dict[str, npt.NDArray[Any] | Ragged]:
        """The tensors ``(R, ...)`` as views of the mapped file: no anonymous memory."""
        whole = np.asarray(np.memmap(self.path, np.uint8, "r"))[self.start :]

        def flat(name: str, dtype: str) -> npt.NDArray[Any]:
            first, last = self.spans[name]
            view: npt.NDArray[Any] = whole[first:last].view(dtype)
            return view

        views: dict[str, npt.NDArray[Any] | Ragged] = {}
        for name, (shape, dtype) in self.layout.items():
            if shape[:1] == (FREE,):
                values = (
                    flat(name, dtype).reshape(-1, *shape[1:]) if shape[1:] else flat(name, dtype)
                )
                views[name] = Ragged(values, flat(_LENGTHS, "<i8"))
            else:
                views[name] = flat(name, dtype).reshape(self.rows, *shape)
        return views


def read(path: Path, extractor: str) -> Shard | None:
    """Read and check the header of a shard; None if a newer version wrote it.

    Raises:
        ArtefactError: name, header and length do not agree, or the shard belongs elsewhere.
    """
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        header = stream.read(min(int.from_bytes(stream.read(8), "little"), _MAX_HEADER))
    if _stem(header) != path.stem:
        raise damaged(path, "its header has changed")
    fields = json.loads(header)
    facts = fields.pop("__metadata__")
    if facts["format"] != FORMAT:
        return None
    shard = _shard(path, 8 + len(header), fields, facts)
    if size != shard.start + max(last for _, last in shard.spans.values()):
        raise damaged(path, f"it has {size} bytes, which is not its length")
    if facts["extractor"] != extractor:
        raise damaged(path, "it belongs to another extractor")
    return shard


def write(folder: Path, extractor: str, keys: Sequence[bytes], rows: Rows) -> Shard:
    """Write one shard, whole or not at all, and return it.

    Args:
        folder: the extractor's folder.
        extractor: its digest.
        keys: R packed keys.
        rows: arrays ``(R, ...)``, or ragged ones of R rows that are all equally long.

    Raises:
        TrainingError: the disk is full or the folder cannot be written.
        ValueError: the numbers of rows differ, or see ``layout_of``.
    """
    layout = layout_of(rows)
    flat, counts = _flat(rows)
    if any(count != len(keys) for count in counts):
        raise ValueError(f"{len(keys)} keys for {counts} rows")
    # The widest numbers come first, so that every tensor begins at a multiple of its own width.
    names = sorted(flat, key=lambda name: (-flat[name].dtype.itemsize, name))
    pieces = {name: _bytes(flat[name]) for name in names} | {_KEYS: b"".join(keys)}
    shapes = {name: (list(array.shape), array.dtype.str) for name, array in flat.items()}
    header = _header(extractor, layout, shapes, pieces, len(keys))
    path = folder / f"{_stem(header)}{SUFFIX}"
    with atomic(path) as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        stream.writelines(pieces.values())
    fields = json.loads(header)
    return _shard(path, 8 + len(header), fields, fields.pop("__metadata__"))


def _flat(rows: Rows) -> tuple[dict[str, npt.NDArray[Any]], list[int]]:
    """What is written: ragged rows as their places with one array of lengths; and how many rows each has."""
    flat: dict[str, npt.NDArray[Any]] = {}
    counts = []
    for name, given in rows.items():
        if isinstance(given, Ragged):
            flat[name], flat[_LENGTHS] = given.values, given.lengths.astype("<i8")
            counts.append(len(given.lengths))
        else:
            flat[name] = given
            counts.append(len(given))
    return flat, counts


def _bytes(array: npt.NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _stem(header: bytes) -> str:
    return digest_bytes(header)[:32]


def _header(extractor: str, layout: Layout, flat: Mapping[str, Any], pieces: Mapping[str, Any], count: int) -> bytes:  # fmt: skip
    shapes = {name: (shape, _CODES[dtype]) for name, (shape, dtype) in flat.items()}
    shapes[_KEYS] = ([count, KEY_BYTES], "U8")
    fields: dict[str, Any] = {}
    at = 0
    for name, piece in pieces.items():
        shape, code = shapes[name]
        fields[name] = {"dtype": code, "shape": shape, "data_offsets": [at, at + len(piece)]}
        at += len(piece)
    # The random part makes names unique: a name that was set aside never comes back as something else.
    digest, writer = digest_bytes(*pieces.values()), secrets.token_hex(8)
    fields["__metadata__"] = {"format": FORMAT, "extractor": extractor, "sha256": digest, "writer": writer}  # fmt: skip
    if ragged := [name for name, (shape, _) in layout.items() if shape[:1] == (FREE,)]:
        fields["__metadata__"]["ragged"] = " ".join(sorted(ragged))
    text = canonical_json(fields)
    return text + b" " * (-len(text) % 8)


def _shard(path: Path, start: int, fields: Mapping[str, Any], facts: Mapping[str, str]) -> Shard:
    ragged = facts.get("ragged", "").split()
    layout = {
        name: (((FREE,) if name in ragged else ()) + tuple(field["shape"][1:]), _DTYPES[field["dtype"]])
        for name, field in fields.items() if name not in (_KEYS, _LENGTHS)
    }  # fmt: skip
    spans = {name: (field["data_offsets"][0], field["data_offsets"][1]) for name, field in fields.items()}  # fmt: skip
    return Shard(path, layout, fields[_KEYS]["shape"][0], start, spans, facts["sha256"])
