"""The three named teachers as files of the true layout, name and hash scheme, served on loopback.

The values are random: what is shown is that such a file is fetched, verified, loaded strictly, cut,
trained on real images in every mode, and saved. Their architecture is torchvision's own.
"""

import csv
import hashlib
import io
import json

import numpy as np
import pytest
import torch
from kit import digits, run, told

from server_kit import running
from tutelage.api import fit_run, load
from tutelage.errors import TeacherError
from tutelage.teachers import Asked, Line, load_teacher
from tutelage.teachers.catalogue import find
from tutelage.teachers.catalogue_own import COLUMNS
from tutelage.teachers.kept import kept_cards
from tutelage.teachers.lockfile import locked
from tutelage.teachers.reading import read_weights

NAMED = {"alexnet": "alexnet-owt", "resnet50": "resnet50", "inception_v3": "inception_v3_google"}
DROPPED = {"alexnet": set(), "resnet50": set(), "inception_v3": {"AuxLogits"}}


def published_file(name: str, seed: int = 0) -> bytes:
    """What the publisher's training script wrote: a state dict, saved by torch.save, random here."""
    from torchvision.models import get_model

    torch.manual_seed(seed)
    given = {} if name != "inception_v3" else {"init_weights": False}
    model = get_model(name, weights=None, **given)
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    return buffer.getvalue()


def own_catalogue(path, rows):
    """Rows that stand in the place of the published ones, but for where the file is."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for name, url, prefix in rows:
            entry = find(name)
            row = {c: getattr(entry, c, "") for c in COLUMNS if c not in ("spec", "default")}
            writer.writerow({**row, "source": url, "file": url.rpartition("/")[2], "prefix": prefix, "spec": entry.preprocessing, "default": "1", "top1": ""})  # fmt: skip
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server with the three files, and a catalogue that points to it."""
    folder = tmp_path_factory.mktemp("world")
    rows = []
    with running() as server, pytest.MonkeyPatch.context() as patch:
        for name, stem in NAMED.items():
            content = published_file(name)
            prefix = hashlib.sha256(content).hexdigest()[:8]
            url = server.serve(f"/models/{stem}-{prefix}.pth", content)
            rows.append((name, url, prefix))
        catalogue = own_catalogue(folder / "own.csv", rows)
        patch.setenv("TUTELAGE_CATALOGUE", str(catalogue))
        yield server, folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return digits(tmp_path_factory.mktemp("photos") / "digits", classes=2, each=12)


@pytest.mark.parametrize("name", NAMED)
def test_a_named_teacher_is_fetched_verified_and_cut(world, name):
    server, _ = world
    sentences = []
    teacher = load_teacher(name, line=Line(tell=sentences.append))
    card = teacher.card
    assert any("Fetching" in s and "127.0.0.1" in s and "MB" in s for s in sentences)
    assert card.licence == "bsd-3-clause" and card.notes == ()
    known = locked(card.name)
    assert known is not None and known.sha256 == card.digest and len(known.sha256) == 64
    published = torch.load(
        io.BytesIO(server.files[f"/models/{find(name).file}"].content), weights_only=True
    )
    kept = teacher.tensors()
    assert set(kept) == set(published)
    assert all(torch.equal(torch.from_numpy(kept[k]), published[k]) for k in published)
    assert {n.split(".")[0] for n, place in card.owners.items() if place == "dropped"} == DROPPED[
        name
    ]
    asked = len(server.log)
    load_teacher(name)
    assert len(server.log) == asked, "what is kept is not fetched again"


CASES = [
    pytest.param(
        name,
        mode,
        marks=[pytest.mark.slow] if mode == "mid" or (mode == "full" and name != "alexnet") else [],
    )
    for name in NAMED
    for mode in ("deep", "mid", "full")
]


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_it_teaches_in_every_mode(world, photos, tmp_path, name, mode):
    fitted = fit_run(
        photos, teacher=name, mode=mode, out=tmp_path, time_limit=20 if name == "alexnet" else 40
    )
    result = fitted.results
    assert result["teacher"].startswith(f"torchvision:{name}")
    log = [json.loads(line) for line in (fitted.run / "log.jsonl").read_text().splitlines()]
    epochs = [r["epoch"] for r in log if r.get("loss") is not None]
    assert bool(epochs) == (mode != "deep"), "its layers were trained"
    if result["mode"] != mode:  # random features: the frozen head may well be the better one
        assert any("frozen head" in w for w in result["warnings"])
    again = load(fitted.run)
    assert again.facts.card.licence == "bsd-3-clause"
    assert np.array_equal(
        again.predict_proba(photos / "0"), fitted.student.predict_proba(photos / "0")
    )


