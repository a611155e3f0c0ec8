"""Texts through the command line: the same verbs, the same laws; a tiny encoder, so that it takes seconds."""

import csv
import json
import subprocess

import numpy as np
import pytest
from kit import TUTELAGE, run, told

import tutelage as tl
from text_kit import reviews, sentences, tiny_bert
from tutelage.api import compare, fit_run
from tutelage.report.thumbnails import read_pictures
from tutelage.student import load


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    tiny_bert(folder)
    reviews(folder / "reviews.csv")
    return folder


@pytest.fixture(scope="module")
def fitted(place, own_cache):
    return fit_run(
        place / "reviews.csv", teacher=str(place / "tiny"), mode="deep", out=place / "runs"
    )


def test_fit_tells_what_it_did(fitted):
    results = fitted.results
    assert results["test"]["accuracy"] > 0.85 and results["mode"] == "deep"
    assert results["cut"] == {"index": 5, "stage": "pool"} and results["views"] == 1
    assert (fitted.run / "report.html").stat().st_size > 2000


@pytest.mark.parametrize("mode", ["mid", "full", "scratch"])
def test_every_mode(place, mode):
    made = fit_run(place / "reviews.csv", teacher=str(place / "tiny"), mode=mode, out=place / "runs")  # fmt: skip
    assert made.results["test"]["accuracy"] > (0.3 if mode == "scratch" else 0.8)
    again = load(made.run)
    texts = ["the rain", sentences("food", 1, 9, 20, 40)[0]]
    assert np.array_equal(again.predict_proba(texts), made.student.predict_proba(texts))
    frozen = made.student.facts.frozen
    teacher = tl.teachers.load_teacher(str(place / "tiny")).tensors()
    own = made.student.teacher.tensors()
    kept = {made.student.facts.card.names.index(o) < frozen for n, o in made.student.facts.card.owners.items() if np.array_equal(own[n], teacher[n]) and n != "tokenizer"}  # fmt: skip
    assert np.array_equal(own["tokenizer"], teacher["tokenizer"])
    assert mode == "scratch" or True in kept or frozen == 0


def test_freeze_up_to_a_layer(place):
    made = fit_run(place / "reviews.csv", teacher=str(place / "tiny"), freeze="layer.2", out=place / "runs")  # fmt: skip
    assert made.student.facts.frozen in (3, 5)  # 5 where the guard shipped the frozen head


def test_what_lies_beside_a_text_changes_nothing(fitted):
    texts = [s for label in ("food", "money") for s in sentences(label, 9, 5, 3, 60)]
    whole = fitted.student.predict_proba(texts)
    backwards = fitted.student.predict_proba(texts[::-1])[::-1]
    alone = np.concatenate([fitted.student.predict_proba([text]) for text in texts])
    assert np.abs(whole - backwards).max() < 1e-5 and np.abs(whole - alone).max() < 1e-5


def test_a_student_needs_no_teacher_beside_it(fitted, place, tmp_path):
    """Another machine: an empty cache, no connection, nothing but the run's folder."""
    texts = ["the sun and the rain", "a loan"]
    want = fitted.student.predict_proba(texts)
    done = run("predict", fitted.run, *texts, "--json", TUTELAGE_CACHE=str(tmp_path / "empty"), TUTELAGE_OFFLINE="1")  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(line["probabilities"].values()) for line in lines] == want.tolist()
    assert not (tmp_path / "empty" / "teachers").exists()


