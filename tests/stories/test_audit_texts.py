"""Audit of a student of texts: edits of characters, as a user types it; a tiny encoder, so that it takes seconds."""

import json

import numpy as np
import pytest
from kit import run, told
from security_kit import asked_twice

from text_kit import fit_reviews
from tutelage.modality.text_edits import allowed, changed_words
from tutelage.modality.text_windows import unpacked
from tutelage.report.audits import render_audit
from tutelage.report.thumbnails import read_pictures
from tutelage.security.control import noise
from tutelage.security.items import choose_items, known_items
from tutelage.security.subject import open_subject

ROW = {"attack", "threat", "cut", "budget", "targeted", "success", "low", "high", "n"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit-texts")
    return folder


@pytest.fixture(scope="module")
def fitted(place, own_cache):
    return fit_reviews(place, each=40)


@pytest.fixture(scope="module")
def audited(fitted, place):
    return told("audit", fitted, "--preset", "quick", "--items", 12, "--out", place)


def test_the_contract_is_that_of_images(audited, fitted, place):
    assert audited["schema"] == 1 and all(set(row) >= ROW for row in audited["rows"])
    assert {r["threat"] for r in audited["rows"]} == {"T0", "T1", "T2", "T3", "control", "accident"}  # fmt: skip
    assert audited["unit"] == " of words" and audited["graded_budget"] == 0.1
    assert {r["attack"] for r in audited["rows"] if r["threat"] == "T1"} == {"copy", "copy away", "mimic"}  # fmt: skip
    assert audited["junk"] is None and audited["provenance"]["verified"]
    assert json.loads((place / "audit" / fitted.name / "results.json").read_text()) == audited


def test_the_tests_of_the_audit_hold(audited):
    failed = [t for t in audited["self_tests"] if not t["passed"]]
    assert not failed and audited["grade"] is not None


def test_the_page_quotes_what_was_made(audited, place, fitted):
    folder = place / "audit" / fitted.name
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page == render_audit(audited, read_pictures(folder))
    assert "0.1 of words" in page and "<script" not in page
    for row in audited["pictures"]:
        assert row["label"] != row["told"]
        before, after = (read_pictures(folder)[row[part]]["text"] for part in ("source", "crafted"))
        assert before in page
        assert 1 <= len(list(changed_words(before, after))) <= allowed(before, 0.1)


def test_windows_are_answered_as_predict_answers_texts(fitted):
    examiner, windows, wanted = asked_twice(fitted, 9)
    assert np.array_equal(examiner.probabilities(windows), wanted)
    assert np.array_equal(examiner.scores(windows)[0], wanted)


def test_noise_is_random_edits_of_the_whole_budget(fitted):
    subject = open_subject(fitted)
    items = choose_items(known_items(fitted, subject.student), subject.student, 9, 0)
    moved = noise(items.windows, 0.2, subject.perturb, 3)
    for before, after in zip(map(unpacked, items.windows), map(unpacked, moved), strict=True):
        assert len(list(changed_words(before, after))) == allowed(before, 0.2)
    assert np.array_equal(moved, noise(items.windows, 0.2, subject.perturb, 3))


def test_a_trigger_stands_in_front_of_every_text_and_knows_no_item(audited, fitted):
    rows = {r["attack"]: r for r in audited["rows"] if r["measure"] == "words in front"}
    assert rows["trigger"]["threat"] == "T0" and rows["trigger"]["budget"] == 3
    assert rows["control: random words"]["threat"] == "control"
    subject = open_subject(fitted)
    spec, perturb = subject.student.facts.spec, subject.perturb
    words = perturb.drawn(spec, 2, 3, np.random.default_rng(0))
    items = choose_items(known_items(fitted, subject.student), subject.student, 4, 0)
    after = [unpacked(w) for w in perturb.joined(words[0], items.windows)]
    assert after == [f"{unpacked(words[0])} {unpacked(w)}" for w in items.windows]
    assert [len(unpacked(w).split()) for w in words] == [3, 3]


def test_candidates_are_refused(fitted, place):
    done = run("audit", fitted, "--candidates", "minilm", "--json", "--out", place, check=False)
    assert json.loads(done.stdout)["error"]["kind"] == "modality-lacks"
