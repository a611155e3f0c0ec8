"""The lock file: the digest that each teacher had when it was first fetched, so that it stays the same."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tutelage.errors import ArtefactError, TeacherError
from tutelage.files import cache_root, lock, read_json, write_json

SCHEMA = 1


@dataclass(frozen=True)
class Locked:
    """What was fetched under a name.

    Attributes:
        name: what ``--teacher`` takes.
        sha256: full digest of the weight file, in hex.
        revision: full commit hash, for a file of the hub; else empty.
        licence: SPDX name, or what the publisher says.
        source: where it came from.
    """

    name: str
    sha256: str
    revision: str = ""
    licence: str = ""
    source: str = ""


def lock_path() -> Path:
    """``$TUTELAGE_LOCK``, else beside the downloads."""
    given = os.environ.get("TUTELAGE_LOCK")
    return Path(given).absolute() if given else cache_root() / "teachers.lock.json"


def locked(name: str) -> Locked | None:
    """The entry of that name, if it was ever fetched.

    Raises:
        ArtefactError: the lock file is damaged or too new.
    """
    return _read(lock_path()).get(name)


def record(entry: Locked) -> None:
    """Write an entry into the lock file; one process at a time, whole or not at all.

    Raises:
        TeacherError: another digest stands under that name, or the digest is not a full sha256.
        ArtefactError: the lock file is damaged or too new; it is left as it is.
    """
    path = lock_path()
    if not _is_digest(entry.sha256):
        raise TeacherError(
            "weak-digest", given=f"sha256 {entry.sha256!r} of {entry.name}",
            expected="64 hexadecimal characters", next="Record the digest of the whole file.",
        )  # fmt: skip
    with lock(path.with_name(path.name + ".lock")):
        entries = _read(path)
        known = entries.get(entry.name, entry)
        if known.sha256 != entry.sha256:
            raise _mismatch(known, entry, path)
        entries[entry.name] = entry
        rows = {name: asdict(entries[name]) for name in sorted(entries)}
        write_json(path, {"schema": SCHEMA, "teachers": rows})


def _read(path: Path) -> dict[str, Locked]:
    if not path.exists():
        return {}
    try:
        content = read_json(path)
        if content["schema"] > SCHEMA:
            raise _too_new(path, content["schema"])
        return {name: _entry(name, row) for name, row in content["teachers"].items()}
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    except ArtefactError as error:
        raise (error if error.kind == "too-new" else _damaged(path, error.given)) from error


def _entry(name: str, row: dict[str, Any]) -> Locked:
    entry = Locked(**row)
    if entry.name != name or not _is_digest(entry.sha256):
        raise ValueError(f"the entry of {name}")
    return entry


def _is_digest(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def _mismatch(known: Locked, entry: Locked, path: Path) -> TeacherError:
    return TeacherError(
        "lock-mismatch", given=f"{entry.name} of {entry.source or 'its source'} has sha256 {entry.sha256}",
        expected=f"sha256 {known.sha256}, as when it was first fetched",
        next="Do not use it unless you know why it changed. If the publisher really changed the file, "
        f"remove the entry {entry.name!r} from {path} and run again.",
    )  # fmt: skip


def _damaged(path: Path, why: str) -> ArtefactError:
    return ArtefactError(
        "damaged-file", given=f"the lock file {path} cannot be read ({why})",
        expected="the file as it was written",
        next=f"Restore it from a copy. Without one remove {path}: then every teacher is trusted anew on first use.",
    )  # fmt: skip


def _too_new(path: Path, schema: object) -> ArtefactError:
    return ArtefactError(
        "too-new", given=f"the lock file {path} has schema {schema}", expected=f"schema {SCHEMA} or older",
        next="pip install --upgrade tutelage",
    )  # fmt: skip
