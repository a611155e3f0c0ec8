"""Weight files: found on this machine or fetched, and verified before they are believed.

This room (`fetch`, `hub`, and below them `download` and `connection`) alone touches the network.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from tutelage.errors import TeacherError
from tutelage.files import cache_root, digest_bytes, digest_file, lock
from tutelage.teachers.connection import no_address, shown
from tutelage.teachers.download import Part, Progress, Tell, silent, transfer, writable


def fetch(
    url: str, *, sha256: str = "", prefix: str = "", name: str = "",
    progress: Progress | None = None, tell: Tell | None = None,
) -> Path:  # fmt: skip
    """A file on this machine whose digest is right: from our downloads, from torch's cache, or fetched.

    Args:
        url: http or https; a ``file://`` URL or a path is verified where it lies and never copied.
        sha256: the full digest, in hex.
        prefix: the first 8 or more characters of it, as torch puts them into file names.
        name: the teacher, for the command that errors suggest.
        progress: called with (bytes here, bytes in all or 0).
        tell: hears what is fetched, from where and how large, before it is fetched.

    Raises:
        TeacherError: ``offline``, ``not-found``, ``no-answer``, ``wrong-digest``, ``weak-digest``, or as
            ``connection.open_url`` and ``download.transfer`` say.
        TrainingError: ``disk-full`` or ``not-writable``.

    Without any digest a file is taken on first use, and told so: record its digest (see ``lockfile``).

    Example:
        >>> fetch("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", prefix="7be5be79")
    """
    say, want = tell or silent, _digest(sha256, prefix)
    local = _local(url)
    if local is not None:
        return _in_place(local, want)
    found = _kept(url, want, say) or _lent(url, want, say)
    if found is not None:
        return found
    if offline():
        raise not_here(url, want, name)
    with _alone(target(url, want), say):
        return _kept(url, want, silent) or _from_sources(url, want, progress, say)


def held(file: str, sha256: str) -> Path | None:
    """A file of that name among our downloads, if its digest is right; no connection is made."""
    return _kept(file, sha256, silent)


def offline() -> bool:
    """Whether the user forbids connections: ``TUTELAGE_OFFLINE`` or ``HF_HUB_OFFLINE`` is 1, true, yes or on."""
    given = (os.environ.get(name, "") for name in ("TUTELAGE_OFFLINE", "HF_HUB_OFFLINE"))
    return any(value.strip().lower() in ("1", "true", "yes", "on") for value in given)


def downloads() -> Path:
    """The folder of what we fetched."""
    return cache_root() / "downloads"


def target(url: str, want: str) -> Path:
    """Where a file is kept: under its own name, after a tag unless its digest is in that name already.

    The tag (of the digest, else of the URL) keeps apart the many files called ``model.safetensors``.
    """
    name = file_name(url)
    tag = want[:8] or digest_bytes(shown(url).encode())[:8]
    return downloads() / (name if tag in name else f"{tag}-{name}")


def file_name(url: str) -> str:
    """The last name in a URL's path, without anything that a file system could take for a path."""
    last = re.split(r"[/\\]", unquote(urlsplit(url).path))[-1]
    return re.sub(r"[^\w.+-]", "_", last, flags=re.ASCII).lstrip(".")[-120:] or "file"


def _digest(sha256: str, prefix: str) -> str:
    """What the digest must begin with; empty if nothing is known of it."""
    whole, start = sha256.lower(), prefix.lower()
    sound = re.fullmatch(r"([0-9a-f]{64})?", whole) and re.fullmatch(r"([0-9a-f]{8,64})?", start)
    if not sound or (whole and not whole.startswith(start)):
        raise TeacherError(
            "weak-digest", given=f"sha256 {sha256 or '(none)'} and prefix {prefix or '(none)'}",
            expected="64 hexadecimal characters, or the first 8 or more of them",
            next="Copy the digest from the publisher's page again.",
        )  # fmt: skip
    return whole or start


