"""Files of the Hugging Face hub, through its own client and cache, each of a commit that is then known."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tutelage.errors import TeacherError, TutelageError
from tutelage.files import digest_file, unwritable
from tutelage.teachers import connection, download
from tutelage.teachers.connection import shown
from tutelage.teachers.download import Progress, Tell, human, silent
from tutelage.teachers.fetch import offline

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

UNWRITABLE = (
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST,
)  # fmt: skip


def fetch_hub(
    repo: str, revision: str, file: str, *, sha256: str = "", name: str = "",
    progress: Progress | None = None, tell: Tell | None = None,
) -> tuple[Path, str]:  # fmt: skip
    """A file of a repository on the hub, and the full commit hash that it is of.

    Args:
        repo: ``OWNER/NAME``.
        revision: a branch, a tag or a full commit hash; of the last a cached file needs no connection.
        file: its path in the repository.
        sha256: the full digest, in hex; without it, the one under which the hub keeps large files.
        name: the teacher, for the command that errors suggest.
        progress: called with (bytes here, bytes in all or 0).
        tell: hears what is fetched, from where and how large, before it is fetched.

    Raises:
        TeacherError: ``offline``, ``not-found``, ``gated``, ``refused``, ``no-answer``, ``not-a-hub``,
            ``unknown-source`` or ``wrong-digest``.
        TrainingError: ``disk-full`` or ``not-writable``.

    ``HF_ENDPOINT`` names a mirror of the hub, ``HF_HOME`` the cache, ``HF_TOKEN`` who asks.

    Example:
        >>> fetch_hub("timm/resnet50.a1_in1k", "main", "model.safetensors")
    """
    say, wanted = tell or silent, Wanted(repo, revision, file, sha256.lower(), name)
    with _translated(wanted):
        cached = _cached(wanted, revision)
    if cached is not None and (offline() or re.fullmatch(r"[0-9a-f]{40}", revision)):
        return _verified(wanted, cached, fresh=False)
    if offline():
        raise _offline(wanted)
    try:
        return _online(wanted, progress, say)
    except TeacherError as error:
        if cached is None or error.kind != "no-answer":
            raise
        say(f"{error.given}; taking what is in the hub's cache.")
        return _verified(wanted, cached, fresh=False)


@dataclass(frozen=True)
class Wanted:
    """One file of a repository; see ``fetch_hub``."""

    repo: str
    revision: str
    file: str
    sha256: str
    name: str

    @property
    def url(self) -> str:
        """Where the hub has it."""
        from huggingface_hub import hf_hub_url

        return hf_hub_url(self.repo, self.file, revision=self.revision, endpoint=_endpoint())


def _endpoint() -> str | None:
    """The mirror of the hub as the environment names it now; the library has read it at its import."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def _cached(wanted: Wanted, revision: str) -> Path | None:
    """The file in the hub's cache, without a connection."""
    from huggingface_hub import constants, try_to_load_from_cache

    # Else every request would be followed by one for a list that only serves the hub's statistics.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    found = try_to_load_from_cache(wanted.repo, wanted.file, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _blob(wanted: Wanted, known: HfFileMetadata) -> Path:
    """Where the hub's cache keeps the bytes, which several commits may share."""
    from huggingface_hub import constants

    folder = f"models--{wanted.repo.replace('/', '--')}"
    return Path(constants.HF_HUB_CACHE, folder, "blobs", str(known.etag))


def _online(wanted: Wanted, progress: Progress | None, say: Tell) -> tuple[Path, str]:
    from huggingface_hub import hf_hub_download

    known = _metadata(wanted, say)
    fresh = _cached(wanted, str(known.commit_hash)) is None and not _blob(wanted, known).exists()
    if fresh:
        size = human(known.size) if known.size else "size not stated"
        say(f"Fetching {shown(wanted.url)} at commit {known.commit_hash} ({size}).")
    with _translated(wanted):
        path = hf_hub_download(
            wanted.repo, wanted.file, revision=wanted.revision, endpoint=_endpoint(),
            tqdm_class=_bar(progress),
        )  # fmt: skip
    return _verified(wanted, Path(path), fresh=fresh)


def _metadata(wanted: Wanted, say: Tell) -> HfFileMetadata:
    """Commit and size, before anything is fetched; the library would wait minutes for a hub that hangs."""
    failed = 0
    while True:
        try:
            return _ask(wanted)
        except TeacherError as error:
            failed += 1
            if error.kind != "no-answer" or failed >= download.TRIES:
                raise
            say(f"{error.given}; trying again.")
            time.sleep(download.BACKOFF * 2 ** (failed - 1))


def _ask(wanted: Wanted) -> HfFileMetadata:
    from huggingface_hub import get_hf_file_metadata

    with _translated(wanted):
        known = get_hf_file_metadata(wanted.url, timeout=connection.TIMEOUT, endpoint=_endpoint())
    if not known.commit_hash or not known.etag:
        raise TeacherError(
            "not-a-hub", given=f"the answer to {shown(wanted.url)} names no commit",
            expected="the hub, or a mirror of it", next="Check HF_ENDPOINT and your proxy.",
        )  # fmt: skip
    return known


