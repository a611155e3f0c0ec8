"""Story: more photos come, a new class comes, and some photos must be forgotten; nothing is fitted anew."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kit import digits, run, told

import tutelage as tl
from tutelage.api import fit_run
from tutelage.errors import UsageError
from tutelage.heads.spanned import Spanned
from tutelage.report.change import grouped_by
from tutelage.student.change import require_exact
from tutelage.training.budget import Plan


@pytest.fixture(scope="module")
def base(tmp_path_factory, empty_cache):
    root = tmp_path_factory.mktemp("change")
    photos = digits(root / "photos", classes=3, each=30)
    fitted = told("fit", photos, "--mode", "deep", "--out", root / "runs")
    return root, photos, fitted


def register(results):
    with open(results["run"] + "/split.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_new_class_and_new_photos_are_learned_without_looking_at_the_old_ones(base):
    root, photos, fitted = base
    new = digits(root / "new", classes=4, each=12, skip=30)
    away = photos.rename(root / "away")  # whatever is read of the old photos is not needed
    try:
        change = told("fit", new, "--extend", fitted["run"], "--out", root / "runs")
    finally:
        away.rename(photos)
    assert change["change"]["added"] == 48 and change["change"]["new_classes"] == ["3"]
    assert change["counters"]["decoded"] == 48
    assert change["test"]["n"] == fitted["test"]["n"]
    assert change["run"] != fitted["run"]
    student = tl.load(change["run"])
    assert student.classes == ("0", "1", "2", "3")
    threes = sorted((digits(root / "later", classes=4, each=20, skip=60) / "3").glob("*.png"))
    assert np.mean([label == "3" for label in student.predict(threes)]) > 0.5
    parent = tl.load(fitted["run"])
    assert parent.classes == ("0", "1", "2")
    assert change["change"]["parent"] == parent.digest
    rows = register(change)
    assert sum(row["part"] == "train" for row in rows) == fitted["split"]["train"] + 48
    again = run("fit", new, "--extend", change["run"], "--out", root / "runs", check=False)
    assert again.returncode != 0 and "48 are known to it already" in again.stderr


def test_what_was_added_and_forgotten_leaves_no_trace(base):
    root, _, fitted = base
    new = digits(root / "some", classes=2, each=5, skip=50)
    added = told("fit", new, "--extend", fitted["run"], "--out", root / "runs")
    gone = told("fit", new, "--forget", added["run"], "--out", root / "runs")
    one, two = tl.load(fitted["run"]), tl.load(gone["run"])
    np.testing.assert_allclose(two.head.weight, one.head.weight, rtol=1e-5, atol=1e-8)
    assert not np.allclose(tl.load(added["run"]).head.weight, one.head.weight, rtol=1e-4, atol=1e-6)
    rows = register(gone)
    assert sum(row["part"] == "forgotten" for row in rows) == 10


def test_the_test_part_stays_unlearned_and_what_cannot_be_changed_says_why(base):
    root, photos, fitted = base
    refused = run("fit", photos, "--extend", fitted["run"], "--out", root / "runs", check=False)
    assert "are in its test part" in refused.stderr and "are known to it already" in refused.stderr
    few = digits(root / "few", classes=2, each=8)
    tuned = told("fit", few, "--mode", "scratch", "--time-limit", "12s", "--out", root / "runs")
    refused = run("fit", photos, "--extend", tuned["run"], "--out", root / "runs", check=False)
    assert refused.returncode != 0 and "its last layers are tuned" in refused.stderr
    refused = run("fit", photos, "--extend", fitted["run"], "--mode", "mid", check=False)
    assert "--mode" in refused.stderr and refused.returncode != 0


def test_a_class_is_never_emptied(base):
    root, photos, fitted = base
    refused = run("fit", photos, "--forget", fitted["run"], "--out", root / "runs", check=False)
    assert refused.returncode != 0 and "would have no item left" in refused.stderr


def test_what_was_learned_twice_is_forgotten_twice_and_leaves_no_picture(tmp_path):
    """A copy is a row of the sums too; a forgotten photo is no golden input either."""
    photos = digits(tmp_path / "photos", classes=2, each=12)
    learned = sorted((photos / "0").iterdir())
    for path in learned:
        shutil.copy(path, path.with_name(f"copy-{path.name}"))
    fitted = told("fit", photos, "--mode", "deep", "--out", tmp_path)
    train = {row["name"]: row["digest"] for row in register(fitted) if row["part"] == "train"}
    gone = next(p for p in learned if p.relative_to(photos).as_posix() in train)
    digest = train[gone.relative_to(photos).as_posix()]
    (tmp_path / "gone" / "0").mkdir(parents=True)
    shutil.copy(gone, tmp_path / "gone" / "0")
    parent = tl.load(fitted["run"])
    after = told("fit", tmp_path / "gone", "--forget", fitted["run"], "--out", tmp_path)
    student = tl.load(after["run"])
    assert list(train.values()).count(digest) == 2 and after["change"]["forgotten"] == 2
    before = Spanned.from_arrays(parent.statistics).statistics.count
    now = Spanned.from_arrays(student.statistics).statistics.count
    views = parent.facts.recipe["views"]
    assert (before - now).tolist() == [2 * views, 0]
    held = len(parent.golden["probabilities"])
    seen = sum(d == digest for d in list(train.values())[:held])
    assert seen and len(student.golden["probabilities"]) == held - seen
    assert run("doctor", after["run"]).returncode == 0


def test_all_golden_inputs_may_have_to_go(tmp_path):
    photos = digits(tmp_path / "photos", classes=2, each=30)
    fitted = told("fit", photos, "--mode", "deep", "--out", tmp_path)
    rows = [row for row in register(fitted) if row["part"] == "train"][:10]
    for row in rows:
        (tmp_path / "gone" / row["label"]).mkdir(parents=True, exist_ok=True)
        shutil.copy(photos / row["name"], tmp_path / "gone" / row["label"])
    after = told("fit", tmp_path / "gone", "--forget", fitted["run"], "--out", tmp_path)
    assert not len(tl.load(after["run"]).golden["probabilities"])
    asked = run("doctor", after["run"], check=False)
    assert asked.returncode == 1 and "golden" in asked.stdout + asked.stderr


def test_nothing_tied_to_the_test_part_is_learned_later(tmp_path):
    """A copy that was left out as a leak; another photo of a patient who is tested on."""
    photos = tmp_path / "photos"
    digits(photos / "test", classes=2, each=8)
    digits(photos / "train", classes=2, each=20, skip=8)
    leak = sorted((photos / "test" / "0").iterdir())[0]
    shutil.copy(leak, photos / "train" / "0" / "leak.png")
    fitted = told("fit", photos, "--mode", "deep", "--out", tmp_path)
    (tmp_path / "more" / "0").mkdir(parents=True)
    shutil.copy(leak, tmp_path / "more" / "0")
    refused = run(
        "fit", tmp_path / "more", "--extend", fitted["run"], "--out", tmp_path, check=False
    )
    assert refused.returncode != 0 and "in its test part" in refused.stderr

    flat = digits(tmp_path / "flat", classes=2, each=24)
    for number, path in enumerate(sorted(flat.rglob("*.png"))):
        path.rename(path.with_name(f"p{number % 6}-{path.name}"))
    pattern = "(p\\d+)-"
    grouped = told("fit", flat, "--mode", "deep", "--group-by", pattern, "--out", tmp_path)
    parts = {row["name"].split("/")[1].split("-")[0]: row["part"] for row in register(grouped)}
    tested, learned = (next(p for p, part in parts.items() if part == asked) for asked in ("test", "train"))  # fmt: skip
    new = digits(tmp_path / "new", classes=1, each=2, skip=60)
    for path, patient in zip(sorted(new.rglob("*.png")), (tested, learned), strict=True):
        path.rename(path.with_name(f"{patient}-{path.name}"))
    change = told("fit", new, "--extend", grouped["run"], "--out", tmp_path)
    assert change["change"]["added"] == 1 and any("test part" in w for w in change["warnings"])
    assert grouped_by(Path(change["run"])) == pattern


def test_a_val_part_that_is_reported_is_scored_again(tmp_path):
    photos = tmp_path / "photos"
    digits(photos / "val", classes=2, each=8)
    digits(photos / "train", classes=2, each=20, skip=8)
    fitted = told("fit", photos, "--mode", "deep", "--out", tmp_path)
    new = digits(tmp_path / "new", classes=2, each=3, skip=60)
    change = told("fit", new, "--extend", fitted["run"], "--out", tmp_path)
    assert change["test"]["n"] == fitted["test"]["n"] == 16


def test_rows_that_time_left_are_the_rows_that_are_forgotten(tmp_path, monkeypatch):
    """Views that were dropped for time are in no sum."""
    photos = digits(tmp_path / "photos", classes=2, each=16)
    plain = fit_run(photos, mode="deep", out=tmp_path)
    assert plain.student.facts.recipe["views"] == 2
    monkeypatch.setattr("tutelage.training.lesson.fit_to_time", lambda parts, *rest: Plan(parts, 1))
    hurried = fit_run(photos, mode="deep", out=tmp_path, time_limit=60)
    assert hurried.student.facts.recipe["views"] == 1
    count = Spanned.from_arrays(hurried.student.statistics).statistics.count
    assert count.sum() == hurried.results["split"]["train"]


def test_forgetting_needs_the_engine_that_learned(base):
    student = tl.load(base[2]["run"])
    elsewhere = replace(student, facts=replace(student.facts, engine=replace(student.facts.engine, name="torch", device="cuda")))  # fmt: skip
    require_exact(elsewhere)
    with pytest.raises(UsageError, match="stands in"):
        require_exact(elsewhere, forget=True)
