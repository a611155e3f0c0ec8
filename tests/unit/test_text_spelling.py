"""Spoiled words come back as the nearest known word; known words and what has no near one stay."""

import numpy as np
import pytest

from text_kit import tiny_bert
from tutelage.files import digest_bytes
from tutelage.modality import text_spelling
from tutelage.modality.record import InputSpec
from tutelage.modality.text import texts_of
from tutelage.modality.text_perturb import restored
from tutelage.modality.text_spelling import Speller, whole_words
from tutelage.modality.text_tokens import Tokens

SPELLER = Speller({w: i for i, w in enumerate(["the", "film", "was", "funny", "and", "sunny", "beast", "bests"], 1)})  # fmt: skip


@pytest.mark.parametrize(("spoiled", "restored"), [
    ("teh flim was fumny !", "the film was funny !"), ("The Flm", "The Film"), ("th\u0435 f\u200bilm", "the film"),
    ("filmm-wsa", "film-was"), ("xunny", "sunny"), ("gunnyy", "gunnyy"), ("a in 42", "a in 42"), ("beasst", "beast"), ("какой", "какой"),
])  # fmt: skip
def test_words(spoiled, restored):
    assert SPELLER.restored(spoiled) == restored


def test_of_several_words_the_one_that_a_usual_slip_spoils():
    speller = Speller({"were": 1, "where": 2, "fin": 3, "fun": 4, "fan": 5})
    assert speller.restored("whre") == "where", (
        "a letter left out, not a changed letter, though rarer"
    )
    assert speller.restored("fyn") == "fun", "the key beside"


def test_a_known_word_is_a_slip_only_of_a_much_more_frequent_one():
    speller = Speller({"is": 1, "capital": 30, "capita": 150, "ia": 200, "it": 2})
    assert speller.restored("what ia the capita") == "what is the capita"


def test_a_word_too_long_for_one_edit_is_not_even_tried(monkeypatch):
    speller = Speller({"the": 1, "funny": 2})
    assert speller.restored("funnny fnny") == "funny funny", "a letter more than the longest"
    monkeypatch.setattr(text_spelling, "_around", lambda word, _: pytest.fail(f"{len(word)} letters tried"))  # fmt: skip
    for word in ("MKV" * 33_333 + "L", "กขค" * 33_333 + "ง", "funnnny"):
        assert speller.restored(word) == word
    assert Speller({}).restored("word") == "word"


@pytest.mark.parametrize(("vocabulary", "words"), [
    ({"[CLS]": 0, "film": 1, "##s": 2, "Film": 3, "x2": 4}, {"film": 1}),
    ({"\u0120film": 5, "ing": 1, "\u0120a": 2}, {"film": 1}), ({"\u2581das": 0, "en": 1}, {"das": 1}),
])  # fmt: skip
def test_vocabularies(vocabulary, words):
    assert whole_words(vocabulary) == words


def test_a_restored_spec_is_part_of_every_digest_and_reads_restored(tmp_path):
    raw = (tiny_bert(tmp_path) / "tokenizer.json").read_bytes()
    modality = texts_of(Tokens(lambda: raw, digest_bytes(raw)), 64)
    plain = InputSpec(size=64, resize=64, unit="tokens")
    spec = restored(plain)
    assert "restored" not in plain.as_json() and InputSpec.from_json(spec.as_json()) == spec
    assert np.array_equal(modality.augment("the snwo", spec, None), modality.augment("the snow", plain, None))  # fmt: skip
    views = [modality.augment("the snow and the rain", spec, np.random.default_rng(s)) for s in (1, 1, 2)]  # fmt: skip
    assert np.array_equal(views[0], views[1])
