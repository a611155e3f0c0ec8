"""Digests, atomic writes, locks, and the only two formats that are ever written: safetensors and JSON."""

from __future__ import annotations

import codecs
import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import ArtefactError, TrainingError

try:
    import fcntl
except ImportError:  # Windows has no flock; locks are then advisory no-ops
    fcntl = None  # type: ignore[assignment]

Arrays = Mapping[str, npt.NDArray[Any]]

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip


def digest_bytes(*parts: bytes) -> str:
    """Full sha256, in hex, of the parts one after the other."""
    state = hashlib.sha256()
    for part in parts:
        state.update(part)
    return state.hexdigest()


def digest_file(path: Path) -> str:
    """Full sha256, in hex, of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def canonical_json(value: object) -> bytes:
    """One byte string per value: sorted keys, no white space, UTF-8, no NaN."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def digest_json(value: object) -> str:
    """Full sha256 of ``canonical_json(value)``."""
    return digest_bytes(canonical_json(value))


def digest_arrays(arrays: Arrays) -> str:
    """Full sha256 over names, dtypes, shapes and bytes, in the order of the names."""
    state = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        state.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        state.update(array.reshape(-1).view(np.uint8).data)
    return state.hexdigest()


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A binary stream whose content appears at ``path`` whole or not at all.

    Raises:
        TrainingError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    handle, name = -1, ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent
        )
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if name and os.path.exists(name):
            os.unlink(name)


def unwritable(path: Path, error: OSError) -> TrainingError:
    """The one error for a disk that is full or a folder that cannot be written."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return TrainingError(
        "disk-full" if full else "not-writable",
        given=f"{path}: {error.strerror or error}",
        expected="room for the file" if full else "a folder that can be written",
        next="Free some space and run the same command again: what was finished is kept."
        if full
        else "Give another place with --out DIR (or TUTELAGE_CACHE=DIR for the cache).",
    )


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` atomically."""
    with atomic(path) as stream:
        stream.write(content)


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, content.encode())


def write_json(path: Path, value: object) -> None:
    """Write indented JSON atomically; NaN is refused."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def decoded(raw: bytes) -> tuple[str, str]:
    """Bytes as text, and the encoding: by the byte order mark, else UTF-8, else Windows-1252 (then Latin-1).

    Raises:
        ValueError: they are no text: zero bytes, or not what their mark promises.
    """
    marked = next((name for mark, name in _MARKS if raw.startswith(mark)), None)
    if marked is not None:
        return raw.decode(marked), marked
    if b"\0" in raw:
        raise ValueError("it has zero bytes, which no text has")
    for encoding in ("utf-8", "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(encoding), encoding
    return raw.decode("latin-1"), "latin-1"


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        ArtefactError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtefactError(
            "missing-file", given=f"{path} is not there", expected="a file written by tutelage",
            next="Check the path, or make the student again with: tutelage fit DATA",
        ) from error  # fmt: skip
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise damaged(path, str(error)) from error


def write_csv(path: Path, rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Write a table atomically, with a header."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, fieldnames=list(columns), extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, buffer.getvalue())


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table that ``write_csv`` wrote; raises OSError as opening does."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write_arrays(path: Path, arrays: Arrays, metadata: Mapping[str, str] | None = None) -> None:
    """Write arrays as one safetensors file, atomically."""
    from safetensors.numpy import save

    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    write_bytes(path, save(whole, dict(metadata) if metadata else None))


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read every array of a safetensors file; no code in it can run.

    Raises:
        ArtefactError: the file is missing, truncated or not safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError, KeyError, MemoryError) as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, why: str) -> ArtefactError:
    """The one error for a file that is not what it was when it was written."""
    return ArtefactError(
        "damaged-file", given=f"{path} cannot be read ({why})", expected="the file as it was written",
        next="Restore it from a copy, or make it again with: tutelage fit DATA",
    )  # fmt: skip


def claim_folder(parent: Path, name: str) -> Path:
    """Make and return ``parent/name``, or ``name-2``, ``name-3``... : never an existing one."""
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder.absolute()
        except FileExistsError:
            number += 1
        except OSError as error:
            raise unwritable(folder, error) from error


@contextlib.contextmanager
def lock(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold an advisory lock on ``path``; yields whether it was obtained (always, if ``wait``).

    Raises:
        TrainingError: the disk is full or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+b")
    except OSError as error:
        raise unwritable(path, error) from error
    with stream:
        held = True
        if fcntl is not None:
            mode = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
            try:
                fcntl.flock(stream, mode)
            except BlockingIOError:
                held = False
            except OSError as error:  # a file system without locks
                raise unwritable(path, error) from error
        yield held


def cache_root() -> Path:
    """Where caches live: ``$TUTELAGE_CACHE``, else ``$XDG_CACHE_HOME/tutelage``, else ``~/.cache/tutelage``."""
    given = os.environ.get("TUTELAGE_CACHE")
    if given:
        return Path(given).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tutelage"
