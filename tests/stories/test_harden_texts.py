"""Harden a student of texts: what was edited is restored before it is read. A tiny encoder, so that it takes seconds."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kit import run

from text_kit import fit_reviews
from tutelage.api import harden
from tutelage.errors import NotYetError
from tutelage.security.harden_story import mendable
from tutelage.security.subject import open_subject
from tutelage.student import load


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("harden-texts")
    return folder


@pytest.fixture(scope="module")
def fitted(place, own_cache):
    return fit_reviews(place, each=50)


@pytest.fixture(scope="module")
def hardened(fitted, place):
    return harden(fitted, items=10, remedies=["restoring and edited views"], out=place)


def test_what_adversaries_did_is_undone(hardened):
    reduced = hardened["reduction"]["untargeted"]
    assert reduced["before"] > 0 and reduced["after"] <= 0.5 * reduced["before"]
    assert hardened["accuracy"]["difference"] >= -0.02 and hardened["accuracy"]["seeds"] == 3
    assert hardened["remedy"]["restore"] and hardened["remedy"]["views"] == 4


def test_adversaries_know_what_is_restored(hardened):
    told = {row["how"] for row in hardened["adaptive"]}
    aware = {how for how in told if how.endswith("crafted on what is restored")}
    assert aware and len(told - aware) == len(aware)


def test_the_student_restores_wherever_it_is_loaded(hardened, fitted):
    student, parent = load(hardened["run"]), load(fitted)
    assert student.facts.spec.restored and not parent.facts.spec.restored
    assert student.facts.mode == "deep" and student.facts.recipe["parent"] == parent.digest
    spoiled, plain = "the snwo and the r\u0430in", "the snow and the rain"
    assert np.array_equal(student.predict_proba([spoiled]), student.predict_proba([plain]))
    assert not np.array_equal(parent.predict_proba([spoiled]), parent.predict_proba([plain]))
    done = run("predict", hardened["run"], spoiled, "--json")
    assert list(json.loads(done.stdout)["probabilities"].values()) == student.predict_proba([plain])[0].tolist()  # fmt: skip


def test_the_page_tells_the_price(hardened):
    page = (Path(hardened["run"]) / "harden.html").read_text(encoding="utf-8")
    assert "restoring and edited views" in page and "crafted on what is restored" in page


def test_a_tuned_student_is_refused(fitted):
    subject = open_subject(fitted)
    facts = replace(subject.student.facts, mode="mid", cut=2)
    with pytest.raises(NotYetError, match="tuned student"):
        mendable(replace(subject, student=replace(subject.student, facts=facts)))
