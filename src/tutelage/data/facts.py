"""What a look at an item told, kept between runs, so that a second run decodes nothing.

One JSON line per item in one file per source. A line that is cut off or damaged is skipped and
costs one more look, nothing else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import TrainingError
from tutelage.files import digest_bytes, lock
from tutelage.modality import Facts, Fingerprint

VERSION = "3"
"""Part of every key: raised when a checker learns to see something else."""

_FLUSH, _LARGEST = 256, 1 << 28


def facts_json(facts: Facts) -> dict[str, Any]:
    """Facts as a JSON-able dictionary; ``facts_from_json`` is its inverse."""
    mark = facts.fingerprint
    return {
        "form": dict(facts.form), "defects": [list(d) for d in facts.defects], "scale": facts.scale,
        "richness": facts.richness, "content": facts.content,
        "fingerprint": None if mark is None else [_packed(mark.words), _packed(mark.vector)],
    }  # fmt: skip


def facts_from_json(value: Mapping[str, Any]) -> Facts:
    """The inverse of ``facts_json``; raises LookupError, TypeError or ValueError on damage."""
    mark = value["fingerprint"]
    return Facts(
        form=value["form"], defects=tuple((str(k), str(d)) for k, d in value["defects"]),
        scale=int(value["scale"]), richness=int(value["richness"]), content=str(value["content"]),
        fingerprint=None if mark is None else Fingerprint(_unpacked(mark[0]), _unpacked(mark[1])),
    )  # fmt: skip


def _packed(array: npt.NDArray[Any]) -> list[str]:
    return [array.dtype.str, base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()]


def _unpacked(pair: list[str]) -> npt.NDArray[Any]:
    return np.frombuffer(base64.b64decode(pair[1], validate=True), np.dtype(pair[0]))


class FactsStore(MutableMapping[str, dict[str, Any]]):
    """A persistent mapping ``key -> facts_json``: a file below a cache folder.

    Args:
        folder: where such files live; made when the first is written.
        scope: what the facts are about, usually the source's absolute path; names the file, so
            that a run reads its own facts and not everybody's.

    What is set is appended under a lock, 256 at a time and at ``flush`` or the end of ``with``.
    Where nothing can be written, the store lives in memory only.
    """

    def __init__(self, folder: Path, scope: str = "") -> None:
        self.path = folder / f"facts-{digest_bytes(scope.encode())[:24]}.jsonl"
        self._lines = _read(self.path)
        self._new: list[str] = []

    def __getitem__(self, key: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self._lines[key])
        return value

    def __setitem__(self, key: str, value: dict[str, Any]) -> None:
        text = json.dumps(value, separators=(",", ":"))
        self._lines[key] = text
        self._new.append(f"{digest_bytes(text.encode())[:16]} {key} {text}\n")
        if len(self._new) >= _FLUSH:
            self.flush()

    def __delitem__(self, key: str) -> None:
        del self._lines[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def __enter__(self) -> FactsStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def flush(self) -> None:
        """Append what is new; two processes may do so at once."""
        new, self._new = "".join(self._new), []
        if not new:
            return
        try:
            with lock(self.path.with_suffix(".lock")), self.path.open("ab+") as stream:
                if stream.tell() > _LARGEST:
                    stream.truncate(0)
                stream.write(_mended(stream) + new.encode())
        except (OSError, TrainingError):
            self.path = self.path.with_name("unwritable.jsonl")


def _mended(stream: Any) -> bytes:
    """A line break, if a writer was killed in the middle of a line."""
    end = stream.seek(0, 2)
    if not end:
        return b""
    stream.seek(end - 1)
    return b"" if stream.read(1) == b"\n" else b"\n"


def _read(path: Path) -> dict[str, str]:
    """Every sound line, as ``key -> JSON text``."""
    lines: dict[str, str] = {}
    try:
        raw = path.read_bytes()
    except OSError:
        return lines
    for line in raw.split(b"\n"):
        digest, _, rest = line.partition(b" ")
        key, _, text = rest.partition(b" ")
        if digest and digest == digest_bytes(text)[:16].encode():
            lines[key.decode("ascii", "replace")] = text.decode()
    return lines


def recall(cache: MutableMapping[str, Any], key: str) -> Facts | None:
    """The kept facts, or None if there are none or they are damaged."""
    try:
        return facts_from_json(cache[key])
    except (LookupError, TypeError, ValueError):
        return None