def test_predict_takes_texts_tables_and_standard_input(fitted, place, tmp_path):
    one = run("predict", fitted.run, "rain and snow and fog", "--json")
    line = json.loads(one.stdout)
    assert line["input"] == "rain and snow and fog" and line["label"] == "weather"
    with (tmp_path / "new.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["text"], ["bread and cheese"], ["cash and coin"]])
    table = run("predict", fitted.run, tmp_path / "new.csv", "--json").stdout.splitlines()
    assert [json.loads(line)["label"] for line in table] == ["food", "money"]
    piped = subprocess.run([TUTELAGE, "predict", fitted.run, "--json"], input="bread and cheese\n\ncash and coin\n", text=True, capture_output=True)  # fmt: skip
    assert [json.loads(line)["label"] for line in piped.stdout.splitlines()] == ["food", "money"]


def test_an_empty_text_is_named_and_the_others_are_answered(fitted):
    done = run("predict", fitted.run, "bread", "   ", "cash", "--json", check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1 and [line["label"] for line in lines][1] is None
    assert lines[0]["label"] == "food" and lines[2]["label"] == "money"


def test_documents_in_folders(place, tmp_path):
    for label in ("food", "money"):
        for number, text in enumerate(sentences(label, 25, 3)):
            path = tmp_path / "docs" / label / f"{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (tmp_path / "docs" / "food" / "empty.txt").write_text("")
    made = fit_run(tmp_path / "docs", teacher=str(place / "tiny"), mode="deep", out=tmp_path / "runs")  # fmt: skip
    assert made.results["test"]["accuracy"] > 0.8
    assert any("empty" in warning for warning in made.results["warnings"])
    assert made.student.predict([str(sentences("food", 1, 8)[0])]) == ["food"]


def test_check_advise_evaluate(fitted, place, tmp_path):
    found = told("check", place / "reviews.csv")
    assert found["images"] == 180
    advice = told("advise", place / "reviews.csv", "--teacher", place / "tiny", "--out", tmp_path)
    stages = [row["stage"] for row in advice["table"]]
    assert stages[-1] == "pool" and advice["because"]
    score = told("evaluate", fitted.run, place / "reviews.csv")
    assert score["accuracy"] > 0.85 and any("training data" in w for w in score["warnings"])


def test_compare(fitted, place):
    found = compare(fitted.run, modes=["deep", "scratch"], seeds=1, out=place / "runs")
    assert {arm["mode"] for arm in found["arms"]} == {"deep", "scratch"} and found["gain"]


def test_a_long_text_is_cut_and_that_is_said(place, tmp_path):
    rows = [(t, name) for name in ("food", "money") for t in sentences(name, 20, 4)] + [
        ("bread " * 90, "food")
    ]
    with (tmp_path / "long.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
    made = fit_run(tmp_path / "long.csv", teacher=str(place / "tiny"), mode="deep", out=tmp_path / "runs")  # fmt: skip
    told_ = (made.run / "findings.csv").read_text()
    assert "92 tokens, of which 64 are read" in told_


@pytest.mark.parametrize(("teacher", "source", "kind"), [("efficientnet_lite0", "reviews.csv", "wrong-modality")])  # fmt: skip
def test_a_teacher_of_something_else_is_refused(place, teacher, source, kind):
    done = run("fit", place / source, "--teacher", teacher, "--json", "--out", place / "no", check=False)  # fmt: skip
    assert json.loads(done.stdout)["error"]["kind"] == kind
    assert "minilm" in json.loads(done.stdout)["error"]["next"]


@pytest.mark.parametrize("missing", ["model.safetensors", "tokenizer.json"])
def test_an_incomplete_folder_is_refused(place, tmp_path, missing):
    folder = tiny_bert(tmp_path)
    (folder / missing).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"a pickle, perhaps")
    done = run("fit", place / "reviews.csv", "--teacher", folder, "--json", "--out", tmp_path, check=False)  # fmt: skip
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "incomplete-encoder" and missing in error["given"]


def test_code_in_a_configuration_is_not_run(place, tmp_path):
    folder = tiny_bert(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    config |= {
        "model_type": "evil",
        "auto_map": {"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    done = run("fit", place / "reviews.csv", "--teacher", folder, "--json", "--out", tmp_path, check=False)  # fmt: skip
    assert json.loads(done.stdout)["error"]["kind"] == "unknown-architecture"
    assert not (tmp_path / "ran").exists()


def test_lora_trains_little_and_leaves_nothing_behind(place):
    made = fit_run(place / "reviews.csv", teacher=str(place / "tiny"), freeze="layer.1", lora=True, out=place / "runs")  # fmt: skip
    whole = made.results["parameters"]
    assert whole["trainable"] < 0.3 * whole["total"] and made.results["test"]["accuracy"] > 0.8
    if made.results["mode"] == "mid":  # else the guard shipped the frozen head
        assert made.student.facts.recipe["rank"] == 8
        assert set(made.student.teacher.tensors()) == set(made.student.facts.card.owners)
    again = load(made.run)
    assert np.array_equal(again.predict_proba(["a loan"]), made.student.predict_proba(["a loan"]))


def test_lora_needs_a_tail(place):
    done = run("fit", place / "reviews.csv", "--lora", "--mode", "deep", "--json", check=False)
    assert done.returncode == 2 and json.loads(done.stdout)["error"]["kind"] == "contradiction"


def test_a_student_learns_more_texts_and_forgets_them(fitted, place, tmp_path):
    with (tmp_path / "more.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *((t, "food") for t in sentences("food", 8, 77))])  # fmt: skip
    more = told("fit", tmp_path / "more.csv", "--extend", fitted.run, "--out", tmp_path)
    assert more["change"]["added"] == 8
    less = told("fit", tmp_path / "more.csv", "--forget", more["run"], "--out", tmp_path)
    assert less["change"]["forgotten"] == 8


def test_what_a_teacher_looks_like_inside_costs_no_download(tmp_path):
    shown = told("teachers", "show", "minilm", TUTELAGE_CACHE=str(tmp_path), TUTELAGE_OFFLINE="1")
    assert shown["width"] == 384 and shown["parameters"] == 22_565_376 and not shown["cached"]
    assert [row["stage"] for row in shown["stages"]][-2:] == ["layer.6", "pool"]
    listed = told("teachers", "--name", "minilm", TUTELAGE_CACHE=str(tmp_path))["teachers"]
    assert [(row["name"], row["modality"], row["cached"]) for row in listed] == [("minilm", "text", False)]  # fmt: skip


def test_the_page_shows_what_the_surest_mistakes_look_like(place, tmp_path):
    """Labels at random: there are mistakes, and a repeated text is its copy's nearest."""
    texts = [s for label in ("food", "money") for s in sentences(label, 40, 6)]
    rows = [(text, "ab"[i % 2], "test" if i % 4 == 3 else "train") for i, text in enumerate(texts)]
    with (tmp_path / "noise.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label", "split"), *rows])
    made = fit_run(tmp_path / "noise.csv", teacher=str(place / "tiny"), mode="deep", out=tmp_path / "runs")  # fmt: skip
    found = made.results["neighbours"]
    assert 0 < len(found) <= 8
    for row in found:
        near = row["nearest"]
        assert row["label"] != row["told"] and row["item"].startswith("row ")
        assert [one["similarity"] for one in near] == sorted((one["similarity"] for one in near), reverse=True)  # fmt: skip
        assert all(one["item"].startswith("row ") and one["similarity"] <= 1 + 1e-6 for one in near)
    shown = read_pictures(made.run)
    learned = shown[found[0]["nearest"][0]["item"]]["text"]
    assert learned in texts and learned in (made.run / "report.html").read_text()
    kept = (made.run / "student" / "results.json").read_text()
    assert learned not in kept, "a student carries nobody's texts"
