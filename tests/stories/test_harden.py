"""Harden: a student that inherited less, besieged anew, with its price. On a small network of one's own."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from kit import digits
from security_kit import small_teacher

import tutelage as tl
from tutelage.api import audit, fit_run, harden
from tutelage.errors import UsageError

KEYS = {
    "schema",
    "run",
    "before",
    "after",
    "accuracy",
    "adaptive",
    "reduction",
    "met",
    "verdict",
    "tried",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("harden")


@pytest.fixture(scope="module")
def teacher():
    return small_teacher()


@pytest.fixture(scope="module")
def fitted(place, teacher):
    return fit_run(
        digits(place / "photos", classes=4, each=60), teacher=teacher, mode="deep", out=place
    ).run


@pytest.fixture(scope="module")
def hardened(fitted, place, teacher):
    return harden(fitted, items=24, seeds=2, remedies=["consistency"], out=place, teacher=teacher)


def test_the_contract(hardened, fitted):
    assert hardened["schema"] == 1 and set(hardened) >= KEYS
    assert {"before", "after", "low"} <= set(hardened["accuracy"])
    assert (
        hardened["parent_digest"]
        == hardened["before"]["student_digest"]
        != hardened["student_digest"]
    )
    assert hardened["student_digest"] == hardened["after"]["student_digest"]
    assert len(hardened["accuracy"]["each_seed"]) == 2
    assert not hardened["met"], "two seeds cannot meet the bar"
    assert any("three seeds" in sentence for sentence in hardened["verdict"])


def test_the_student_is_a_whole_artefact(hardened, place, teacher):
    student = tl.load(hardened["run"], teacher=teacher)
    assert student.facts.cut == 0 and student.facts.recipe["remedy"]["name"] == "consistency"
    with open(f"{hardened['run']}/split.csv", newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["part"] == "test"]
    answers = student.predict([place / "photos" / r["name"] for r in rows])
    right = np.mean([a == r["label"] for a, r in zip(answers, rows, strict=True)])
    assert right == pytest.approx(hardened["accuracy"]["each_seed"][0])
    assert (
        json.loads((Path(hardened["run"]) / "results.json").read_text())["student_digest"]
        == student.digest
    )


def test_a_hardened_student_can_be_audited(hardened, place, teacher):
    told = audit(hardened["run"], preset="quick", items=8, teacher=teacher, out=place)
    assert (
        told["inheritance"]["read_cut"] == 0
        and told["student_digest"] == hardened["student_digest"]
    )


def test_adaptive_attacks_are_new_to_the_defence(hardened):
    rows = hardened["adaptive"]
    assert {r["how"] for r in rows} >= {
        "another optimiser",
        "a cut without twins",
        "a budget without twins",
    }
    assert max(r["budget"] for r in rows) == 6.0
    worst = max(r["after"] for r in rows if not r["targeted"] and r["budget"] == 4.0)
    assert hardened["reduction"]["untargeted"]["after"] == worst
    assert all(r["after"] == max(r["each_seed"]) for r in rows)


def test_the_page_tells_the_price(hardened):
    page = (Path(hardened["run"]) / "harden.html").read_text(encoding="utf-8")
    assert "consistency" in page and "<svg" in page and " style=" not in page


def test_what_is_no_fit_is_refused(hardened, place):
    with pytest.raises(Exception, match="finished fit") as caught:
        harden(hardened["run"], out=place)
    assert caught.value.exit_code == 1


def test_an_unknown_remedy_is_refused(fitted, place, teacher):
    with pytest.raises(UsageError, match="consistency"):
        harden(fitted, remedies=["prayer"], out=place, teacher=teacher)
