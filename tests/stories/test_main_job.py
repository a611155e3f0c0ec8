"""The main job, as a user types it, on real images."""

import importlib
import json
import shutil

import numpy as np
import pytest
from kit import digits, run, told

from tutelage.api import fit_run
from tutelage.files import read_arrays
from tutelage.training.guard import Verdict

FIT_KEYS = {
    "run",
    "student",
    "teacher",
    "mode",
    "cut",
    "because",
    "seconds",
    "test",
    "warnings",
    "split",
    "engine",
    "digest",
    "views",
    "schema",
}
EVALUATE_KEYS = {
    "schema",
    "accuracy",
    "low",
    "high",
    "n",
    "balanced_accuracy",
    "macro_f1",
    "ece",
    "per_class",
}
PREDICT_KEYS = {"schema", "input", "label", "probability", "probabilities", "rejected", "score"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return digits(tmp_path_factory.mktemp("data") / "my photos (1) 🦜")


@pytest.fixture(scope="module")
def fitted(photos, tmp_path_factory):
    return told("fit", photos, "--mode", "deep", "--out", tmp_path_factory.mktemp("out"))


def test_fit_tells_what_the_contract_says(fitted):
    assert set(fitted) >= FIT_KEYS
    assert fitted["schema"] == 1 and fitted["mode"] == "deep"
    assert fitted["cut"] == {"index": 10, "stage": "pool"}
    assert fitted["test"]["accuracy"] > 0.9 and fitted["test"]["low"] < fitted["test"]["accuracy"]
    assert fitted["input"] < 224, "tiny sources need not be blown up"


def test_the_run_folder_has_everything(fitted):
    from pathlib import Path

    names = {path.name for path in Path(fitted["run"]).iterdir()}
    assert names >= {
        "args.json",
        "split.csv",
        "log.jsonl",
        "findings.csv",
        "labels.txt",
        "results.json",
        "report.html",
        "student",
    }
    inside = {path.name for path in Path(fitted["student"]).iterdir()}
    assert inside == {
        "student.safetensors",
        "state.safetensors",
        "golden.safetensors",
        "student.json",
        "lineage.json",
        "results.json",
        "README.md",
    }
    told_inside = (Path(fitted["student"]) / "results.json").read_text() + (
        Path(fitted["student"]) / "lineage.json"
    ).read_text()
    assert ".png" not in told_inside and "my photos" not in told_inside, (
        "the student names the user's files"
    )


def test_a_second_fit_takes_a_new_folder_and_gives_the_same_student(photos, fitted):
    from pathlib import Path

    again = told("fit", photos, "--mode", "deep", "--out", Path(fitted["run"]).parents[1])
    assert again["run"] != fitted["run"] and again["run"].endswith("-2")
    assert again["digest"] == fitted["digest"]
    assert again["counters"]["decoded"] == 0 and again["counters"]["batches"] == 0


def test_a_warm_fit_and_its_evaluation_never_import_torch(photos, fitted, tmp_path):
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['torch'] = None; from tutelage.cli import main; main(sys.argv[1:])"
    )
    done = subprocess.run([sys.executable, "-c", code, "fit", str(photos), "--mode", "deep", "--json", "--out", str(tmp_path)], capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["digest"] == fitted["digest"]


def test_predict_answers_line_by_line_and_alone_as_in_company(photos, fitted):
    files = sorted((photos / "1").glob("*.png"))[:20]
    lines = [
        json.loads(line)
        for line in run("predict", fitted["run"], *files, "--json").stdout.splitlines()
    ]
    assert [set(line) for line in lines] == [PREDICT_KEYS] * 20
    assert [line["input"] for line in lines] == [str(file) for file in files]
    assert sum(line["label"] == "1" for line in lines) >= 18
    alone = json.loads(run("predict", fitted["student"], files[7], "--json").stdout)
    assert alone == lines[7]


def test_predict_goes_on_after_a_broken_input(photos, fitted, tmp_path):
    bad = tmp_path / "broken.png"
    bad.write_bytes(b"")
    good = sorted((photos / "2").glob("*.png"))[:2]
    done = run("predict", fitted["run"], good[0], bad, good[1], "--json", check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [line["label"] for line in lines] == ["2", None, "2"] and "error" in lines[1]


def test_tables_and_csv(photos, fitted):
    files = sorted((photos / "0").glob("*.png"))[:2]
    assert "probability" in run("predict", fitted["run"], *files).stdout
    rows = run("predict", fitted["run"], *files, "--csv").stdout.splitlines()
    assert rows[0] == "input,label,probability,rejected,score,error" and len(rows) == 3


def test_evaluate_on_new_data_and_on_what_it_saw(photos, fitted, tmp_path):
    fresh = told("evaluate", fitted["run"], digits(tmp_path / "fresh", skip=60, each=20))
    assert set(fresh) >= EVALUATE_KEYS and fresh["n"] == 60 and fresh["accuracy"] > 0.9
    assert fresh["warnings"] == []
    seen = told("evaluate", fitted["run"], photos)
    assert any("training data" in warning for warning in seen["warnings"])


def test_evaluate_matches_classes_by_name(fitted, tmp_path):
    data = digits(tmp_path / "other", skip=60, each=10, classes=4)
    for file in (data / "0").iterdir():
        file.unlink()
    (data / "0").rmdir()
    found = told("evaluate", fitted["run"], data)
    assert found["accuracy"] > 0.8 and found["per_class"]["0"]["n"] == 0
    assert any("class 3 is unknown" in w for w in found["warnings"])
    assert any("class 0 has no item" in w for w in found["warnings"])


def test_doctor_replays_the_golden_inputs(fitted):
    examined = told("doctor", fitted["run"])
    assert examined["problems"] == [] and examined["student"]["golden"] == "largest difference 0"


def test_a_student_of_an_absent_device_answers_on_the_processor_and_says_so(fitted, photos, tmp_path):  # fmt: skip
    """Made on the 64th GPU of another machine: what eager PyTorch says here is what it says."""
    folder = shutil.copytree(fitted["run"], tmp_path / "made elsewhere")
    told_of = json.loads((folder / "student/student.json").read_text())
    told_of["engine"].update(name="torch", precision="bf16", device="cuda:63")
    (folder / "student/student.json").write_text(json.dumps(told_of))
    some = sorted(photos.glob("1/*.png"))[:3]
    answered = run("predict", folder, *some, "--json")
    assert "cuda:63, which is not here: torch f32 on cpu stands in" in answered.stderr
    here = run("predict", fitted["run"], *some, "--json")
    assert not here.stderr
    for line, same in zip(answered.stdout.splitlines(), here.stdout.splitlines(), strict=True):
        assert json.loads(line)["label"] == json.loads(same)["label"]
        assert json.loads(line)["probability"] == pytest.approx(json.loads(same)["probability"], abs=1e-3)  # fmt: skip
    assert "stands in" in told("doctor", folder)["student"]["engine"]


def test_check_finds_and_exits(photos, tmp_path):
    assert told("check", photos)["images"] == 90
    data = digits(tmp_path / "bad")
    (data / "1" / "zero.png").write_bytes(b"")
    done = run("check", data, "--json", check=False)
    assert done.returncode == 1
    assert "unreadable" in {f["kind"] for f in json.loads(done.stdout)["findings"]}
    assert "unreadable" in run("check", data, check=False).stdout
    assert run("check", data, "--csv", check=False).stdout.startswith("kind,severity,where,remedy")


def test_the_page_stands_alone(fitted):
    from pathlib import Path

    page = (Path(fitted["run"]) / "report.html").read_text()
    assert "://" not in page and "https://" not in page and "<script" not in page
    assert f"{100 * fitted['test']['accuracy']:.1f} %" in page


def test_a_by_reference_student_leaves_the_trunk_out(fitted, photos, tmp_path):
    import tutelage as tl

    student = tl.load(fitted["run"])
    small = student.save(tmp_path / "small", by_reference=True)
    assert (tmp_path / "small" / "student.safetensors").stat().st_size < 300_000
    files = sorted((photos / "1").glob("*.png"))[:3]
    assert np.array_equal(
        tl.load(tmp_path / "small").predict_proba(files), student.predict_proba(files)
    )
    assert small.facts.by_reference


@pytest.mark.parametrize("mode", ["mid", "full", "scratch"])
def test_the_other_modes(tmp_path, mode):
    photos = digits(tmp_path / "few", each=6 if mode == "scratch" else 12)
    found = told("fit", photos, "--mode", mode, "--out", tmp_path)
    if mode != "scratch":
        assert found["test"]["accuracy"] > 0.6
    else:
        assert found["mode"] == "scratch" and found["cut"] is None
        assert found["parameters"]["trainable"] == found["parameters"]["total"]
    files = sorted((photos / "1").glob("*.png"))[:3]
    first, second = (run("predict", found["run"], *files, "--json").stdout for _ in range(2))
    assert first == second


def test_training_leaves_the_trunk_untouched(tmp_path, lite0, monkeypatch):
    """Parameters and buffers: batch-norm statistics too. The tail ships whatever the guard would say."""
    room = importlib.import_module("tutelage.training.train")
    monkeypatch.setattr(room, "guard", lambda *_: Verdict(True, 0.0, 0.0, ""))
    photos = digits(tmp_path / "ten", classes=5, each=12)
    found = fit_run(photos, freeze="blocks.3", out=tmp_path).results
    assert found["mode"] == "mid" and found["cut"] == {"index": 5, "stage": "blocks.3"}
    saved, original = read_arrays(f"{found['student']}/student.safetensors"), lite0.tensors()
    frozen = set(lite0.card.names[:5])
    trunk = [name for name, owner in lite0.card.owners.items() if owner in frozen]
    assert len(trunk) > 80
    for name in trunk:
        assert saved[f"backbone/{name}"].tobytes() == original[name].tobytes(), name
    tail = [
        n for n, o in lite0.card.owners.items() if o == "blocks.5" and n.endswith("conv_pw.weight")
    ]
    assert any(saved[f"backbone/{n}"].tobytes() != original[n].tobytes() for n in tail)
    statistics = [n for n in original if n.endswith("running_mean")]
    assert all(saved[f"backbone/{n}"].tobytes() == original[n].tobytes() for n in statistics), (
        "statistics moved"
    )


def test_a_time_limit_ends_tuning_and_still_gives_a_student(tmp_path):
    found = told(
        "fit",
        digits(tmp_path / "ten", classes=10),
        "--mode",
        "full",
        "--time-limit",
        "3s",
        "--out",
        tmp_path,
    )
    assert any("time limit" in warning for warning in found["warnings"])
    assert found["test"]["accuracy"] > 0.5 and found["seconds"]["total"] < 30
