"""Advice on real images: what it tells, that a fit follows it and computes nothing again, and that budgets are kept."""

import json
import time

import pytest
from kit import digits, run, told


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return digits(tmp_path_factory.mktemp("photos"), classes=3, each=30)


@pytest.fixture(scope="module")
def advice(photos, tmp_path_factory, empty_cache):
    return told("advise", photos, "--out", tmp_path_factory.mktemp("runs"))


def test_it_tells_the_contract(advice):
    assert advice["schema"] == 1 and advice["teacher"] == "efficientnet_lite0"
    assert advice["mode"] in ("deep", "mid", "full") and advice["because"]
    assert {"accuracy", "low", "high"} == set(advice["expected"])
    low, middle, high = (advice["expected"][k] for k in ("low", "accuracy", "high"))
    assert 0 <= low <= middle <= high <= 1
    assert {"value", "gauge", "because"} <= set(advice["similarity"])
    rows = advice["table"]
    assert len(rows) == 4 and sum(row["chosen"] for row in rows) == 1
    chosen = next(row for row in rows if row["chosen"])
    assert (chosen["cut"], chosen["stage"]) == (advice["cut"]["index"], advice["cut"]["stage"])
    for row in rows:
        assert {"stage", "expected", "low", "high", "seconds", "megabytes", "chosen"} <= set(row)
        assert row["chosen"] or row["why_not"]
    prices = [row["seconds"] for row in rows]
    assert prices == sorted(prices, reverse=True) and prices[-1] == 0


def test_the_page_and_the_run_are_there(advice):
    from pathlib import Path

    folder = Path(advice["run"])
    page = (folder / "advice.html").read_text(encoding="utf-8")
    assert "nothing was trained" in page and "://" not in page
    assert json.loads((folder / "results.json").read_text())["mode"] == advice["mode"]
    assert not (folder / "student").exists()


def test_every_stage_is_read_and_the_curve_is_told(advice):
    evidence = advice["evidence"]
    names = [reading["stage"] for reading in evidence["readings"]]
    assert names[0] == "stem" and names[-2:] == ["pool", "all stages"]
    assert 0 <= evidence["headroom"] <= 1 and evidence["curve_told"]


def test_a_fit_follows_it_and_computes_nothing_again(photos, advice, tmp_path):
    fitted = told("fit", photos, "--out", tmp_path)
    assert fitted["because"][: len(advice["because"])] == advice["because"]
    assert not fitted["asked"] and fitted["advice"]["expected"] == advice["expected"]
    assert fitted["counters"]["decoded"] == len(list(photos.glob("*/*"))) - advice["images"]
    assert "evidence" not in fitted["seconds"]


def test_what_the_user_fixes_is_recorded_as_such(photos, tmp_path):
    fitted = told("fit", photos, "--out", tmp_path, "--freeze", "blocks.5")
    assert fitted["asked"] and fitted["because"][0] == "--freeze blocks.5 was given"


def test_several_teachers_are_measured(photos, tmp_path):
    found = told("advise", photos, "--out", tmp_path, "--teachers", "efficientnet_lite0")
    assert found["teacher"] == "efficientnet_lite0"


def test_a_time_limit_is_kept_and_what_it_drops_is_said(photos, tmp_path):
    start = time.monotonic()
    fitted = told("fit", photos, "--out", tmp_path, "--mode", "full", "--time-limit", "15s")
    assert time.monotonic() - start < 15 * 1.1 + 6  # the interpreter starts and ends outside
    assert (tmp_path / "fit").exists() and fitted["student"]


def test_scores_are_columns_for_those_who_want_them(photos, tmp_path):
    done = run("advise", photos, "--out", tmp_path, "--scores", "--json")
    scores = json.loads(done.stdout)["scores"]
    assert {"stage", "logme", "nleep", "hscore"} == set(scores[0]) and len(scores) == 9
