"""Fetching weight files over a real connection, with everything going wrong that can."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib import request
from urllib.error import URLError

import pytest

from server_kit import Answer, Server, cut, hang, running, status
from tutelage.errors import TeacherError, TrainingError
from tutelage.files import lock
from tutelage.teachers import connection, download
from tutelage.teachers.fetch import downloads, fetch, file_name, offline, target

BODY = random.Random(0).randbytes(300_000)
NEWER = random.Random(1).randbytes(300_000)
HALF = 120_000


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


SHA = digest(BODY)


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits, empty caches, no proxy."""
    monkeypatch.setattr(download, "BACKOFF", 0.01)
    monkeypatch.setattr(connection, "TIMEOUT", 10.0)
    for name in ("TUTELAGE_OFFLINE", "HF_HUB_OFFLINE", "TUTELAGE_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as one:
        yield one


def failed(kind: str, url: str, **named: Any) -> TeacherError:
    with pytest.raises(TeacherError) as caught:
        fetch(url, **named)
    assert caught.value.kind == kind
    return caught.value


def left() -> set[str]:
    """What lies in the downloads besides locks."""
    return {path.name for path in downloads().iterdir() if path.suffix != ".lock"}


def ranges(server: Server) -> list[str | None]:
    return [asked.headers.get("Range") for asked in server.log]


# --- the way it should go


def test_it_is_fetched_once_told_and_whole(server: Server) -> None:
    url, told, seen = server.serve("/w.bin", BODY), [], []
    path = fetch(url, sha256=SHA, tell=told.append, progress=lambda *n: seen.append(n))
    assert path.read_bytes() == BODY and path.parent == downloads()
    assert told == [f"Fetching {url} (0.3 MB)."]
    assert seen[-1] == (len(BODY), len(BODY)) and seen == sorted(seen)
    assert left() == {path.name}
    assert fetch(url, sha256=SHA) == fetch(url, prefix=SHA[:8]) == path
    assert len(server.log) == 1


def test_a_size_that_is_not_stated_is_said_to_be_so(server: Server) -> None:
    told: list[str] = []
    path = fetch(server.serve("/w.bin", BODY, stated=False), sha256=SHA, tell=told.append)
    assert path.read_bytes() == BODY
    assert "size not stated" in told[0]


def test_without_a_digest_it_is_taken_and_told_as_unverified(server: Server) -> None:
    url, told = server.serve("/w.bin", BODY), []
    path = fetch(url, tell=told.append)
    assert path.read_bytes() == BODY
    assert "Unverified first use" in told[-1] and SHA in told[-1]
    assert (
        fetch(url) == fetch(url, sha256=SHA) == path
    )  # the lock file knows the digest from now on
    assert len(server.log) == 1


def test_files_of_one_name_do_not_take_each_others_place(server: Server) -> None:
    one, two = server.serve("/a/model.bin", BODY), server.serve("/b/model.bin", NEWER)
    for _ in range(2):
        assert fetch(one, sha256=SHA).read_bytes() == fetch(one).read_bytes() == BODY
        assert fetch(two, sha256=digest(NEWER)).read_bytes() == fetch(two).read_bytes() == NEWER
    assert len(server.log) == 4


def test_a_name_that_holds_its_digest_is_kept_as_it_is(server: Server) -> None:
    name = f"net-{SHA[:8]}.pth"
    assert fetch(server.serve(f"/{name}", BODY), prefix=SHA[:8]) == downloads() / name


# --- cuts


def test_after_a_cut_it_goes_on_where_it_was(server: Server) -> None:
    told: list[str] = []
    url = server.serve("/w.bin", BODY, cut(HALF), cut(50_000))
    assert fetch(url, sha256=SHA, tell=told.append).read_bytes() == BODY
    assert ranges(server) == [None, f"bytes={HALF}-", f"bytes={HALF + 50_000}-"]
    assert [asked.status for asked in server.log] == [200, 206, 206]
    assert sum(asked.sent for asked in server.log) == len(BODY)
    assert server.log[1].headers["If-Range"] == '"v1"'
    assert told == [
        f"Fetching {url} (0.3 MB).",
        "The connection was cut after 0.1 MB of 0.3 MB; trying again.",
        f"Going on with {url} (0.3 MB, of which 0.1 MB are here).",
        "The connection was cut after 0.2 MB of 0.3 MB; trying again.",
        f"Going on with {url} (0.3 MB, of which 0.2 MB are here).",
    ]


RUN = """
import sys
from tutelage.teachers import connection
from tutelage.teachers.fetch import fetch
connection.TIMEOUT = 20
print(fetch(sys.argv[1], sha256=sys.argv[2], tell=lambda s: print(s, flush=True)))
"""


def start(url: str, sha256: str = SHA) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", RUN, url, sha256], stdout=subprocess.PIPE, text=True)  # fmt: skip


def test_a_killed_run_is_taken_up_by_the_next(server: Server) -> None:
    url = server.serve("/w.bin", BODY, hang(HALF))
    part = part_of(url)
    first = start(url)
    while not part.exists() or part.stat().st_size < HALF:
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not target(url, SHA).exists()
    told: list[str] = []
    assert fetch(url, sha256=SHA, tell=told.append).read_bytes() == BODY
    assert ranges(server) == [None, f"bytes={HALF}-"] and server.log[1].sent == len(BODY) - HALF
    assert told == [f"Going on with {url} (0.3 MB, of which 0.1 MB are here)."]


def part_of(url: str, sha256: str = SHA) -> Path:
    whole = target(url, sha256)
    return whole.with_name(whole.name + ".part")


def begun(server: Server) -> str:
    """The first part is here; then the server fell."""
    url = server.serve("/w.bin", BODY, cut(HALF), *[status(500)] * 3)
    error = failed("no-answer", url, sha256=SHA)
    assert "Run the same command again" in error.next and url in str(error)
    assert part_of(url).read_bytes() == BODY[:HALF] and not target(url, SHA).exists()
    server.log.clear()
    return url


def test_a_server_that_hangs_becomes_an_error_and_the_part_is_kept(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    url = server.serve("/w.bin", BODY, hang(HALF), *[hang()] * 3)
    with monkeypatch.context() as patch:
        patch.setattr(connection, "TIMEOUT", 0.3)
        started, told = time.monotonic(), []
        assert "within 0.3 seconds" in failed("no-answer", url, sha256=SHA, tell=told.append).given
        assert time.monotonic() - started < 10 and "No byte came for 0.3 seconds" in told[1]
    assert fetch(url, sha256=SHA).read_bytes() == BODY
    assert server.log[-1].sent == len(BODY) - HALF


@pytest.mark.parametrize("heeds", [True, False], ids=["200", "206-of-another-version"])
def test_a_file_that_changed_meanwhile_is_fetched_anew(server: Server, heeds: bool) -> None:
    url = begun(server)
    server.serve("/w.bin", NEWER, etag='"v2"', heeds=heeds)
    for end in ("", ".json"):  # what is here goes on under the new digest
        os.rename(f"{part_of(url)}{end}", f"{part_of(url, digest(NEWER))}{end}")
    assert fetch(url, sha256=digest(NEWER)).read_bytes() == NEWER
    assert server.log[0].headers["If-Range"] == '"v1"'
    assert server.log[0].status == (200 if heeds else 206)
    assert server.log[-1].status == 200 and len(server.log) == (1 if heeds else 2)


@pytest.mark.parametrize("heeds", [True, False])
def test_a_change_is_noticed_without_a_digest_too(server: Server, heeds: bool) -> None:
    url = server.serve("/w.bin", BODY, cut(HALF), heeds=heeds)
    changed = server.files["/w.bin"]

    def change(answer: Answer) -> None:
        changed.content, changed.etag = NEWER, '"v2"'
        answer.right()

    changed.faults.append(change)
    assert fetch(url).read_bytes() == NEWER


def test_a_file_that_became_shorter_is_fetched_anew(server: Server) -> None:
    url = server.serve("/w.bin", BODY, cut(HALF), heeds=False)
    short = server.files["/w.bin"]

    def change(answer: Answer) -> None:
        short.content, short.etag = NEWER[:1000], '"v2"'
        answer.right()

    short.faults.append(change)
    assert fetch(url).read_bytes() == NEWER[:1000]
    assert [asked.status for asked in server.log] == [200, 416, 200]


def test_a_server_without_ranges_sends_it_again(server: Server) -> None:
    url = server.serve("/w.bin", BODY, cut(HALF), ranges=False)
    assert fetch(url, sha256=SHA).read_bytes() == BODY
    assert [asked.status for asked in server.log] == [200, 200]


def test_without_a_validator_nothing_is_resumed(server: Server) -> None:
    assert fetch(server.serve("/w.bin", BODY, cut(HALF), etag=""), sha256=SHA).read_bytes() == BODY
    assert ranges(server) == [None, None]


def test_a_weak_etag_gives_way_to_the_date(server: Server) -> None:
    date = "Tue, 01 Jul 2025 00:00:00 GMT"
    url = server.serve("/w.bin", BODY, cut(HALF), etag='W/"v1"', modified=date)
    assert fetch(url, sha256=SHA).read_bytes() == BODY
    assert server.log[1].headers["If-Range"] == date and server.log[1].sent == len(BODY) - HALF


def test_a_part_that_rotted_on_the_disk_is_started_again(server: Server) -> None:
    url, told = begun(server), []
    part = part_of(url)
    part.write_bytes(bytes([BODY[0] ^ 1]) + BODY[1:HALF])
    assert fetch(url, sha256=SHA, tell=told.append).read_bytes() == BODY
    assert [asked.status for asked in server.log] == [206, 200]
    assert any("starting again" in line for line in told)


def test_a_part_that_is_whole_is_only_verified(server: Server) -> None:
    url = begun(server)
    part = part_of(url)
    part.write_bytes(BODY)
    assert fetch(url, sha256=SHA).read_bytes() == BODY
    assert server.log == [] and left() == {target(url, SHA).name}


def test_a_damaged_note_means_starting_again(server: Server) -> None:
    url = begun(server)
    note = part_of(url).with_suffix(".part.json")
    assert json.loads(note.read_text())["validator"] == '"v1"'
    note.write_text('{"url"')
    assert fetch(url, sha256=SHA).read_bytes() == BODY
    assert ranges(server) == [None]


def test_a_cut_in_a_chunked_body_is_noticed(server: Server) -> None:
    def chunked(answer: Answer) -> None:
        answer.head(200, {"Transfer-Encoding": "chunked"})
        answer.send(b"3e8\r\n" + BODY[:500])
        answer.connection.shutdown(socket.SHUT_RDWR)

    url = server.serve("/w.bin", BODY, chunked)
    assert fetch(url).read_bytes() == BODY
    assert len(server.log) == 2


# --- wrong answers


@pytest.mark.parametrize("known", [{"sha256": SHA}, {"prefix": SHA[:8]}])
def test_a_flipped_bit_is_never_believed(server: Server, known: dict[str, str]) -> None:
    flipped = BODY[:-1] + bytes([BODY[-1] ^ 1])
    error = failed("wrong-digest", server.serve("/w.bin", flipped), **known)
    assert digest(flipped) in error.given and SHA[:8] in error.expected
    assert left() == set()
    server.serve("/w.bin", BODY)
    assert fetch(server.url("/w.bin"), **known).read_bytes() == BODY


def test_a_login_page_is_called_one(server: Server) -> None:
    error = failed(
        "wrong-digest", server.serve("/w.bin", b"\n<!doctype html><p>Log in"), sha256=SHA
    )
    assert "log in to the network" in error.next and "doctype" not in str(error)


@pytest.mark.parametrize(("code", "kind"), [(404, "not-found"), (410, "not-found"), (403, "refused"), (401, "refused")])  # fmt: skip
def test_a_refusal_is_final_and_its_body_is_not_shown(server: Server, code: int, kind: str) -> None:
    url = server.serve("/w.bin", BODY, *[status(code)] * 4)
    error = failed(kind, url, sha256=SHA)
    assert url in error.given and "Check the URL" in error.next
    assert "nobody shall see" not in str(error)
    assert len(server.log) == 1 and left() == set()


def test_an_answer_without_a_body_is_no_file(server: Server) -> None:
    failed("refused", server.serve("/w.bin", BODY, lambda a: a.head(204, {})))
    assert left() == set()


def test_a_proxy_is_gone_through(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("http_proxy", server.url(""))
    server.serve("http://publisher.invalid/w.bin", BODY)  # so a proxy is asked
    assert fetch("http://publisher.invalid/w.bin", sha256=SHA).read_bytes() == BODY


def test_a_server_in_trouble_is_asked_again(server: Server) -> None:
    url, told = server.serve("/w.bin", BODY, status(500), status(503), status(429)), []
    assert fetch(url, sha256=SHA, tell=told.append).read_bytes() == BODY
    assert len(server.log) == 4 and "answered 500; trying again" in told[0]


def test_a_server_that_stays_in_trouble_is_left(server: Server) -> None:
    url = server.serve("/w.bin", BODY, *[status(503)] * 50)
    assert "503" in failed("no-answer", url, sha256=SHA).given
    assert len(server.log) == download.TRIES


def test_progress_earns_more_attempts(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "STEP", 20_000)
    url = server.serve("/w.bin", BODY, *[cut(30_000)] * 9)
    assert fetch(url, sha256=SHA).read_bytes() == BODY
    assert len(server.log) == 10 > download.TRIES
    monkeypatch.setattr(download, "STEP", 40_000)
    failed("no-answer", server.serve("/v.bin", BODY, *[cut(30_000)] * 9), sha256=SHA)


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "cannot be reached" in failed("no-answer", f"http://127.0.0.1:{port}/w.bin").given


def test_more_than_any_weight_file_is_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LIMIT", 1000)
    failed("too-large", server.serve("/stated.bin", BODY), sha256=SHA)
    failed("too-large", server.serve("/endless.bin", BODY, stated=False), sha256=SHA)
    assert not [name for name in left() if not name.endswith(".json")]


def test_a_piece_that_is_too_long_is_not_kept(server: Server) -> None:
    def surplus(answer: Answer) -> None:
        span = f"bytes {HALF}-{len(BODY) - 1}/{len(BODY)}"
        answer.status(206, BODY[HALF:] + b"more", Content_Range=span, ETag='"v1"')

    assert fetch(server.serve("/w.bin", BODY, cut(HALF), surplus)).read_bytes() == BODY
    assert [asked.status for asked in server.log] == [200, 206, 200]


def test_another_piece_than_the_one_asked_for_is_not_appended(server: Server) -> None:
    def other(answer: Answer) -> None:
        span = f"bytes {HALF + 1}-{len(BODY) - 1}/{len(BODY)}"
        answer.status(206, BODY[HALF + 1 :], Content_Range=span, ETag='"v1"')

    assert fetch(server.serve("/w.bin", BODY, cut(HALF), other)).read_bytes() == BODY
    assert [asked.status for asked in server.log] == [200, 206, 200]


# --- redirects and credentials


def test_redirects_are_followed_and_resumed_through(server: Server) -> None:
    server.serve("/store/w.bin", BODY, cut(HALF))
    url = server.serve("/w.bin", b"", *[status(302, Location="/store/w.bin")] * 2)
    assert fetch(url, sha256=SHA) == target(url, SHA)
    assert [(asked.path, asked.sent) for asked in server.log if "store" in asked.path] == [
        ("/store/w.bin", HALF), ("/store/w.bin", len(BODY) - HALF),
    ]  # fmt: skip


def test_redirects_end(server: Server) -> None:
    url = server.serve("/w.bin", b"", *[status(302, Location="/w.bin")] * 50)
    assert "redirects" in failed("bad-redirect", url).given
    assert len(server.log) == connection.REDIRECTS + 1
    hops = [server.serve(f"/{n}", b"", status(301, Location=f"/{n + 1}")) for n in range(5)]
    server.serve("/5", BODY)
    assert fetch(hops[0], sha256=SHA).read_bytes() == BODY


@pytest.mark.parametrize(
    "place", ["file:///etc/hostname", "ftp://127.0.0.1/w", "data:,w", "http://[", ""]
)
def test_a_redirect_leads_to_http_or_nowhere(server: Server, place: str) -> None:
    failed("bad-redirect", server.serve("/w.bin", b"", status(302, Location=place)))
    assert left() == set()


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "localhost.example.org"])
def test_a_redirect_does_not_leave_a_safe_connection(host: str) -> None:
    safe = "https://example.org/w.bin"
    with pytest.raises(TeacherError) as caught:
        connection._hop(safe, safe, f"http://{host}/w.bin")
    assert caught.value.kind == "bad-redirect" and host in caught.value.given
    for near in ("127.0.0.1", "localhost", "[::1]"):
        assert connection._hop(safe, safe, f"http://{near}/w.bin") == f"http://{near}/w.bin"
    assert connection._hop(safe, safe, "https://other.org/w.bin") == "https://other.org/w.bin"


def test_a_password_goes_to_its_own_host_alone_and_is_never_shown(server: Server) -> None:
    told: list[str] = []
    with running() as elsewhere:
        place = elsewhere.serve("/w.bin", BODY)
        server.serve("/here.bin", b"", status(302, Location="/away.bin"))
        server.serve("/away.bin", b"", status(302, Location=place))
        fetch(server.url("/here.bin", "me:s%40cret@"), sha256=SHA, tell=told.append)
        assert "Authorization" not in elsewhere.log[0].headers
    assert {asked.headers.get("Authorization") for asked in server.log} == {"Basic bWU6c0BjcmV0"}
    error = failed("not-found", server.url("/no.bin", "me:s%40cret@"))
    assert not any("cret" in text for text in [str(error), *told])


def test_a_certificate_that_is_not_trusted_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[object] = []

    def refuse(*given: object, **named: object) -> None:
        tries.append(given)
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_message = "self-signed certificate"
        raise URLError(error)

    monkeypatch.setattr(request.OpenerDirector, "open", refuse)
    error = failed("not-trusted", "https://localhost/w.bin")
    assert "self-signed" in error.given and "SSL_CERT_FILE" in error.next and len(tries) == 1


# --- the disk


class Full:
    """A file on a disk that has room for so many bytes."""

    def __init__(self, stream: Any, room: int) -> None:
        self.stream, self.room = stream, room

    def write(self, chunk: Any) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self.stream.write(bytes(chunk)[: self.room])
        self.room -= written
        return int(written)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __enter__(self) -> Full:
        return self

    def __exit__(self, *error: object) -> None:
        self.stream.close()


def test_a_disk_that_fills_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url, honest = server.serve("/w.bin", BODY), Path.open

    def opened(self: Path, mode: str = "r", *given: Any, **named: Any) -> Any:
        stream = honest(self, mode, *given, **named)
        return Full(stream, HALF) if mode == "ab" else stream

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        with pytest.raises(TrainingError) as caught:
            fetch(url, sha256=SHA)
    assert caught.value.kind == "disk-full" and "run the same command again" in caught.value.next
    assert not target(url, SHA).exists() and len(server.log) == 1
    assert fetch(url, sha256=SHA).read_bytes() == BODY
    assert server.log[1].sent == len(BODY) - HALF  # what was finished was kept


def test_a_disk_that_is_too_small_is_seen_before_a_byte_is_written(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage: Callable[[object], Any] = lambda path: type("Usage", (), {"free": len(BODY) - 1})  # noqa: E731
    monkeypatch.setattr(download.shutil, "disk_usage", usage)
    with pytest.raises(TrainingError) as caught:
        fetch(server.serve("/w.bin", BODY), sha256=SHA)
    assert caught.value.kind == "disk-full" and left() == set()


# --- several processes


def test_two_processes_fetch_it_once(server: Server) -> None:
    released = threading.Event()

    def held(answer: Answer) -> None:
        released.wait(30)
        answer.right()

    url = server.serve("/w.bin", BODY, held)
    first = start(url)
    while not server.log:
        assert first.poll() is None
        time.sleep(0.01)
    second = start(url)
    assert second.stdout is not None
    assert "Waiting for another process" in second.stdout.readline()
    released.set()
    lines = [process.communicate(timeout=30)[0].splitlines() for process in (first, second)]
    assert [line[-1] for line in lines] == [str(target(url, SHA))] * 2
    assert target(url, SHA).read_bytes() == BODY
    assert [asked.method for asked in server.log] == ["GET"]


def test_a_lock_left_by_a_dead_process_holds_nobody_up(server: Server) -> None:
    url = server.serve("/w.bin", BODY)
    with lock(target(url, SHA).with_name(target(url, SHA).name + ".lock")):
        pass
    assert fetch(url, sha256=SHA).read_bytes() == BODY


# --- offline, mirrors, other caches


@pytest.mark.parametrize(("text", "is_so"), [("1", True), ("true", True), ("YES", True), (" on ", True), ("0", False), ("", False), ("no", False)])  # fmt: skip
@pytest.mark.parametrize("name", ["TUTELAGE_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_is_asked_for(monkeypatch: pytest.MonkeyPatch, name: str, text: str, is_so: bool) -> None:  # fmt: skip
    monkeypatch.setenv(name, text)
    assert offline() is is_so


def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object, **named: object) -> None:
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


def test_offline_opens_no_socket_and_says_where_to_put_the_file(monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    url = "https://example.org/models/net.pth"
    monkeypatch.setenv("TUTELAGE_OFFLINE", "1")
    monkeypatch.setenv("TUTELAGE_MIRROR", "https://mirror.example.org")
    no_sockets(monkeypatch)
    error = failed("offline", url, sha256=SHA, name="alexnet")
    place = target(url, SHA)
    assert "net.pth" in error.given
    assert url in error.expected and SHA in error.expected and str(place) in error.expected
    assert "tutelage teachers get alexnet" in error.next and str(place) in error.next
    place.parent.mkdir(parents=True)
    place.write_bytes(BODY)
    assert fetch(url, sha256=SHA) == place
    place.rename(place.with_name("net.pth"))  # under its plain name it is found as well
    assert fetch(url, sha256=SHA) == place.with_name("net.pth")
    assert fetch(url, prefix=SHA[:10]) == place.with_name("net.pth")
    failed("offline", url)  # by name alone it is not believed
    failed("offline", url, sha256=digest(NEWER))


def test_a_mirror_is_asked_first(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as mirror:
        monkeypatch.setenv("TUTELAGE_MIRROR", mirror.url("/models/"))
        told: list[str] = []
        url = server.serve("/far/away/w.bin", BODY)
        mirror.serve("/models/w.bin", BODY)
        assert fetch(url, sha256=SHA, tell=told.append) == target(url, SHA)
        assert server.log == [] and mirror.url("/models/w.bin") in told[0]
        mirror.serve("/models/first.bin", NEWER)
        fetch(server.url("/first.bin"), tell=told.append)
        assert "Unverified first use" in told[-1] and mirror.url("/models/first.bin") in told[-1]


def test_what_a_mirror_lacks_comes_from_the_publisher(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    with running() as mirror:
        monkeypatch.setenv("TUTELAGE_MIRROR", mirror.url(""))
        told: list[str] = []
        url = server.serve("/w.bin", BODY)
        assert fetch(url, sha256=SHA, tell=told.append).read_bytes() == BODY
        assert len(mirror.log) == 1 and "going to the publisher" in told[0]


def test_a_half_of_the_mirror_is_not_joined_to_a_half_of_the_publisher(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    url = server.serve("/w.bin", BODY)
    with running() as mirror:
        mirror.serve("/w.bin", NEWER, cut(HALF), *[status(500)] * 3)
        monkeypatch.setenv("TUTELAGE_MIRROR", mirror.url(""))
        assert fetch(url).read_bytes() == BODY
        assert ranges(server) == [None]


def test_a_mirror_with_another_file_is_an_error(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    url = server.serve("/w.bin", BODY)
    with running() as mirror:
        mirror.serve("/w.bin", NEWER)
        monkeypatch.setenv("TUTELAGE_MIRROR", mirror.url(""))
        assert mirror.url("/w.bin") in failed("wrong-digest", url, sha256=SHA).given
    assert server.log == []


def test_a_mirror_may_be_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "w.bin").write_bytes(BODY)
    no_sockets(monkeypatch)
    for mirror in (str(tmp_path / "stick"), (tmp_path / "stick").as_uri()):
        monkeypatch.setenv("TUTELAGE_MIRROR", mirror)
        assert fetch("https://example.org/w.bin", sha256=SHA) == tmp_path / "stick" / "w.bin"


@pytest.mark.parametrize("variable", ["TORCH_HOME", "XDG_CACHE_HOME"])
def test_the_cache_of_torch_is_honoured(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:  # fmt: skip
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv(variable, str(tmp_path / "theirs"))
    home = tmp_path / "theirs" / ("" if variable == "TORCH_HOME" else "torch")
    lent = home / "hub" / "checkpoints" / "w.bin"
    lent.parent.mkdir(parents=True)
    lent.write_bytes(BODY)
    url, told = server.serve("/w.bin", BODY), []
    assert fetch(url, sha256=SHA) == fetch(url, prefix=SHA[:8]) == lent
    assert server.log == []
    lent.write_bytes(NEWER)
    assert fetch(url, sha256=SHA, tell=told.append) == target(url, SHA)
    assert lent.read_bytes() == NEWER and str(lent) in told[0] and "passed over" in told[0]
    assert fetch(server.serve("/v.bin", BODY)) != lent.with_name("v.bin")


def test_without_a_digest_the_cache_of_torch_is_not_believed(server: Server, tmp_path: Path) -> None:  # fmt: skip
    lent = tmp_path / "torch" / "hub" / "checkpoints" / "w.bin"
    lent.parent.mkdir(parents=True)
    lent.write_bytes(NEWER)
    assert fetch(server.serve("/w.bin", BODY)).read_bytes() == BODY


def test_a_file_of_ours_that_went_wrong_is_fetched_again(server: Server) -> None:
    url, told = server.serve("/w.bin", BODY), []
    path = fetch(url, sha256=SHA)
    path.write_bytes(NEWER)
    assert fetch(url, sha256=SHA, tell=told.append).read_bytes() == BODY
    assert "passed over" in told[0] and len(server.log) == 2


# --- names and sources


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h/a/net-1.2_3+x.pth?token=1#part", "net-1.2_3+x.pth"),
        ("http://h/a/../../etc/passwd", "passwd"),
        ("http://h/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "passwd"),
        ("http://h/..%5c..%5cwin.ini", "win.ini"),
        ("http://h/a%00b%0a|c:d.pth", "a_b__c_d.pth"),
        ("http://h/..", "file"),
        ("http://h/.bashrc", "bashrc"),
        ("http://h/", "file"),
        ("http://h", "file"),
        ("http://h/" + "x" * 400 + ".pth", "x" * 116 + ".pth"),
    ],
)
def test_a_name_never_leaves_the_downloads(url: str, name: str) -> None:
    assert file_name(url) == name
    for want in ("", SHA):
        assert target(url, want).parent == downloads() and target(url, want).name.endswith(name)


def test_a_traversing_url_is_fetched_into_the_downloads(server: Server, tmp_path: Path) -> None:
    path = "/x/%2e%2e%2f%2e%2e%2f%2e%2e%2fevil.bin"
    assert fetch(server.serve(path, BODY), sha256=SHA).parent == downloads()
    found = {p.name for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".lock"}
    assert found == {f"{SHA[:8]}-evil.bin"}


def test_files_on_this_machine_are_verified_where_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    no_sockets(monkeypatch)
    path = tmp_path / "my net.pth"
    path.write_bytes(BODY)
    for source in (str(path), path.as_uri()):
        assert fetch(source, sha256=SHA) == fetch(source, prefix=SHA[:8]) == fetch(source) == path
        assert digest(BODY) in failed("wrong-digest", source, sha256=digest(NEWER)).given
    assert path.exists() and not downloads().exists()
    monkeypatch.chdir(tmp_path)
    assert fetch("my net.pth", sha256=SHA) == path
    assert str(tmp_path / "no.pth") in failed("not-found", str(tmp_path / "no.pth")).given
    failed("not-found", str(tmp_path))


@pytest.mark.parametrize("url", ["ftp://h/w", "s3://h/w", "file://host/w", "http://", "http://[/w", "http://h:port/w"])  # fmt: skip
def test_other_sources_are_refused(url: str) -> None:
    failed("unknown-source", url)


@pytest.mark.parametrize("known", [{"prefix": SHA[:7]}, {"sha256": SHA[:40]}, {"sha256": SHA, "prefix": "0" * 8}, {"prefix": "x" * 8}])  # fmt: skip
def test_half_a_digest_is_refused(known: dict[str, str]) -> None:
    failed("weak-digest", "https://example.org/w.bin", **known)


def test_upper_case_is_a_digest_too(server: Server) -> None:
    assert fetch(server.serve("/w.bin", BODY), sha256=SHA.upper()).read_bytes() == BODY


def test_importing_it_brings_neither_torch_nor_the_hub() -> None:
    code = "import sys, tutelage.teachers.fetch, tutelage.teachers.hub, tutelage.teachers.lockfile; print([m for m in ('torch', 'huggingface_hub') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ))  # fmt: skip
    assert done.stdout == "[]\n"
