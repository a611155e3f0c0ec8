"""One transfer over HTTP: resumed after a cut, tried again after a failure, bounded in time and size.

Nothing here believes what it received: `fetch` compares digests before a file gets its name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tutelage.errors import ArtefactError, TeacherError
from tutelage.files import read_json, unwritable, write_json
from tutelage.teachers import connection
from tutelage.teachers.connection import Again, open_url, shown

Progress = Callable[[int, int], None]
"""Bytes that are here, bytes in all (0: the server does not say)."""
Tell = Callable[[str], None]
"""Takes one sentence for the user."""

TRIES = 4
"""Attempts in a row that may bring less than ``STEP`` bytes before we give up."""
BACKOFF = 1.0
"""Seconds to wait after the first failure; doubled after every other."""
STEP = 2**20
CHUNK = 2**20
LIMIT = 20 * 2**30
"""Bytes that no weight file has: the end of an endless body."""


@dataclass(frozen=True)
class Part:
    """A file that is not whole yet; a note beside it says of what it is the beginning."""

    path: Path

    @property
    def note(self) -> Path:
        """Where the note lies."""
        return self.path.with_name(self.path.name + ".json")

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    def drop(self) -> None:
        """Forget what was received; the note goes last, so that it never vouches for other bytes."""
        with writable(self.path):
            self.path.unlink(missing_ok=True)
            self.note.unlink(missing_ok=True)


@dataclass(frozen=True)
class Note:
    """What a server said of a file when we began: only the same bytes may follow.

    Attributes:
        url: where they come from.
        validator: a strong ETag, else the date of the last change, else nothing.
        size: bytes in all; 0 if not stated. Without either a transfer is not resumed.
    """

    url: str
    validator: str
    size: int


def transfer(url: str, part: Part, tell: Tell, progress: Progress | None = None) -> bool:
    """Bring all of ``url`` into ``part``; True if its beginning came over an earlier connection.

    Args:
        url: http or https.
        tell: hears what is fetched, from where and how large, and why it is tried again.

    Raises:
        TeacherError: ``no-answer`` (the part is kept), ``too-large``, or as ``open_url`` says.
        TrainingError: ``disk-full`` or ``not-writable``; the part is kept.
    """
    most, failed = part.size, 0
    while True:
        try:
            return _attempt(url, part, tell, progress)
        except Again as why:
            failed = 1 if part.size >= most + STEP else failed + 1
            most = max(most, part.size)
            if failed >= TRIES:
                raise _no_answer(url, str(why)) from why
            tell(f"{why}; trying again.")
            time.sleep(BACKOFF * 2 ** (failed - 1))


def _attempt(url: str, part: Part, tell: Tell, progress: Progress | None) -> bool:
    note = _note(part, url)
    start = part.size if note else 0
    if note and note.size == start:
        return True  # whole, but an earlier run ended before it was verified
    with contextlib.closing(_ask(url, part, note, start)) as response:
        if note is None or not start or not _continues(response, start, note):
            start, note = 0, _begin(response, part, url)
        tell(_announcement(note, start))
        _pour(response, part, note, progress)
    return start > 0


def _note(part: Part, url: str) -> Note | None:
    """The note, if what is here can be resumed from this URL."""
    try:
        note = Note(**read_json(part.note))
    except (ArtefactError, OSError, TypeError):
        return None
    return note if note.validator and note.size and note.url == shown(url) else None


def _ask(url: str, part: Part, note: Note | None, start: int) -> HTTPResponse:
    ranged = {"Range": f"bytes={start}-", "If-Range": note.validator} if note and start else {}
    try:
        return open_url(url, ranged)
    except Again as why:
        if why.code == 416:  # the file is shorter now than what is here
            part.drop()
        raise


def _continues(response: HTTPResponse, start: int, note: Note) -> bool:
    """Whether an answer goes on exactly where the part ends, in the same version of the file."""
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if response.status != 206 or span is None:
        return False  # no ranges here, or the file changed: this is all of it
    total = note.size if span[2] == "*" else int(span[2])
    same = _validator(response.headers) in ("", note.validator)
    return int(span[1]) == start and total == note.size and same


def _validator(headers: Message) -> str:
    """What ``If-Range`` may carry: a strong ETag, else a date (RFC 9110, section 13.1.5)."""
    tag: str = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def _begin(response: HTTPResponse, part: Part, url: str) -> Note:
    """Forget what is here and note what comes.

    Raises:
        Again: what comes is a piece of something else.
    """
    part.drop()
    if response.status != 200:
        raise Again(f"{shown(url)} sent a piece that does not fit")
    length = response.headers.get("Content-Length", "")
    size = int(length) if length.isdigit() and not response.chunked else 0
    _check_size(size, url)
    with writable(part.path):
        if size > shutil.disk_usage(part.path.parent).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    note = Note(shown(url), _validator(response.headers), size)
    write_json(part.note, asdict(note))
    return note


def _announcement(note: Note, start: int) -> str:
    size = human(note.size) if note.size else "size not stated"
    if start:
        return f"Going on with {note.url} ({size}, of which {human(start)} are here)."
    return f"Fetching {note.url} ({size})."


def _pour(response: HTTPResponse, part: Part, note: Note, progress: Progress | None) -> None:
    size, limit = part.size, note.size or LIMIT
    with _appended(part.path) as write:
        for chunk in _chunks(response):
            size += len(chunk)
            if size > limit:
                break
            write(chunk)
            if progress is not None:
                progress(size, note.size)
    if size > limit:
        part.drop()
        _check_size(size, note.url)
        raise Again(f"{note.url} sent more than the {note.size} bytes that it stated")
    if size < note.size:
        raise Again(f"The connection was cut after {human(size)} of {human(note.size)}")


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read1(CHUNK):
            yield chunk
    except TimeoutError as error:
        raise Again(f"No byte came for {connection.TIMEOUT:g} seconds") from error
    except (OSError, HTTPException) as error:
        raise Again("The connection was cut") from error


@contextlib.contextmanager
def _appended(path: Path) -> Iterator[Callable[[bytes], None]]:
    """A function that adds bytes to a file; at the end they are on the disk, whatever happened."""
    with writable(path):
        stream = path.open("ab", buffering=0)

    def write(chunk: bytes) -> None:
        rest = memoryview(chunk)
        with writable(path):
            while rest:
                rest = rest[stream.write(rest) :]

    with stream:
        try:
            yield write
        finally:
            with writable(path):
                os.fsync(stream.fileno())


@contextlib.contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn a failed write into the error that ``files.atomic`` gives.

    Raises:
        TrainingError: the disk is full or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error


def silent(sentence: str) -> None:
    """The listener when there is none."""


def human(size: int) -> str:
    """Bytes for people, e.g. ``244.4 MB``."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size} bytes"


def _check_size(size: int, url: str) -> None:
    if size > LIMIT:
        raise TeacherError(
            "too-large", given=f"{shown(url)} has more than {human(LIMIT)}",
            expected="a weight file", next="Check the URL.",
        )  # fmt: skip


def _no_answer(url: str, why: str) -> TeacherError:
    return TeacherError(
        "no-answer", given=f"{why} ({TRIES} times)", expected=f"{shown(url)} to send the whole file",
        next="Run the same command again: it goes on from where it was. "
        "Behind a proxy set HTTPS_PROXY=URL; if there is a copy elsewhere set TUTELAGE_MIRROR=URL.",
    )  # fmt: skip
