"""An encoder from the hub, against a stand-in on loopback: pinned at the first fetch, then used without a connection."""

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from server_kit import running, status
from text_kit import tiny_bert

REPO, COMMIT = "owner/tiny", "c" * 40
TUTELAGE = Path(sys.executable).parent / "tutelage"


def serve(server, folder: Path, licence: str = "mit") -> None:
    """As the hub does: every file under its branch and its commit; what is not there has a code."""
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    files["README.md"] = f"---\nlicense: {licence}\n---\n# tiny".encode()
    for name, content in files.items():
        tag = sha256(content).hexdigest()
        for revision in ("main", COMMIT):
            server.serve(f"/{REPO}/resolve/{revision}/{name}", content, etag=f'"{tag}"', headers={"X-Repo-Commit": COMMIT})  # fmt: skip
    for name in ("1_Pooling/config.json", "sentence_bert_config.json"):
        for revision in ("main", COMMIT):
            gone = [status(404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)] * 9
            server.serve(f"/{REPO}/resolve/{revision}/{name}", b"", *gone)


def get(server, home: Path, *more: str, **environment: str) -> dict:
    names = {"HF_ENDPOINT": server.url(""), "HF_HOME": str(home / "hf"), "TUTELAGE_CACHE": str(home / "cache"), "NO_PROXY": "*", "no_proxy": "*"}  # fmt: skip
    done = subprocess.run(
        [TUTELAGE, "teachers", "get", f"hf:{REPO}@main", "--json", *more],
        capture_output=True, text=True, env={**os.environ, **names, **environment}, timeout=300,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout)


def test_an_encoder_is_pinned_and_then_needs_no_connection(tmp_path):
    folder = tiny_bert(tmp_path)
    with running() as server:
        serve(server, folder)
        first = get(server, tmp_path)
        assert first["sha256"] == sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        assert first["revision"] == COMMIT and first["licence"] == "mit"
        asked = len(server.log)
        again = get(server, tmp_path, TUTELAGE_OFFLINE="1", HF_HUB_OFFLINE="1")
        assert again == first and len(server.log) == asked


@pytest.mark.parametrize(("missing", "licence", "kind"), [("tokenizer.json", "mit", "incomplete-encoder"), ("", "cc-by-nc-4.0", "licence")])  # fmt: skip
def test_what_is_refused(tmp_path, missing, licence, kind):
    folder = tiny_bert(tmp_path)
    with running() as server:
        serve(server, folder, licence)
        for path in [p for p in server.files if missing and p.endswith(missing)]:
            server.files[path].faults += [status(404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)] * 9  # fmt: skip
        error = get(server, tmp_path)["error"]
    assert kind in error["kind"]
