"""Was it worth it: a finished fit against scratch and the other modes, as a user types it."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from kit import digits, run, told

import tutelage as tl
from tutelage.api import fit_run
from tutelage.errors import ArtefactError, DataError

KEYS = {
    "schema", "run", "of", "teacher", "mode", "test", "seeds", "budget", "arms", "gain", "pairs", "speed_up", "data_saved", "reasons",
    "verdict", "warnings", "method",
}  # fmt: skip
ARM = {"mode", "own", "cut", "accuracy", "low", "high", "seconds", "seeds", "shipped", "runs"}
LIMIT = 2.0
QUICK = {"time_limit": LIMIT, "modes": ["deep", "scratch"]}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def photos(place):
    return digits(place / "my photos", each=16)


@pytest.fixture(scope="module")
def fitted(photos, place):
    return fit_run(photos, mode="deep", time_limit=LIMIT, out=place).run


@pytest.fixture(scope="module")
def compared(fitted, place):
    """deep, mid and scratch with two seeds, from the command line."""
    return told("compare", fitted, "--modes", "mid,scratch", "--seeds", 2, "--time-limit", "2s", "--out", place)  # fmt: skip


@pytest.fixture
def copy(compared, fitted, tmp_path):
    """The finished comparison and its fit, to be tampered with: (comparison, fit)."""
    shutil.copytree(fitted, tmp_path / "fit" / "photos")
    folder = shutil.copytree(compared["run"], tmp_path / "compare" / "photos")
    args = json.loads((folder / "args.json").read_text())
    (folder / "args.json").write_text(json.dumps({**args, "run": str(tmp_path / "fit" / "photos")}))
    return folder, tmp_path / "fit" / "photos"


def reported(folder):
    with (folder / "split.csv").open(newline="") as stream:
        return [(r["name"], r["digest"]) for r in csv.DictReader(stream) if r["part"] == "test"]


def judge(folder, verdict):
    """Have every test item judged like that."""
    with (folder / "test_items.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (folder / "test_items.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "correct": verdict} for row in rows)


def test_it_tells_what_the_contract_says(compared, fitted):
    assert set(compared) == KEYS and compared["schema"] == 1 and compared["of"] == str(fitted)
    assert [arm["mode"] for arm in compared["arms"]] == ["deep", "mid", "scratch"]
    for arm in compared["arms"]:
        assert set(arm) == ARM and arm["low"] <= arm["accuracy"] <= arm["high"]
        assert arm["seeds"] == len(arm["runs"]) == (1 if arm["mode"] == "deep" else 2)
        mean = np.mean([r["accuracy"] for r in arm["runs"]])
        assert arm["accuracy"] == pytest.approx(mean) and sum(arm["shipped"].values()) == arm["seeds"]  # fmt: skip
    deep, _, scratch = compared["arms"]
    assert deep["own"] and deep["runs"][0]["run"] == str(fitted), "the fit itself is not run again"
    gain = compared["gain"]
    assert gain["points"] == pytest.approx(100 * (deep["accuracy"] - scratch["accuracy"]))
    assert gain["low"] < gain["points"] < gain["high"] and gain["mode"] == "deep"
    assert len(compared["pairs"]) == 3 and all(p["p_holm"] >= p["p"] for p in compared["pairs"])
    assert compared["data_saved"] is None and "--curve" in compared["reasons"]["data_saved"]
    assert any("Same budget" in sentence for sentence in compared["verdict"])


def test_every_arm_is_a_fit_on_the_same_split(compared, fitted):
    folders = [Path(r["run"]) for arm in compared["arms"] for r in arm["runs"]]
    assert len(set(folders)) == 5
    for folder in folders:
        assert reported(folder) == reported(fitted)
        options = json.loads((folder / "args.json").read_text())["options"]
        assert folder == fitted or options["time_limit"] == LIMIT
    seeds = [json.loads((f / "args.json").read_text())["options"]["seed"] for f in folders]
    assert seeds == [0, 0, 1, 0, 1]
    assert tl.load(folders[1]).classes == ("0", "1", "2")


def test_the_test_items_are_judged_one_by_one(fitted):
    with (fitted / "test_items.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    results = json.loads((fitted / "results.json").read_text())
    assert len(rows) == results["test"]["n"]
    assert np.mean([int(r["correct"]) for r in rows]) == pytest.approx(results["test"]["accuracy"])
    assert all((r["label"] == r["told"]) == (r["correct"] == "1") for r in rows)
    assert all(0 < float(r["probability"]) <= 1 for r in rows)


def test_the_page_and_the_terminal_tell_the_same(compared, copy):
    page = (Path(compared["run"]) / "compare.html").read_text()
    assert "://" not in page and "<script" not in page and "<svg" in page
    assert f"{compared['gain']['points']:+.1f} points" in page
    said = run("compare", "--resume", copy[0]).stdout
    assert compared["verdict"][0].split(".")[0] in said and "compare.html" in said


def test_harm_is_told_and_finished_arms_are_not_run_again(copy):
    folder, fit = copy
    before = sorted((folder / "arms").iterdir())
    judge(fit, 0)
    for arm in before:
        judge(arm, int("scratch" in arm.name))
    harmed = tl.compare(resume=folder)
    assert sorted((folder / "arms").iterdir()) == before
    assert harmed["gain"]["helps"] == "harms" and harmed["gain"]["high"] < 0
    assert harmed["verdict"][0].startswith("Transfer harms here: -100.0 points")
    judge(fit, 1)
    assert any("Tuning harms here: mid" in s for s in tl.compare(resume=folder)["verdict"])


def test_an_interrupted_comparison_goes_on(fitted, tmp_path):
    def stop(event):
        if event.get("phase") == "arms":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as error:
        tl.compare(fitted, seeds=1, out=tmp_path, listener=stop, **QUICK)
    folder = tmp_path / "compare" / fitted.name
    assert error.value.__notes__ == [f"go on with: tutelage compare --resume {folder}"]
    (folder / "arms" / "scratch-seed-0").mkdir(parents=True)
    (folder / "arms" / "scratch-seed-0" / "args.json").write_text("{}")
    done = tl.compare(resume=folder)
    assert done["run"] == str(folder) and done["verdict"]
    assert done["arms"][1]["runs"][0]["run"].endswith("scratch-seed-0-2"), "begun anew"


def test_a_learning_curve_of_scratch(fitted, tmp_path):
    done = tl.compare(fitted, seeds=1, curve=True, out=tmp_path, **QUICK)
    names = {path.name for path in (tmp_path / "compare" / fitted.name / "arms").iterdir()}
    assert names == {"scratch-seed-0", "scratch-seed-0-share-0.25", "scratch-seed-0-share-0.5"}
    assert (done["data_saved"] is None) == ("times as many" not in done["reasons"]["data_saved"])
    assert "add --curve" not in done["reasons"]["data_saved"]


def refused(*arguments, code=1):
    done = run("compare", *arguments, "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)["error"]


def test_bad_input(photos, fitted, compared, tmp_path):
    assert "tutelage fit" in refused(photos)["next"]
    assert refused(fitted, "--modes", "deep,scrach", code=2)["next"].endswith("deep,scratch")
    assert refused(code=2)["kind"] == "no-run"
    with pytest.raises(ArtefactError, match=str(fitted)):
        tl.compare(compared["run"])
    with pytest.raises(ArtefactError, match="no comparison"):
        tl.compare(resume=fitted)
    unfinished = shutil.copytree(fitted, tmp_path / "unfinished")
    (unfinished / "results.json").unlink()
    with pytest.raises(ArtefactError, match=f"tutelage fit --resume {unfinished}"):
        tl.compare(unfinished)


def test_data_from_python_and_a_fit_without_a_test_cannot_be_compared(photos, tmp_path):
    paths = sorted(photos.rglob("*.png"))
    listed = fit_run(paths, [p.parent.name for p in paths], mode="deep", out=tmp_path)
    error = refused(listed.run, code=2)
    assert error["kind"] == "no-source" and "tutelage fit FOLDER" in error["next"]
    blind = fit_run(photos, mode="deep", test_share=0.0, out=tmp_path)
    with pytest.raises(DataError, match="no test part"):
        tl.compare(blind.run)


def test_data_that_changed_since_is_refused(photos, fitted, tmp_path):
    changed = shutil.copytree(fitted, tmp_path / "changed")
    (changed / "split.csv").write_text((changed / "split.csv").read_text().rstrip()[:-4] + "0000\n")
    (changed / "test_items.csv").unlink()
    with pytest.raises(DataError, match="not what it was") as error:
        tl.compare(changed, modes=["deep"], out=tmp_path)
    assert str(photos) in error.value.next
