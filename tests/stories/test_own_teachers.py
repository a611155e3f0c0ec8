"""Teachers that a user brings: weight files, code, modules, other channels; offline; and kept classes."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from kit import digits, run, told
from safetensors.torch import save_file
from sklearn.datasets import load_sample_image
from torchvision.models import resnet18, squeezenet1_1

import tutelage as tl
from hostile import plant
from tutelage.api import fit_run
from tutelage.errors import ArtefactError, UsageError
from tutelage.modality import InputSpec
from tutelage.teachers import Asked, load_teacher, teacher_from_module
from tutelage.teachers.permission import remember, require_named

MY_NET = Path(__file__).parent / "my_net.py"

BLOCKED = """
import socket, sys
def blocked(*a, **k):
    raise RuntimeError("a connection was made")
for name in ("connect", "connect_ex", "sendto", "bind"):
    setattr(socket.socket, name, blocked)
socket.getaddrinfo = socket.create_connection = blocked
from tutelage.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return digits(tmp_path_factory.mktemp("photos") / "digits", classes=3, each=30)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A weight file of a small published architecture, random values."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    save_file(squeezenet1_1(weights=None).state_dict(), path)
    return path


def blocked(*arguments: object) -> str:
    """The command line in a process in which every socket refuses to connect."""
    import subprocess

    done = subprocess.run([sys.executable, "-c", BLOCKED, *map(str, arguments)], capture_output=True, text=True, timeout=300)  # fmt: skip
    assert "a connection was made" not in done.stderr
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_offline_makes_no_connection(photos, weights, tmp_path):
    embedded = json.loads(blocked("fit", photos, "--offline", "--out", tmp_path, "--json"))
    assert embedded["teacher"] == "efficientnet_lite0"
    own = json.loads(blocked("fit", photos, "--offline", "--teacher", weights, "--arch", "squeezenet1_1", "--mode", "deep", "--out", tmp_path, "--json"))  # fmt: skip
    assert own["teacher"] == "mine"
    listed = json.loads(blocked("teachers", "--offline", "--json"))
    assert len(listed["teachers"]) > 500


def test_offline_names_the_missing_file_and_its_place(photos, tmp_path):
    done = run("fit", photos, "--offline", "--teacher", "alexnet", "--out", tmp_path, check=False, TUTELAGE_CACHE=str(tmp_path))  # fmt: skip
    assert done.returncode == 1
    assert "alexnet-owt-7be5be79.pth" in done.stderr and str(tmp_path / "downloads") in done.stderr


def test_a_planted_pickle_is_refused(photos, tmp_path):
    plant(tmp_path / "evil.pth", tmp_path / "was_here", "zip")
    done = run("fit", photos, "--teacher", tmp_path / "evil.pth", "--arch", "resnet18", "--out", tmp_path, "--json", check=False)  # fmt: skip
    assert json.loads(done.stdout)["error"]["kind"] == "unsafe-pickle"
    assert done.returncode == 1 and not (tmp_path / "was_here").exists()


def test_a_weight_file_needs_its_architecture_and_is_recognised(photos, weights, tmp_path):
    done = run("fit", photos, "--teacher", weights, "--out", tmp_path, check=False)
    assert done.returncode == 2 and "--arch torchvision:squeezenet1_1" in done.stderr


def test_a_card_beside_the_weights_is_obeyed(weights, tmp_path):
    mine = tmp_path / "net.safetensors"
    shutil.copy(weights, mine)
    (tmp_path / "net.card.json").write_text(
        json.dumps({"name": "ours", "licence": "mit", "spec": {"size": 96, "padding": "same", "mean": [0.5] * 3, "std": [0.5] * 3}})
    )  # fmt: skip
    card = load_teacher(Asked(str(mine), arch="squeezenet1_1")).card
    assert (card.name, card.licence, card.spec.size, card.spec.resize) == ("ours", "mit", 96, 96)
    assert card.architecture == "torchvision:squeezenet1_1?padding=same"
    (tmp_path / "net.card.json").write_text('{"licence": "mit", "colour": "red"}')
    with pytest.raises(Exception, match="it states colour"):
        load_teacher(Asked(str(mine), arch="squeezenet1_1"))


