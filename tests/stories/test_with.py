"""A public data set beside the user's own photos: `tutelage fit user/ --with public/`."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from kit import digits, run, told
from PIL import Image


def rows(fitted, part=None):
    with (Path(fitted["run"]) / "split.csv").open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    return [row for row in found if part in (None, row["part"])]


def findings(fitted):
    with (Path(fitted["run"]) / "findings.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The user has 12 of each of three digits; the public set has others of four, and planted copies."""
    root = tmp_path_factory.mktemp("with")
    user = digits(root / "user", each=12)
    public = digits(root / "public" / "train", classes=4, each=20, skip=40)
    digits(root / "public" / "test", classes=4, each=10, skip=80)
    for digit in ("0", "1", "2"):
        for path in sorted((user / digit).iterdir())[:5]:
            shutil.copy(path, public / digit / f"same bytes {path.name}")
    twin = sorted((user / "1").iterdir())[6]
    Image.open(twin).save(public / "1" / "same pixels.bmp")
    shutil.copy(sorted((user / "2").iterdir())[7], public / "0" / "under another label.png")
    return root


@pytest.fixture(scope="module")
def alone(data):
    return told("fit", data / "user", "--mode", "deep", "--out", data / "alone")


@pytest.fixture(scope="module")
def both(data):
    return told("fit", data / "user", "--with", data / "public", "--mode", "deep", "--out", data / "both")  # fmt: skip


def test_the_test_part_is_the_users_own_and_the_same_as_without(alone, both):
    tested = rows(both, "test")
    assert tested == rows(alone, "test") and len(tested) == both["test"]["n"] > 0
    assert not any(row["name"].startswith("with/") for row in tested)


def test_the_public_set_teaches_but_for_the_copies(alone, both):
    taught = {row["name"] for row in rows(both, "train")}
    own = {row["name"] for row in rows(alone, "train")}
    assert {name for name in taught if not name.startswith("with/")} == own
    assert len(taught) - len(own) == 4 * 30, "its train and its test part"
    digests = {row["digest"] for row in rows(alone)}
    assert not digests & {row["digest"] for row in rows(both) if row["name"] in taught - own}
    aside = [row["name"] for row in rows(both, "aside: copy-of-own")]
    assert len(aside) == 3 * 5 + 2 and both["split"]["set_aside"] == 17
    assert "with/train/1/same pixels.bmp" in aside


def test_what_was_left_out_is_said(both):
    said = {row["kind"]: row for row in findings(both)}
    assert said["copy-of-own"]["where"].count("with/train/") == 17
    assert "with/train/0/under another label.png" in said["label-conflict"]["where"]
    assert "3" in said["class-missing"]["where"], "only the public set has it"
    assert any(warning.startswith("copy-of-own") for warning in both["warnings"])


def test_it_helps_and_the_student_knows_the_public_sets_classes_too(alone, both, data):
    assert both["test"]["accuracy"] >= alone["test"]["accuracy"]
    assert (Path(both["run"]) / "labels.txt").read_text().split() == ["0", "1", "2", "3"]
    asked = json.loads((Path(both["run"]) / "args.json").read_text())["options"]
    assert asked["companion"] == str(data / "public") and asked["channels"] == 3


def test_tuning_goes_through_too(data):
    fitted = told(
        "fit", data / "user", "--with", data / "public", "--freeze", "blocks.5", "--out", data / "tuned",
        "--time-limit", "60s",
    )  # fmt: skip
    assert fitted["test"]["accuracy"] > 0.8


def test_a_public_set_that_is_not_there(data):
    done = run("fit", data / "user", "--with", data / "publik", "--json", check=False)
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 2 and error["kind"] == "no-such-path" and "public" in error["next"]


def test_other_channels_are_an_option(data):
    done = run("fit", data / "user", "--channels", "0", check=False)
    assert done.returncode == 2 and "--channels" in done.stderr
