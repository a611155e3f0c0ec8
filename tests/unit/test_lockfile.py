"""The lock file: what was fetched first stays, under several processes and after damage."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tutelage.errors import ArtefactError, TeacherError
from tutelage.teachers.lockfile import Locked, lock_path, locked, record

ONE = Locked("alexnet", "1" * 64, "", "BSD-3-Clause", "https://example.org/alexnet.pth")


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUTELAGE_LOCK", str(tmp_path / "own.lock.json"))
    return tmp_path / "own.lock.json"


def test_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lock_path() == tmp_path / "own.lock.json"
    monkeypatch.delenv("TUTELAGE_LOCK")
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "cache"))
    assert lock_path() == tmp_path / "cache" / "teachers.lock.json"


def test_what_is_recorded_is_found(path: Path) -> None:
    assert locked("alexnet") is None
    record(ONE)
    record(Locked("resnet50", "2" * 64, "a" * 40))
    assert locked("alexnet") == ONE and locked("resnet50") == Locked("resnet50", "2" * 64, "a" * 40)
    assert locked("vgg") is None
    assert set(json.loads(path.read_text())["teachers"]["alexnet"]) == {
        "name", "sha256", "revision", "licence", "source",
    }  # fmt: skip


def test_the_same_entries_give_the_same_bytes(path: Path) -> None:
    record(ONE)
    record(Locked("b", "2" * 64))
    first = path.read_bytes()
    path.unlink()
    record(Locked("b", "2" * 64))
    record(ONE)
    record(ONE)
    assert path.read_bytes() == first


def test_the_same_file_from_elsewhere_is_welcome() -> None:
    record(ONE)
    record(Locked("alexnet", "1" * 64, "", "BSD-3-Clause", "https://mirror.example.org/a.pth"))
    entry = locked("alexnet")
    assert entry is not None and entry.source == "https://mirror.example.org/a.pth"


def test_another_file_under_a_known_name_is_an_error(path: Path) -> None:
    record(ONE)
    before = path.read_bytes()
    with pytest.raises(TeacherError) as caught:
        record(Locked("alexnet", "2" * 64))
    assert caught.value.kind == "lock-mismatch"
    assert "2" * 64 in caught.value.given and "1" * 64 in caught.value.expected
    assert str(path) in caught.value.next and "alexnet" in caught.value.next
    assert path.read_bytes() == before


@pytest.mark.parametrize("sha256", ["", "1" * 63, "x" * 64, "1" * 64 + "\n"])
def test_half_a_digest_is_not_recorded(path: Path, sha256: str) -> None:
    with pytest.raises(TeacherError) as caught:
        record(Locked("alexnet", sha256))
    assert caught.value.kind == "weak-digest" and not path.exists()


GOOD = {"name": "a", "sha256": "1" * 64, "revision": "", "licence": "", "source": ""}


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '{"schema": 1}', '{"schema": 1, "teachers": []}', '{"schema": "x", "teachers": {}}',
        json.dumps({"schema": 1, "teachers": {"a": {**GOOD, "sha256": "short"}}}),
        json.dumps({"schema": 1, "teachers": {"a": {**GOOD, "sha256": 7}}}),
        json.dumps({"schema": 1, "teachers": {"b": GOOD}}),
        json.dumps({"schema": 1, "teachers": {"a": {**GOOD, "more": 1}}}),
        json.dumps({"schema": 1, "teachers": {"a": None}}), "\udc80",
    ],
)  # fmt: skip
def test_damage_is_neither_ignored_nor_written_over(path: Path, text: str) -> None:
    path.write_bytes(text.encode(errors="surrogateescape"))
    before = path.read_bytes()
    for act in (lambda: locked("a"), lambda: record(ONE)):
        with pytest.raises(ArtefactError) as caught:
            act()
        assert caught.value.kind == "damaged-file" and str(path) in caught.value.next
    assert path.read_bytes() == before


def test_a_newer_file_is_left_to_a_newer_tutelage(path: Path) -> None:
    path.write_text('{"schema": 2, "teachers": {}}')
    with pytest.raises(ArtefactError) as caught:
        record(ONE)
    assert caught.value.kind == "too-new" and '"schema": 2' in path.read_text()


WRITER = """
import sys
from tutelage.teachers.lockfile import Locked, record
for n in range(15):
    record(Locked(f"{sys.argv[1]}{n}", "3" * 64))
"""


def test_processes_that_record_at_once_lose_nothing() -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name]) for name in "xyz"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert all(locked(f"{name}{n}") for name in "xyz" for n in range(15))
