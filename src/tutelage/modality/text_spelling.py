"""Restoring words that a slip or an adversary spoiled: back to the nearest word that the teacher knows.

A word that the teacher's vocabulary has no whole entry for, but one at a distance of one edit (a letter left out, put in,
changed, or two neighbours swapped), becomes that entry; of several one with the same first letter, then the most frequent
(Pruthi et al., ACL 2019, recognise words before a classifier for the same end). Characters of other scripts and unseen
ones are undone first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from tutelage.modality.text_edits import normalised

LEAST = 3
"""Letters of a word that is restored, at least."""

BEGINS = ("\u0120", "\u2581")
"""Marks of a word's beginning in vocabularies that mark it; others mark with ``##`` what is none."""

REMEMBERED = 1 << 16

LETTERS = re.compile(r"[^\W\d_]+")


class Speller:
    """Restores words by a vocabulary.

    Args:
        ranks: word in small letters -> its place in a list from frequent to rare.
    """

    def __init__(self, ranks: Mapping[str, int]) -> None:
        self.ranks = ranks
        self.alphabet = "".join(sorted({letter for word in ranks for letter in word}))[:200]
        self.word = lru_cache(REMEMBERED)(self._word)

    def restored(self, text: str) -> str:
        """A text with every spoiled word restored; others stay as they are."""
        return LETTERS.sub(lambda found: self.word(found[0]), normalised(text))

    def _word(self, word: str) -> str:
        low = word.lower()
        if len(low) < LEAST or low in self.ranks:
            return word
        near = [one for one in set(_around(low, self.alphabet)) if len(one) >= LEAST and one in self.ranks]  # fmt: skip
        if not near:
            return word
        best = min(near, key=lambda one: (one[0] != low[0], self.ranks[one], one))
        return best.capitalize() if word[0].isupper() else best


def _around(word: str, alphabet: str) -> Iterator[str]:
    """Every string at one edit from a word."""
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        if tail:
            yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        for letter in alphabet:
            yield head + letter + tail
            if tail:
                yield head + letter + tail[1:]


def whole_words(vocabulary: Mapping[str, int]) -> dict[str, int]:
    """The entries of a tokenizer's vocabulary that are words by themselves -> their ranks.

    Args:
        vocabulary: entry -> number, frequent ones first, as tokenizers are trained.
    """
    marked = any(entry.startswith(BEGINS) for entry in vocabulary)
    found: dict[str, int] = {}
    for entry, rank in sorted(vocabulary.items(), key=lambda pair: pair[1]):
        word = entry[1:] if entry.startswith(BEGINS) else "" if marked else entry
        if word.isalpha():
            found.setdefault(word.lower(), rank)
    return found