def _bar(progress: Progress | None) -> Any:
    """A progress bar of the library's kind that draws nothing and reports to us."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        """Counts bytes."""

        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **{**named, "disable": True})  # type: ignore[no-untyped-call]
            self.here, self.whole = int(named.get("initial") or 0), int(named.get("total") or 0)

        def update(self, n: float | None = 1) -> None:
            """Bytes more are in the file."""
            self.here += int(n or 0)
            if progress is not None:
                progress(self.here, self.whole)

        def update_transfer(self, n: float) -> None:
            """Bytes on the wire, of compressed pieces: not what we count."""

    return Bar


def _verified(wanted: Wanted, path: Path, *, fresh: bool) -> tuple[Path, str]:
    """The file and its commit; what came just now and is wrong does not stay in the cache."""
    blob = path.parent / os.readlink(path) if path.is_symlink() else path
    want = wanted.sha256 or (blob.name if re.fullmatch(r"[0-9a-f]{64}", blob.name) else "")
    digest = digest_file(path) if want else ""
    if digest != want:
        if fresh:
            path.unlink(missing_ok=True)
            blob.unlink(missing_ok=True)
        raise TeacherError(
            "wrong-digest", given=f"{wanted.file} of {wanted.repo} has sha256 {digest}",
            expected=f"sha256 {want}",
            next="Run again; if it stays so, do not use this source." if fresh
            else f"Remove {blob} and run again.",
        )  # fmt: skip
    commit = path.parents[len(PurePosixPath(wanted.file).parts) - 1].name
    return path, commit


@contextlib.contextmanager
def _translated(wanted: Wanted) -> Iterator[None]:
    """Turn the library's errors into ours."""
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    # The bases of its HTTP error are those of its HTTP client, which changed from one release to another.
    client: tuple[Any, ...] = HfHubHTTPError.__bases__
    failures = (*client, EntryNotFoundError, OSError, ValueError, RuntimeError)
    try:
        yield
    except failures as error:
        raise _ours(wanted, error) from error


def _ours(wanted: Wanted, error: Exception) -> TutelageError:
    from huggingface_hub import errors

    what = f"{wanted.file} of {wanted.repo} at {wanted.revision}"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return _offline(wanted)
    if isinstance(error, errors.GatedRepoError):
        return _gated(wanted)
    for kind, hint in _absences().items():
        if isinstance(error, kind) and not isinstance(error, errors.LocalEntryNotFoundError):
            return TeacherError(
                "not-found",
                given=f"the hub does not have {what}",
                expected="what is there",
                next=hint,
            )
    if isinstance(error, errors.HfHubHTTPError) and not _passing(error.response.status_code):
        return TeacherError(
            "refused", given=f"the hub answered {error.response.status_code} to {what}",
            expected="the file", next="Check your access, and log in with: hf auth login",
        )  # fmt: skip
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        return unwritable(Path(error.filename or "the hub's cache"), error)
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return TeacherError(
            "unknown-source", given=what, expected="OWNER/NAME and a path in the repository",
            next="Check the names for typing errors.",
        )  # fmt: skip
    return _no_answer(what, error)


def _absences() -> dict[type[Exception], str]:
    """What may be missing on the hub -> what to do."""
    from huggingface_hub import errors

    return {
        errors.RepositoryNotFoundError: "Check the repository's name; if it is private log in with: hf auth login",
        errors.RevisionNotFoundError: "Check the revision: a branch such as main, a tag, or a commit hash.",
        errors.EntryNotFoundError: "Check the file's name on the repository's page.",
    }


def _passing(code: int) -> bool:
    return code in connection.PASSING or code >= 500


def _gated(wanted: Wanted) -> TeacherError:
    return TeacherError(
        "gated", given=f"{wanted.repo} is given only to those who accepted its terms",
        expected="a token of somebody who did",
        next="Accept the terms on the repository's page, then log in with: hf auth login",
    )  # fmt: skip


def _no_answer(what: str, error: Exception) -> TeacherError:
    from huggingface_hub.errors import HfHubHTTPError

    code = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
    how = f"answered {code}" if code else f"did not send it ({type(error).__name__})"
    return TeacherError(
        "no-answer", given=f"{what}: the hub {how}", expected="the file",
        next="Run the same command again. Behind a proxy set HTTPS_PROXY=URL; for a mirror set HF_ENDPOINT=URL.",
    )  # fmt: skip


def _offline(wanted: Wanted) -> TeacherError:
    from huggingface_hub import constants

    what = f"{wanted.file} of {wanted.repo} at {wanted.revision}"
    return TeacherError(
        "offline",
        given=f"{what} is not in the hub's cache, and connections are forbidden (--offline, TUTELAGE_OFFLINE "
        "or HF_HUB_OFFLINE)",
        expected=f"the file of {shown(wanted.url)} (sha256 {wanted.sha256 or 'not known'}) in {constants.HF_HUB_CACHE}",
        next=f"Where there is a connection run: tutelage teachers get {wanted.name or 'NAME'}; then copy its folder "
        f"models--{wanted.repo.replace('/', '--')} into {constants.HF_HUB_CACHE}",
    )