@pytest.mark.parametrize("mode", ["deep", "mid", "full"])
def test_the_users_own_code_teaches_at_its_native_size(photos, tmp_path, mode):
    torch.manual_seed(0)
    sys.path.insert(0, str(MY_NET.parent))
    from my_net import build

    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in build().state_dict().items()}},
        tmp_path / "w.th",
    )
    mine = {"teacher": f"{MY_NET}:build", "weights": str(tmp_path / "w.th")}
    fitted = fit_run(photos, mode=mode, out=tmp_path, **mine)
    assert fitted.results["input"] == 32
    with pytest.raises(ArtefactError, match="--code") as told_:
        tl.load(fitted.run)
    assert told_.value.kind == "own-code"
    again = tl.load(fitted.run, code=MY_NET)
    assert np.array_equal(
        again.predict_proba(photos / "0"), fitted.student.predict_proba(photos / "0")
    )
    if mode == "deep":
        assert (
            len(
                run(
                    "predict", fitted.run, photos / "0", "--json", "--code", MY_NET
                ).stdout.splitlines()
            )
            == 30
        )
    other = tmp_path / "other.py"
    other.write_text(MY_NET.read_text() + "\n# changed\n")
    with pytest.raises(ArtefactError, match="sha256"):
        tl.load(fitted.run, code=other)


@pytest.fixture(scope="module")
def own_teacher():
    """A module with normalisation layers, whose statistics training could move."""
    torch.manual_seed(0)
    module = resnet18(weights=None)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    teacher = teacher_from_module(module, InputSpec(64, 64))
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    return teacher


def test_a_module_from_python(photos, tmp_path, own_teacher):
    student = tl.fit(photos, teacher=own_teacher, freeze="layer3", time_limit=10, out=tmp_path)
    original, tuned = own_teacher.tensors(), student.teacher.tensors()
    if student.facts.mode == "mid":
        frozen = {"conv1", "layer1", "layer2", "layer3"}
        owners = own_teacher.card.owners
        assert all(np.array_equal(original[n], tuned[n]) for n in owners if owners[n] in frozen)
        assert not all(
            np.array_equal(original[n], tuned[n]) for n in owners if owners[n] == "layer4"
        )
    again = tl.load(student.folder, teacher=own_teacher)
    assert np.array_equal(student.predict_proba(photos / "1"), again.predict_proba(photos / "1"))
    with pytest.raises(ArtefactError, match="your_teacher"):
        tl.load(student.folder)
    short = student.save(tmp_path / "short", by_reference=True).folder
    with pytest.raises(ArtefactError, match="refers to ResNet"):
        tl.load(short)
    assert np.array_equal(tl.load(short, teacher=own_teacher).predict_proba(photos / "1"), again.predict_proba(photos / "1"))  # fmt: skip


def test_scratch_knows_nothing_of_a_module_that_comes_with_its_weights(own_teacher):
    torch.manual_seed(1)
    blank, original = own_teacher.build().model.state_dict(), own_teacher.tensors()
    kernels = [n for n in original if original[n].ndim > 1]
    assert kernels and not any(np.array_equal(blank[n].numpy(), original[n]) for n in kernels)
    assert (
        abs(float(np.corrcoef(blank[kernels[5]].flatten(), original[kernels[5]].ravel())[0, 1]))
        < 0.05
    )


def test_an_untraceable_network_teaches_as_features(photos, tmp_path):
    class Choosing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.last = torch.nn.Conv2d(3, 16, 5, 2), torch.nn.Linear(16, 5)

        def forward(self, x):
            x = self.body(x).relu()
            return self.last((x * 2 if x.sum() > 1e9 else x).mean((2, 3)))

    torch.manual_seed(0)
    student = tl.fit(photos, teacher=Choosing(), mode="deep", out=tmp_path)
    card = student.facts.card
    assert card.names == ("features",) and "cannot be cut" in card.notes[0]
    results = json.loads((student.folder.parent / "results.json").read_text())
    assert any("cannot be cut" in warning for warning in results["warnings"])