def _local(url: str) -> Path | None:
    """The path, if the source is one; None for http and https."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise no_address(url) from error
    if parts.scheme in ("http", "https") and host:
        return None
    if parts.scheme == "file" and host in (None, "localhost"):
        return Path(url2pathname(parts.path))
    if len(parts.scheme) > 1:  # one letter is a Windows drive
        raise no_address(url)
    return Path(url).expanduser()


def _in_place(path: Path, want: str) -> Path:
    if not path.is_file():
        raise TeacherError(
            "not-found", given=f"{path} is not a file", expected="a weight file", next="Check the path.",
        )  # fmt: skip
    digest = digest_file(path)
    if not digest.startswith(want):
        raise _wrong(str(path), digest, want, "Get the file again from its publisher.")
    return path.absolute()


def _kept(url: str, want: str, say: Tell) -> Path | None:
    """The file among our downloads; one that nothing is known of only if this very URL gave it."""
    named = [target(url, want), target(url, "")]
    if want:
        named.append(downloads() / file_name(url))
    return next((path for path in dict.fromkeys(named) if _believed(path, want, say)), None)


def _lent(url: str, want: str, say: Tell) -> Path | None:
    """The file in a folder that others fill, which is read and never changed; only with a digest."""
    mirror = os.environ.get("TUTELAGE_MIRROR", "")
    folders = [_torch_cache(), _local(mirror) if mirror else None]
    places = [folder / file_name(url) for folder in folders if want and folder is not None]
    return next((place.absolute() for place in places if _believed(place, want, say)), None)


def _torch_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or Path(base, "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"


def _believed(path: Path, want: str, say: Tell) -> bool:
    if not path.is_file():
        return False
    try:
        digest = digest_file(path)
    except OSError as error:
        say(f"{path} cannot be read ({error.strerror}): it is passed over.")
        return False
    if not digest.startswith(want):
        say(f"{path} has sha256 {digest}, not {_short(want)}: it is passed over.")
    return digest.startswith(want)


def _short(want: str) -> str:
    return want if len(want) == 64 else f"{want}..." if want else "not known"


@contextlib.contextmanager
def _alone(path: Path, say: Tell) -> Iterator[None]:
    """One process at a time fetches a file; the others wait, and then find it."""
    beside = path.with_name(path.name + ".lock")
    with lock(beside, wait=False) as held:
        if held:
            yield
            return
    say(f"Waiting for another process that fetches {path.name}.")
    with lock(beside):
        yield


def _from_sources(url: str, want: str, progress: Progress | None, say: Tell) -> Path:
    """From the mirror, if there is one and it has the file; else from the publisher."""
    mirror = os.environ.get("TUTELAGE_MIRROR", "").rstrip("/")
    if mirror and _local(mirror) is None:
        try:
            return _download(f"{mirror}/{file_name(url)}", target(url, want), want, progress, say)
        except TeacherError as error:
            if error.kind not in ("not-found", "no-answer"):
                raise
            say(f"{error.given}; going to the publisher.")
    return _download(url, target(url, want), want, progress, say)


def _download(source: str, path: Path, want: str, progress: Progress | None, say: Tell) -> Path:
    """Fetch, verify, and only then give the file its name."""
    part = Part(path.with_name(path.name + ".part"))
    resumed = transfer(source, part, say, progress)
    digest = digest_file(part.path)
    if resumed and not digest.startswith(want):
        say(f"The pieces of {path.name} do not make the file; starting again.")
        part.drop()
        transfer(source, part, say, progress)
        digest = digest_file(part.path)
    if not digest.startswith(want):
        hint = "It is a web page: log in to the network first. " if _is_page(part.path) else ""
        part.drop()
        raise _wrong(shown(source), digest, want, hint + "Run again; if it stays so, do not use this source.")  # fmt: skip
    with writable(path):
        os.replace(part.path, path)
    part.drop()
    if not want:
        say(f"Unverified first use: all that is known of {shown(source)} is what came, sha256 {digest}.")  # fmt: skip
    return path


def _is_page(path: Path) -> bool:
    """Whether it is what a network sends instead that wants a login first."""
    with path.open("rb") as stream:
        return stream.read(512).lstrip().startswith(b"<")


def _wrong(what: str, digest: str, want: str, advice: str) -> TeacherError:
    return TeacherError(
        "wrong-digest", given=f"{what} has sha256 {digest}",
        expected=f"sha256 {_short(want)}", next=advice,
    )  # fmt: skip


def not_here(url: str, want: str, name: str) -> TeacherError:
    """The one error for a file that is not here while connections are forbidden."""
    place = target(url, want)
    return TeacherError(
        "offline",
        given=f"{file_name(url)} is not on this machine, and connections are forbidden (--offline, "
        "TUTELAGE_OFFLINE or HF_HUB_OFFLINE)",
        expected=f"the file of {shown(url)} (sha256 {_short(want)}) at {place}",
        next=f"Where there is a connection run: tutelage teachers get {name or 'NAME'}; then copy the file to {place}",
    )