def test_a_flipped_byte_is_refused(world, tmp_path, monkeypatch):
    server, folder = world
    content = bytearray(published_file("alexnet", seed=1))
    prefix = hashlib.sha256(content).hexdigest()[:8]
    content[len(content) // 2] ^= 1
    url = server.serve(f"/models/alexnet-owt-{prefix}.pth", bytes(content))
    monkeypatch.setenv(
        "TUTELAGE_CATALOGUE", str(own_catalogue(folder / "flipped.csv", [("alexnet", url, prefix)]))
    )
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path))
    with pytest.raises(TeacherError) as told_:
        load_teacher("alexnet")
    assert told_.value.kind == "wrong-digest"
    assert not list(kept_cards()) and locked("torchvision:alexnet.IMAGENET1K_V1") is None
    assert not list(tmp_path.rglob("*.pth"))


def test_a_file_that_changed_after_its_first_fetch_is_refused(world, tmp_path, monkeypatch):
    """Without a hash in its name a file is trusted on first use, and must stay what it was."""
    server, folder = world
    buffer = io.BytesIO()
    from torchvision.models import squeezenet1_1

    torch.save(squeezenet1_1(weights=None).state_dict(), buffer)
    url = server.serve("/models/squeezenet.pth", buffer.getvalue())
    monkeypatch.setenv(
        "TUTELAGE_CATALOGUE", str(own_catalogue(folder / "plain.csv", [("squeezenet1_1", url, "")]))
    )
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path))
    first = load_teacher("squeezenet1_1").card
    other = io.BytesIO()
    torch.save(squeezenet1_1(weights=None).state_dict(), other)
    server.serve("/models/squeezenet.pth", other.getvalue(), etag='"v2"')
    for path in [*tmp_path.glob("teachers/*/card.json"), *tmp_path.glob("downloads/*")]:
        path.unlink()
    with pytest.raises(TeacherError) as told_:
        load_teacher("squeezenet1_1")
    assert told_.value.kind == "wrong-digest" and first.digest in str(told_.value)


def test_a_licence_that_is_not_open_is_refused_before_anything_is_fetched(world, monkeypatch):
    server, _ = world
    name = "timm:convnextv2_atto.fcmae_ft_in1k"
    assert find(name).licence == "cc-by-nc-4.0"
    asked = len(server.log)
    with pytest.raises(TeacherError) as told_:
        load_teacher(name)
    assert told_.value.kind == "licence" and "--allow-licence" in told_.value.next
    monkeypatch.setenv("TUTELAGE_OFFLINE", "1")
    with pytest.raises(TeacherError) as told_:
        load_teacher(Asked(name, allow_licence=True))
    assert told_.value.kind == "offline"
    assert len(server.log) == asked


def test_the_hub_by_revision(tmp_path):
    """A repository in timm's layout on a stand-in for the hub, which pins its commit; in a process of its own."""
    import timm
    from safetensors.torch import save

    from tutelage.files import digest_bytes

    torch.manual_seed(0)
    model = timm.create_model("lcnet_035", num_classes=7)
    weights = save(model.state_dict())
    config = {
        "architecture": "lcnet_035", "num_classes": 7, "global_pool": "avg",
        "pretrained_cfg": {"tag": "test", "input_size": [3, 96, 96], "interpolation": "bicubic", "crop_pct": 0.9, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    }  # fmt: skip
    commit = "a" * 40
    files = {
        "config.json": json.dumps(config).encode(),
        "README.md": b"---\nlicense: mit\ntags:\n- image\n---\n# A network\n",
        "model.safetensors": weights,
    }
    with running() as server:
        for name, content in files.items():
            for revision in ("v1", commit):
                server.serve(
                    f"/someone/net/resolve/{revision}/{name}", content, etag=f'"{digest_bytes(content)}"',
                    headers={"X-Repo-Commit": commit},
                )  # fmt: skip
        environment = {
            "HF_ENDPOINT": server.url(""),
            "HF_HOME": str(tmp_path / "hf"),
            "TUTELAGE_CACHE": str(tmp_path / "cache"),
        }
        got = told("teachers", "get", "hf:someone/net@v1", **environment)
        assert (got["revision"], got["licence"]) == (commit, "mit")
        assert got["sha256"] == hashlib.sha256(weights).hexdigest()
        asked = len(server.log)
        photos = digits(tmp_path / "digits", classes=2, each=8)
        result = told(
            "fit",
            photos,
            "--teacher",
            "hf:someone/net@v1",
            "--out",
            tmp_path,
            "--offline",
            **environment,
        )
        assert result["teacher"] == "hf:someone/net@v1" and len(server.log) == asked


def test_what_a_published_file_holds_is_what_was_saved(world):
    server, _ = world
    path = next(iter(server.files))
    from tutelage.teachers.fetch import fetch

    prefix = path.rpartition("-")[2].removesuffix(".pth")
    assert len(read_weights(fetch(server.url(path), prefix=prefix))) > 10
    assert run("teachers", "--cached", "--name", "alexnet").stdout.count("torchvision:alexnet") == 1