@pytest.mark.parametrize("channels", [1, pytest.param(2, marks=pytest.mark.slow), 5])
def test_other_channels(tmp_path, weights, channels):
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / "bands" / label).mkdir(parents=True)
        for i in range(12):
            base = rng.integers(0, 60, (40, 48, channels)) + (120 if label == "a" else 20)
            base[:, ::4] += 40 if label == "b" else 0
            np.save(tmp_path / "bands" / label / f"{i}.npy", base.astype(np.uint16))
    mine = {"teacher": str(weights), "arch": "squeezenet1_1", "channels": channels}
    result = fit_run(tmp_path / "bands", mode="mid", out=tmp_path, **mine).results
    assert result["test"]["n"] > 0
    facts = json.loads((Path(result["student"]) / "student.json").read_text())
    assert (
        facts["spec"]["channels"] == channels
        and f"channels={channels}" in facts["card"]["architecture"]
    )
    assert tl.load(result["run"]).predict_proba(tmp_path / "bands" / "a").shape == (12, 2)


def test_kept_classes_stand_beside_the_new_ones(photos, tmp_path):
    result = told("fit", photos, "--keep-classes", "--out", tmp_path)
    assert result["mode"] == "deep"
    student = tl.load(result["run"])
    assert len(student.classes) == 1003 and student.classes[:3] == ("0", "1", "2")
    probabilities = student.predict_proba(photos / "0")
    assert probabilities.shape == (30, 1003) and np.allclose(probabilities.sum(1), 1)
    assert (probabilities.argmax(1) == 0).mean() > 0.9
    foreign = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    assert not {"0", "1", "2"} & set(student.predict(foreign))
    assert run("doctor", result["run"]).returncode == 0


def test_kept_classes_and_tuned_layers_contradict_each_other(photos, tmp_path):
    with pytest.raises(UsageError, match="forget"):
        tl.fit(photos, keep_classes=True, mode="mid", out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_kept_classes_need_a_linear_classifier(photos, weights, tmp_path):
    done = run("fit", photos, "--keep-classes", "--teacher", weights, "--arch", "squeezenet1_1", "--out", tmp_path, "--json", check=False)  # fmt: skip
    assert json.loads(done.stdout)["error"]["kind"] == "no-linear-classifier"


def test_teachers_show_tells_the_stages():
    shown = told("teachers", "show", "resnet18")
    assert [s["stage"] for s in shown["stages"]] == [
        "conv1",
        "layer1",
        "layer2",
        "layer3",
        "layer4",
        "pool",
    ]
    assert shown["stages"][-1]["shape"] == [512] and shown["stages"][-1]["mode"] == "deep"
    assert sum(s["share"] for s in shown["stages"]) == pytest.approx(1)
    assert shown["stages"][1]["bytes"] == 64 * 56 * 56 * 2


def test_teachers_are_filtered():
    rows = told("teachers", "--max-gmacs", "0.5", "--licence", "apache-2.0")["teachers"]
    assert rows and all(r["gmacs"] <= 0.5 and r["licence"].lower() == "apache-2.0" for r in rows)
    assert {"name", "source", "licence", "parameters", "gmacs", "input", "top1", "cached"} <= set(
        rows[0]
    )
    own = next(r for r in rows if r["name"] == "efficientnet_lite0")
    assert own["cached"] and own["parameters"] == pytest.approx(
        4.65e6, rel=0.01
    )  # timm's results table
    assert "efficientnet_lite0" in [r["name"] for r in told("teachers", "--cached")["teachers"]]


def test_a_received_run_does_not_run_code_that_nobody_named_here(photos, tmp_path, monkeypatch):
    """Its args.json may name a file beside it; what was named to ``fit`` on this machine is run again."""
    fitted = told("fit", photos, "--mode", "deep", "--out", tmp_path, "--time-limit", "20s")
    code = tmp_path / "evil.py"
    code.write_text(MY_NET.read_text() + f"\nopen({str(tmp_path / 'ran')!r}, 'w').close()\n")
    args = json.loads((Path(fitted["run"]) / "args.json").read_text())
    args["options"]["teacher"] = f"{code}:build"
    (Path(fitted["run"]) / "args.json").write_text(json.dumps(args))
    for verb in ("compare", "harden", "view"):
        done = run(verb, fitted["run"], "--out", tmp_path, check=False)
        assert done.returncode == 2 and "was not named on this machine" in done.stderr, verb
    assert not (tmp_path / "ran").exists()
    remember(f"x,{code}")
    require_named(f"{code}:build", "auto")
    code.write_text("changed")
    with pytest.raises(UsageError, match="as it is now"):
        require_named(f"{code}:build")
