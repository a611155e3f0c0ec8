"""Audit: which weaknesses a student inherited, as a user types it."""

import json

import numpy as np
import pytest
from kit import digits, run, told
from security_kit import asked_twice

from tutelage.api import audit, fit_run
from tutelage.errors import UsageError
from tutelage.report.audits import render_audit
from tutelage.report.thumbnails import read_pictures
from tutelage.security.figures import gradable

KEYS = {"grade", "rows", "gap", "ratio", "seconds"}
ROW = {"attack", "threat", "cut", "budget", "targeted", "success", "low", "high", "n"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def photos(place):
    return digits(place / "photos", each=40)


@pytest.fixture(scope="module")
def fitted(photos, place):
    return fit_run(photos, mode="deep", out=place).run


@pytest.fixture(scope="module")
def audited(fitted, place):
    return told("audit", fitted, "--preset", "quick", "--items", 10, "--out", place)


def test_the_contract(audited, fitted, place):
    assert audited["schema"] == 1 and set(audited) >= KEYS
    assert all(set(row) >= ROW for row in audited["rows"])
    assert audited["student_digest"] and audited["teacher_digest"]
    kept = json.loads((place / "audit" / fitted.name / "results.json").read_text())
    assert kept == audited
    assert {r["threat"] for r in audited["rows"]} == {"T0", "T1", "T2", "T3", "control", "accident"}
    assert (
        audited["inheritance"]["mode"] == "deep"
        and audited["inheritance"]["read_cut"] == audited["cut"]["index"]
    )
    assert audited["provenance"]["verified"] and not audited["provenance"]["findings"]


def test_the_same_seed_tells_the_same_and_the_exit_code_keeps_the_line(audited, fitted, place):
    done = run(
        "audit", fitted, "--preset", "quick", "--items", 10, "--out", place, "--json", "--fail-above", "low", check=False,
    )  # fmt: skip
    again = json.loads(done.stdout)
    assert {k: v for k, v in again.items() if k != "seconds"} == {
        k: v for k, v in audited.items() if k != "seconds"
    }
    assert audited["indicative"]
    assert done.returncode == (0 if audited["grade_range"][1] == "low" else 1)
    assert sorted(p.name for p in (place / "audit").iterdir())[:2] == [
        fitted.name,
        f"{fitted.name}-2",
    ]


@pytest.mark.parametrize(
    ("found", "line", "kept"),
    [
        ("low", "low", True),
        ("high", "high", True),
        ("critical", "high", False),
        (None, "critical", False),
    ],
)
def test_a_line_is_kept_by_grades_no_worse_and_never_without_one(found, line, kept):
    assert gradable({"grade": found, "indicative": False}, line) is kept


def test_of_a_range_the_worse_end_must_keep_the_line():
    told = {"grade": "low", "indicative": True, "grade_range": ["low", "high"]}
    assert gradable(told, "high") and not gradable(told, "medium")


def test_no_budget_is_exceeded_and_mimicry_gets_nearer(audited):
    mimicry = [r for r in audited["rows"] if r["attack"] == "mimic"]
    assert mimicry and all(0 <= r["residual"] < 1 for r in mimicry)
    assert all(r["low"] <= r["success"] <= r["high"] for r in audited["rows"])


def test_the_page_tells_the_grade_and_its_rule(audited, place, fitted):
    folder = place / "audit" / fitted.name
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert audited["grade_rule"].split(":")[0] in page and "<svg" in page
    assert " style=" not in page and "<script" not in page and "://" not in page
    assert page == render_audit(audited, read_pictures(folder))


def test_a_control_must_be_another_network(fitted, place):
    with pytest.raises(UsageError, match="own teacher"):
        audit(fitted, preset="quick", items=6, control="efficientnet_lite0", out=place)


def test_windows_are_answered_as_predict_answers_files(fitted):
    examiner, windows, wanted = asked_twice(fitted, 8)
    assert np.array_equal(examiner.probabilities(windows), wanted)
    assert np.array_equal(examiner.scores(windows)[0], wanted)
