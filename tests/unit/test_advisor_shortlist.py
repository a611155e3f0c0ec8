"""The shortlist: what ``--teachers`` names, and what ``auto`` stands for."""

import pytest

from tutelage.advisor import shortlist
from tutelage.advisor.shortlist import parse_teachers
from tutelage.errors import UsageError
from tutelage.modality.images import IMAGES
from tutelage.teachers import DEFAULT, Asked
from tutelage.teachers.lockfile import Locked
from tutelage.teachers.shelf import Row


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("resnet50", [Asked("resnet50")]),
        (" alexnet ,resnet50, alexnet,", [Asked("alexnet"), Asked("resnet50")]),
        ("efficientnet_lite0,timm:resnet18", [Asked("efficientnet_lite0"), Asked("timm:resnet18")]),
        ("w.pth:mobilenet_v2", [Asked("w.pth", arch="mobilenet_v2")]),
        ("a/w.fp16.pth:timm:convnext_tiny?padding=same", [Asked("a/w.fp16.pth", arch="timm:convnext_tiny?padding=same")]),
        ("my.pt.d/w.safetensors", [Asked("my.pt.d/w.safetensors")]),
        ("net.py:build", [Asked("net.py:build")]),
        ("w.th:net.py:build", [Asked("net.py:build", weights="w.th")]),
        ("hf:timm/resnet18.a1_in1k@main", [Asked("hf:timm/resnet18.a1_in1k@main")]),
    ],
)  # fmt: skip
def test_names(text, wanted):
    assert list(parse_teachers(text)) == wanted


def test_what_holds_for_all_is_passed_on_and_what_is_of_one_is_not():
    base = Asked("x", weights="w", arch="a", card="c", allow_licence=True, channels=1)
    assert parse_teachers("w.pth:alexnet", base) == (
        Asked("w.pth", arch="alexnet", allow_licence=True, channels=1),
    )


@pytest.mark.parametrize("text", ["", " , "])
def test_no_name_is_refused(text):
    with pytest.raises(UsageError) as told:
        parse_teachers(text)
    assert told.value.kind == "no-teachers"


def test_a_misspelt_name_is_refused_before_anything_is_fetched():
    with pytest.raises(UsageError, match="resnet50"):
        parse_teachers("alexnet,resnet5O")


def row(name, top1, gmacs, *, licence="mit", cached=True):
    return Row(name, "hf:x/y", licence, 1, gmacs, 224, top1, "", cached)


SHELF = [
    row("large", 85.0, 9.0), row("tiny", 50.0, 0.05), row("fine", 78.0, 2.0), row("good", 80.0, 4.0),
    row("free", None, None), row("nc", 90.0, 0.01, licence="cc-by-nc-4.0"), row("file", 90.0, 0.01),
    row(DEFAULT, 74.8, 0.4),
]  # fmt: skip


@pytest.fixture
def offered(monkeypatch):
    asked = {}

    def shelf(**wishes):
        asked.update(wishes)
        return SHELF

    known = {r.name: Locked(r.name, "0" * 64) for r in SHELF if r.name not in ("file", DEFAULT)}
    monkeypatch.setattr(shortlist, "shelf", shelf)
    monkeypatch.setattr(shortlist, "locked", known.get)
    return asked


def test_auto_is_the_default_the_best_and_the_cheapest_of_those_that_are_free_and_here(offered):
    assert [one.name for one in parse_teachers("auto")] == [DEFAULT, "tiny", "good", "large"]
    assert offered == {"cached": True, "modality": IMAGES}


def test_auto_on_a_fresh_machine_is_the_embedded_teacher(own_cache):
    names = [one.name for one in parse_teachers("auto", Asked(channels=1))]
    assert DEFAULT in names and len(names) <= shortlist.MOST
