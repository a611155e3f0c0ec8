"""Fetching from the hub, against a stand-in on loopback; its library reads the environment at import."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server_kit import Fault, Server, cut, hang, running, status

BODY = random.Random(0).randbytes(300_000)
SHA = hashlib.sha256(BODY).hexdigest()
COMMIT, LATER = "a" * 40, "b" * 40
REPO, FILE = "owner/net", "sub/model.safetensors"

STEPS = """
import json, os, socket, sys
from tutelage.errors import TutelageError
from tutelage.teachers import connection, download
from tutelage.teachers.hub import fetch_hub
download.BACKOFF, connection.TIMEOUT = 0.01, 10.0
true = socket.socket
def refuse(*given, **named):
    raise AssertionError("a socket was opened")
for step in json.loads(sys.stdin.read()):
    os.environ.update(step.pop("env", {}))
    connection.TIMEOUT = step.pop("timeout", 10.0)
    socket.socket = refuse if step.pop("blocked", False) else true
    told, seen = [], []
    try:
        path, commit = fetch_hub(**step, tell=told.append, progress=lambda *n: seen.append(n))
        with open(path, "rb") as stream:
            length = len(stream.read())
        print(json.dumps({"path": str(path), "commit": commit, "length": length, "told": told, "seen": seen}))
    except TutelageError as error:
        print(json.dumps({"told": told, **error.as_json()["error"]}))
