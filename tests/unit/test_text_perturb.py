"""Perturbations of texts: windows hold them whole, are read as they are, and accidents grow with their severity."""

from difflib import SequenceMatcher

import numpy as np
import pytest

from text_kit import tiny_bert
from tutelage.files import digest_bytes
from tutelage.modality.perturb import batches_of, windows_of
from tutelage.modality.record import InputSpec
from tutelage.modality.text import texts_of
from tutelage.modality.text_corrupt import CORRUPTIONS
from tutelage.modality.text_edits import allowed, changed_words
from tutelage.modality.text_perturb import quote, settle
from tutelage.modality.text_tokens import Tokens
from tutelage.modality.text_windows import packed, unpacked, width_for

SPEC = InputSpec(size=64, resize=64, unit="tokens")
TEXTS = ["the snow and the rain", "какой фильм", "a\u200bb ½ 何という", "soup " * 40]
LONG = "Bread , Cheese and a very good Soup ; with some Salt , Rice and the best of all Beans !"


@pytest.fixture(scope="module")
def modality(tmp_path_factory):
    raw = (tiny_bert(tmp_path_factory.mktemp("perturb")) / "tokenizer.json").read_bytes()
    return texts_of(Tokens(lambda: raw, digest_bytes(raw)), SPEC.size)


def test_a_window_becomes_its_text_again(modality):
    windows = windows_of(TEXTS, modality, SPEC)
    assert windows.shape == (4, width_for(SPEC)) and windows.dtype == np.uint8
    assert [modality.perturb.item(w, SPEC) for w in windows] == [t.rstrip("\0") for t in TEXTS]


def test_a_text_far_beyond_the_limit_is_cut_between_characters():
    window = packed("é" * 3000, 1024, room=True)
    assert unpacked(window) == "é" * 384


def test_batches_have_the_bits_of_prediction(modality):
    windows = windows_of(TEXTS, modality, SPEC)
    seen = np.zeros(len(TEXTS), bool)
    for places, batch in batches_of(windows, modality, SPEC):
        seen[places] = True
        for row, place in enumerate(places):
            alone = modality.collate([modality.augment(TEXTS[place], SPEC, None)])
            assert all(np.array_equal(batch[name][row], alone[name][0]) for name in alone)
    assert seen.all()


@pytest.mark.parametrize("budget", [0.0, 0.1, 0.3])
def test_a_search_keeps_the_budget_and_finds_what_counts(modality, budget):
    window = windows_of([LONG], modality, SPEC)
    asked = lambda some: np.array([unpacked(w).count("Soup") for w in some], float)  # noqa: E731
    found = unpacked(modality.perturb.search(asked, window, budget, 10, np.random.default_rng(0))[0])  # fmt: skip
    changed = list(changed_words(LONG, found))
    assert len(changed) <= allowed(LONG, budget) and ("Soup" in found) == (budget == 0)


@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
def test_accidents_grow(name, modality):
    window = windows_of([LONG], modality, SPEC)[0]
    made = [CORRUPTIONS[name](window, s, np.random.default_rng(0)) for s in (1, 3, 5)]
    assert all(m.shape == window.shape for m in made)
    assert np.array_equal(made[1], CORRUPTIONS[name](window, 3, np.random.default_rng(0)))
    away = [1 - SequenceMatcher(None, LONG, unpacked(m), autojunk=False).ratio() for m in made]
    assert 0 < away[0] < away[2]


@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
@pytest.mark.parametrize("text", ["?", "!!", ".", "a", "?\u200b", " . "])
def test_something_to_see_is_left(name, text):
    window = packed(text, 64)
    for severity in range(1, 6):
        made = CORRUPTIONS[name](window, severity, np.random.default_rng(severity))
        left = unpacked(made).replace("\u200b", "").strip()
        assert left and made.shape == window.shape
        if name == "lost punctuation" and text != "!!":
            assert np.array_equal(made, window)


def test_a_long_text_without_spaces_is_quoted_and_the_unseen_in_it_named():
    line = quote(packed("x\u200b" + "何" * 300, 1024))
    assert line == "x[U+200B]" + "何" * 236 + " …"


def test_bytes_are_no_quantities():
    window = packed("soup", 64)
    assert np.array_equal(settle(window.astype(float), window, 0.1), window)
    with pytest.raises(ValueError, match="search"):
        settle(window + 0.4, window, 0.1)
