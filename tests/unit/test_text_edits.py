"""Edits of characters: inside their budget, found by a search that never makes it worse, and undone."""

import numpy as np
import pytest

from tutelage.modality.text_edits import (
    KINDS,
    allowed,
    changed_words,
    edited,
    normalised,
    random_edits,
    search,
    variants,
)

TEXT = "a stirring , funny and finally transporting re imagining of beauty and the beast"


@pytest.mark.parametrize(("kind", "made"), [
    ("swap", "flim"), ("drop", "flm"), ("double", "fiilm"), ("neighbour", "fulm"), ("homoglyph", "f\u0456lm"), ("zero-width", "f\u200bilm"),
])  # fmt: skip
def test_each_kind(kind, made):
    assert edited("film", kind, 1) == made


def test_the_first_letter_stays_where_it_is_seen():
    seen = variants("film", KINDS[:4])
    assert seen and all(word[0] == "f" and word != "film" for word in seen)
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("budget", [0.0, 0.1, 0.5, 1.0])
def test_random_edits_keep_the_budget(budget):
    for seed in range(20):
        after = random_edits(TEXT, budget, np.random.default_rng(seed))
        changed = list(changed_words(TEXT, after))
        assert min(1, allowed(TEXT, budget)) <= len(changed) <= allowed(TEXT, budget)
        assert len(after.split()) == len(TEXT.split())


def test_a_search_finds_what_counts_and_is_never_worse():
    asked = []

    def objective(texts):
        asked.append(len(texts))
        return np.array([float("funny" in t.split()) + float("beauty" in t.split()) for t in texts])

    one = search(objective, TEXT, 0.1)
    assert "funny" not in one.split() or "beauty" not in one.split()
    assert len(list(changed_words(TEXT, one))) == 1
    two = search(objective, TEXT, 0.2)
    assert objective([two])[0] == 0 and len(list(changed_words(TEXT, two))) <= 2
    assert search(lambda texts: np.zeros(len(texts)), TEXT, 0.5) == TEXT
    assert max(asked) <= 24 * 2 * allowed(TEXT, 0.5), (
        "variants of twice as many words as may be edited"
    )


def test_normalising_undoes_what_nobody_sees():
    rng = np.random.default_rng(0)
    hidden = random_edits(TEXT, 1.0, rng, ("homoglyph", "zero-width"))
    assert hidden != TEXT and normalised(hidden) == TEXT
    for text in ("какой фильм", "café", "x² + ½"):
        assert normalised(text) == __import__("unicodedata").normalize("NFKC", text)
