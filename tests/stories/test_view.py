"""What the layers see, and why an answer, as a user types it."""

import base64
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from kit import digits, run, told
from PIL import Image

from tutelage import api
from tutelage.api import fit_run, load
from tutelage.errors import ArtefactError, UsageError
from tutelage.report.again import about, finished
from tutelage.report.page import render
from tutelage.report.thumbnails import read_pictures
from tutelage.viewing.answer import answer_of
from tutelage.viewing.explain import Explainer

KEYS = {
    "schema", "run", "of", "teacher", "teacher_digest", "student_digest", "mode", "cut", "images", "classes", "input", "stages",
    "rule", "synthesis", "filters", "warnings", "seconds",
}  # fmt: skip
STAGE = {"name", "number", "frozen", "channels", "map", "field", "separability", "reading", "cka", "moved", "picked"}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("view")


@pytest.fixture(scope="module")
def photos(place):
    return digits(place / "photos", each=14)


@pytest.fixture(scope="module")
def fitted(photos, place):
    """A student whose last stages were tuned."""
    return fit_run(photos, freeze="blocks.5", time_limit=6, out=place)


@pytest.fixture(scope="module")
def atlas(fitted, place):
    return told("view", fitted.run, "--channels", 2, "--patches", 3, "--steps", 2, "--items", 30, "--out", place)  # fmt: skip


def picture(text):
    return Image.open(io.BytesIO(base64.b64decode(text.removeprefix("data:image/webp;base64,"))))


def test_it_tells_what_the_contract_says(atlas, fitted):
    assert set(atlas) == KEYS and atlas["schema"] == 1 and atlas["of"] == str(fitted.run)
    assert atlas["student_digest"] == fitted.student.digest and atlas["images"] == 30
    assert [row["name"] for row in atlas["stages"]] == list(fitted.student.facts.card.names)
    for row in atlas["stages"]:
        assert set(row) == STAGE and 0 <= row["separability"] <= 1
        assert len(row["picked"]) == 2 and row["picked"][0]["answers_to"] in ("0", "1", "2")
    assert atlas["cut"] == fitted.results["cut"] and atlas["mode"] == fitted.results["mode"]


def test_frozen_stages_are_the_teachers_and_later_ones_moved(atlas, fitted):
    student, teacher = fitted.student, api.load(fitted.run).facts.card
    assert student.facts.card.digest == teacher.digest == atlas["teacher_digest"]
    for row in atlas["stages"]:
        if row["frozen"]:
            assert row["moved"] == 0 and row["cka"] == 1
    tuned = [row for row in atlas["stages"] if not row["frozen"]]
    assert len(tuned) == 10 - student.facts.frozen
    # of the epochs the untuned one may be the best: test_viewing_figures moves weights itself
    for row in tuned:
        assert 0 < row["cka"] <= 1.000001 and row["moved"] >= 0
        assert row["name"] != "pool" or row["moved"] == 0


def test_the_accuracies_along_depth_are_the_decisions_own(photos, place):
    advised = fit_run(photos, out=place, name="advised")
    seen = api.view(advised.run, quick=True, channels=1, items=12, out=place)
    decided = {r["stage"]: r for r in advised.results["advice"]["evidence"]["readings"]}
    shown = {row["name"]: row["reading"] for row in seen["stages"] if row["reading"]}
    assert shown and all(reading == decided[name] for name, reading in shown.items())
    alone = api.view(photos, teacher="auto", quick=True, channels=1, items=12, out=place)
    assert alone["of"] is None and alone["student_digest"] is None and alone["synthesis"] is None
    assert {r["name"]: r["reading"] for r in alone["stages"] if r["reading"]} == shown


def test_pictures_and_the_page(atlas):
    folder = Path(atlas["run"])
    pictures = read_pictures(folder)
    named = [name for row in atlas["stages"] for c in row["picked"] for name in c["pictures"].values()]  # fmt: skip
    assert {*named, "filters"} == set(pictures) and len(named) == 9 * 2 * 2
    assert all(picture(told["picture"]).format == "WEBP" for told in pictures.values())
    page = (folder / "report.html").read_text()
    assert "illustration, not evidence" in page and "://" not in page
    assert page.count("data:image/webp") == len(pictures) and "<script" not in page
    assert atlas["synthesis"] == {"size": 128, "steps": 2, "seed": 0, "is": "illustration, not evidence"}  # fmt: skip


