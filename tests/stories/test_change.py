"""Story: more photos come, a new class comes, and some photos must be forgotten; nothing is fitted anew."""

import csv

import numpy as np
import pytest
from kit import digits, run, told

import tutelage as tl


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