"""


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as one:
        yield one


def serve(server: Server, *faults: Fault, revision: str = "main", commit: str = COMMIT, content: bytes = BODY, etag: str = SHA, file: str = FILE) -> None:  # fmt: skip
    """As the hub does: the same file under a branch and under its commit."""
    for name in (revision, commit):
        server.serve(f"/{REPO}/resolve/{name}/{file}", content, *faults, etag=f'"{etag}"', headers={"X-Repo-Commit": commit})  # fmt: skip


def run(home: Path, server: Server, *steps: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps in one process; its standard error must stay free of progress bars."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TUTELAGE_OFF"))}  # fmt: skip
    env = {**kept, "HF_HOME": str(home), "HF_ENDPOINT": server.url(""), "NO_PROXY": "*", "no_proxy": "*"}  # fmt: skip
    whole = [{"repo": REPO, "revision": "main", "file": FILE, **step} for step in steps]
    done = subprocess.run([sys.executable, "-c", STEPS], input=json.dumps(whole), env=env, capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "%|" not in done.stderr and "B/s" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def gets(server: Server) -> list[str]:
    return [asked.path for asked in server.log if asked.method == "GET"]


def test_a_branch_becomes_a_commit_which_then_needs_no_connection(server: Server, tmp_path: Path) -> None:  # fmt: skip
    serve(server)
    first, again, pinned, offline, branch = run(
        tmp_path, server, {}, {}, {"revision": COMMIT, "blocked": True},
        {"revision": COMMIT, "blocked": True, "env": {"TUTELAGE_OFFLINE": "1"}}, {"blocked": True},
    )  # fmt: skip
    assert Path(first["path"]).read_bytes() == BODY and first["path"].startswith(str(tmp_path))
    assert {step["commit"] for step in (first, again, pinned, offline, branch)} == {COMMIT}
    assert {step["path"] for step in (first, again, pinned, offline, branch)} == {first["path"]}
    assert len(first["told"]) == 1 and "(0.3 MB)" in first["told"][0]
    assert f"/{REPO}/resolve/main/{FILE}" in first["told"][0] and COMMIT in first["told"][0]
    assert first["seen"][-1] == [len(BODY), len(BODY)]
    assert again["told"] == [] and gets(server) == [f"/{REPO}/resolve/main/{FILE}"]


def test_it_asks_for_nothing_but_the_file(server: Server, tmp_path: Path) -> None:
    serve(server)
    run(tmp_path, server, {})
    assert {asked.path for asked in server.log} == {f"/{REPO}/resolve/main/{FILE}"}
    assert not any("Authorization" in asked.headers for asked in server.log)


def test_a_branch_that_moved_is_followed_and_the_old_commit_stays(server: Server, tmp_path: Path) -> None:  # fmt: skip
    serve(server)
    run(tmp_path, server, {})
    other = BODY[::-1]
    serve(server, commit=LATER, content=other, etag=hashlib.sha256(other).hexdigest())
    moved, old = run(tmp_path, server, {}, {"revision": COMMIT, "blocked": True})
    assert moved["commit"] == LATER and Path(moved["path"]).read_bytes() == other
    assert old["commit"] == COMMIT and Path(old["path"]).read_bytes() == BODY


def test_a_cut_is_survived(server: Server, tmp_path: Path) -> None:
    serve(server)
    answer = [lambda a: a.right()] * 2 + [cut(100_000)]  # two HEADs come first
    server.files[f"/{REPO}/resolve/main/{FILE}"].faults = answer
    (done,) = run(tmp_path, server, {})
    assert Path(done["path"]).read_bytes() == BODY and done["told"] == done["told"][:1]
    assert len(gets(server)) == 2


def test_a_flipped_bit_is_not_believed_and_does_not_stay(server: Server, tmp_path: Path) -> None:
    serve(server, content=bytes([BODY[0] ^ 1]) + BODY[1:])
    known, offline = run(tmp_path, server, {}, {"env": {"TUTELAGE_OFFLINE": "1"}, "revision": COMMIT})  # fmt: skip
    assert known["kind"] == "wrong-digest" and SHA in known["expected"]
    assert offline["kind"] == "offline"
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_size == len(BODY)]


def test_a_small_file_is_held_to_the_digest_that_is_given(server: Server, tmp_path: Path) -> None:
    serve(server, etag="c" * 40)  # small files are kept under another digest
    wrong, right = run(tmp_path, server, {"sha256": "0" * 64}, {"sha256": SHA.upper()})
    assert wrong["kind"] == "wrong-digest" and right["length"] == len(BODY)
    assert len(gets(server)) == 2


def test_a_wrong_file_in_the_cache_is_named_and_left(server: Server, tmp_path: Path) -> None:
    serve(server)
    path = Path(run(tmp_path, server, {})[0]["path"])
    path.resolve().write_bytes(BODY[::-1])
    pinned, branch = run(tmp_path, server, {"revision": COMMIT}, {})
    for found in (pinned, branch):
        assert found["kind"] == "wrong-digest" and str(path.resolve()) in str(Path(found["next"].split()[1]).resolve())  # fmt: skip
    assert path.read_bytes() == BODY[::-1]


def test_bytes_that_another_commit_shares_are_not_taken_away(server: Server, tmp_path: Path) -> None:  # fmt: skip
    serve(server)
    run(tmp_path, server, {})
    serve(server, commit=LATER)
    wrong, old = run(tmp_path, server, {"sha256": "0" * 64}, {"revision": COMMIT, "blocked": True})
    assert wrong["kind"] == "wrong-digest" and wrong["told"] == []
    assert old["length"] == len(BODY) and len(gets(server)) == 1


REFUSALS = [
    (status(404, X_Error_Code="RepoNotFound"), "not-found", "hf auth login"),
    (status(401, X_Error_Code="RepoNotFound"), "not-found", "hf auth login"),
    (status(404, X_Error_Code="RevisionNotFound"), "not-found", "revision"),
    (status(404, X_Error_Code="EntryNotFound"), "not-found", "file's name"),
    (status(403, X_Error_Code="GatedRepo"), "gated", "Accept the terms"),
    (status(403), "refused", "hf auth login"),
    (status(503), "no-answer", "HF_ENDPOINT"),
    (status(200), "not-a-hub", "HF_ENDPOINT"),
]


def test_every_refusal_has_its_name(server: Server, tmp_path: Path) -> None:
    for n, (fault, _, _) in enumerate(REFUSALS):
        server.serve(f"/owner/net{n}/resolve/main/{FILE}", BODY, *[fault] * 8)
    errors = run(tmp_path, server, *[{"repo": f"owner/net{n}"} for n in range(len(REFUSALS))])
    for n, ((_, kind, hint), error) in enumerate(zip(REFUSALS, errors, strict=True)):
        assert error["kind"] == kind and hint in error["next"]
        assert "nobody shall see" not in json.dumps(error)
        times = sum(f"/net{n}/" in asked.path for asked in server.log)
        assert times == (4 if kind == "no-answer" else 1)


def test_a_hub_in_trouble_is_asked_again(server: Server, tmp_path: Path) -> None:
    serve(server)
    server.files[f"/{REPO}/resolve/main/{FILE}"].faults = [status(500), status(503)]
    (done,) = run(tmp_path, server, {})
    assert done["length"] == len(BODY) and "answered 500; trying again" in done["told"][0]


def test_a_hub_that_is_away_leaves_what_is_cached(server: Server, tmp_path: Path) -> None:
    serve(server)
    run(tmp_path, server, {})
    serve(server, *[status(503)] * 8)
    (done,) = run(tmp_path, server, {})
    assert done["commit"] == COMMIT and "hub's cache" in done["told"][-1]


def test_a_hub_that_hangs_or_is_not_there_becomes_an_error(server: Server, tmp_path: Path) -> None:
    serve(server, *[hang()] * 8)
    hung, away = run(tmp_path, server, {"timeout": 0.3}, {"env": {"HF_ENDPOINT": "http://127.0.0.1:9"}})  # fmt: skip
    assert hung["kind"] == away["kind"] == "no-answer"
    assert "Run the same command again" in hung["next"] and REPO in hung["given"]


def test_offline_says_what_is_missing_and_where_it_goes(server: Server, tmp_path: Path) -> None:
    for name in ("TUTELAGE_OFFLINE", "HF_HUB_OFFLINE"):
        (error,) = run(tmp_path, server, {"env": {name: "1"}, "blocked": True, "sha256": SHA, "name": "resnet50"})  # fmt: skip
        assert error["kind"] == "offline"
        assert REPO in error["given"] and FILE in error["given"]
        assert f"/{REPO}/resolve/main/{FILE}" in error["expected"] and SHA in error["expected"]
        assert str(tmp_path / "hub") in error["next"] and "models--owner--net" in error["next"]
        assert "tutelage teachers get resnet50" in error["next"]
    assert server.log == []


def test_names_that_are_none_are_refused(server: Server, tmp_path: Path) -> None:
    repo, file = run(tmp_path, server, {"repo": "a/b/c/.."}, {"file": "../../evil"})
    assert repo["kind"] == file["kind"] == "unknown-source"
    assert server.log == []


def test_a_mirror_of_the_hub_is_read_late(server: Server, tmp_path: Path) -> None:
    serve(server)
    with running() as mirror:
        other = BODY[::-1]
        serve(mirror, commit=LATER, content=other, etag=hashlib.sha256(other).hexdigest())
        first, done = run(tmp_path, server, {}, {"env": {"HF_ENDPOINT": mirror.url("/")}})
        assert (first["commit"], done["commit"]) == (COMMIT, LATER)
        assert mirror.url("/owner") in done["told"][0]
    assert {asked.path for asked in server.log} == {f"/{REPO}/resolve/main/{FILE}"}
    assert len(server.log) == 3  # two HEADs and a GET, all of the first step


def test_a_cache_that_cannot_be_written_is_called_so(server: Server, tmp_path: Path) -> None:
    serve(server)
    (tmp_path / "file").write_text("in the way")
    (error,) = run(tmp_path / "file" / "home", server, {})
    assert error["kind"] == "not-writable" and "file" in error["given"]