def test_the_report_of_the_fit_has_the_atlas(atlas, fitted):
    fit = finished(fitted.run)
    beside = about(fitted.run, fit)
    assert beside["view"]["results"]["student_digest"] == atlas["student_digest"]
    page = render(fit, read_pictures(fitted.run), beside)
    assert page.count('<section id="atlas">') == 1 and "illustration, not evidence" in page


def test_patches_are_cut_from_what_the_network_saw(atlas, fitted, photos):
    stem = atlas["stages"][0]
    patch = stem["picked"][0]["patches"][0]
    assert (photos / patch["item"]).exists()
    left, top, right, bottom = patch["box"]
    assert 0 <= left < right <= atlas["input"] and 0 <= top < bottom <= atlas["input"]
    values = [p["value"] for p in stem["picked"][0]["patches"]]
    assert values == sorted(values, reverse=True)


def test_the_same_seed_gives_the_same_pictures_and_one_stage_can_be_asked_for(fitted, place):
    dials = {"stages": ["blocks.1"], "channels": 1, "steps": 2, "items": 12, "out": place}
    runs = [api.view(fitted.run, seed=seed, **dials) for seed in (0, 0, 1)]
    first, again, other = (read_pictures(Path(r["run"])) for r in runs)
    assert first == again and first != other
    assert {name.split("/")[0] for name in first} == {"blocks.1", "filters"}


def test_the_answer_is_what_predict_says(fitted, photos):
    paths = sorted(photos.rglob("*.png"))[:6]
    student = load(fitted.run)
    modality, spec = student.teacher.modality, student.facts.spec
    batch = modality.collate([modality.augment(modality.decode(p, spec), spec, None) for p in paths])  # fmt: skip
    x = student.teacher.prepare(spec)({"x": torch.from_numpy(batch["x"])})["x"]
    with torch.no_grad():
        ours = answer_of(student)(x).softmax(1).numpy()
    assert np.abs(ours - student.predict_proba(paths)).max() < 0.03, "but for rounding at the cut"


def test_explain_writes_a_picture_beside_each_answer(fitted, photos, tmp_path):
    paths = sorted(photos.rglob("*.png"))[:2]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    done = run("predict", fitted.run, paths[0], broken, paths[1], "--explain", "--json", "--out", tmp_path, check=False)  # fmt: skip
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[1]["explanation"] is None and "error" in lines[1]
    for line in (lines[0], lines[2]):
        why = line["explanation"]
        assert why["of"] == line["label"] and why["method"] == "grad-cam"
        assert why["stage"] in fitted.student.facts.card.names
        assert Image.open(why["picture"]).size == (648, 320)
    folder = Path(lines[0]["explanation"]["picture"]).parent
    kept = json.loads((folder / "results.json").read_text())
    assert kept["predictions"] == lines and kept["student_digest"] == fitted.student.digest
    said = run("predict", fitted.run, paths[0], "--explain", "--out", tmp_path).stdout
    assert f"pictures: {tmp_path / 'predict'}" in said.replace("\n", "")


def test_integrated_gradients_add_up(fitted, photos):
    student = load(fitted.run)
    decoded = student.teacher.modality.read(sorted(photos.rglob("*.png"))[0])
    why = Explainer(student, "integrated-gradients").why(decoded, "0")
    assert why.heat.shape == (28, 28) and why.heat.min() >= 0 and why.heat.max() > 0
    assert (
        0 <= why.missing < 1 and why.stage is None
    )  # the sum itself is held to captum's in test_viewing_attribution


def test_bad_input(fitted, photos, tmp_path):
    with pytest.raises(UsageError, match=r"blocks\.33") as error:
        api.view(fitted.run, stages=["blocks.33"], out=tmp_path)
    assert "--stage blocks.3" in error.value.next
    with pytest.raises(ArtefactError):
        api.view(photos, out=tmp_path)
    with pytest.raises(UsageError, match="grad-cam"):
        list(api.explain(fitted.run, photos, method="lime", out=tmp_path))
    pathless = shutil.copytree(fitted.run, tmp_path / "pathless")
    args = json.loads((pathless / "args.json").read_text())
    (pathless / "args.json").write_text(json.dumps({**args, "source": None}))
    with pytest.raises(UsageError, match="came from Python") as error:
        api.view(pathless, out=tmp_path)
    assert f"tutelage view {pathless} PHOTOS" in error.value.next
    with pytest.raises(ArtefactError, match=r"no results\.json"):
        (pathless / "results.json").unlink()
        api.view(pathless, out=tmp_path)
