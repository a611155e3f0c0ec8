"""Restoring words that a slip or an adversary spoiled: back to the nearest word that the teacher knows.

A word that the teacher's vocabulary has no whole entry for, but one at a distance of one edit (a letter left out, put in,
changed, or two neighbours swapped), becomes that entry (Pruthi et al., ACL 2019, recognise words before a classifier for the
same end). Of several it is one with the same first letter; then one that a usual slip turns into what is there (as Kernighan
et al., COLING 1990, weigh slips): swapped, dropped, doubled, or the key beside; then the most frequent. A word that it has
becomes another only where a usual slip of one ``RARER`` times as frequent looks so. Characters of other scripts and unseen
ones are undone first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from tutelage.modality.text_edits import NEIGHBOURS, normalised

LEAST = 2
"""Letters of a word that is restored, at least."""

RARER = 100
"""Times as far down the list of frequent words that a known word must stand to be taken for a slip (by Zipf's law a word's
share falls as its rank)."""

BEGINS = ("\u0120", "\u2581")
"""Marks of a word's beginning in vocabularies that mark it; others mark with ``##`` what is none."""

REMEMBERED = 1 << 16

LETTERS = re.compile(r"[^\W\d_]+")


class Speller:
    """Restores words by a vocabulary.

    Args:
        ranks: word in small letters -> its place in a list from frequent to rare, from 1.
    """

    def __init__(self, ranks: Mapping[str, int]) -> None:
        self.ranks = ranks
        self.most = max(map(len, ranks), default=0) + 1
        self.alphabet = "".join(sorted({letter for word in ranks for letter in word}))[:200]
        self._remembered = lru_cache(REMEMBERED)(self._word)

    def restored(self, text: str) -> str:
        """A text with every spoiled word restored; others stay as they are."""
        return LETTERS.sub(lambda found: self.word(found[0]), normalised(text))

    def word(self, word: str) -> str:
        """One word restored; one with more letters than one edit gives the longest known word stays as it is."""
        return self._remembered(word) if len(word) <= self.most else word

    def _word(self, word: str) -> str:
        low = word.lower()
        if len(low) < LEAST:
            return word
        near = [pair for pair in set(_around(low, self.alphabet)) if len(pair[0]) >= LEAST and pair[0] in self.ranks]  # fmt: skip
        if low in self.ranks:
            line = self.ranks[low] / RARER
            near = [(one, usual) for one, usual in near if usual and one[0] == low[0] and self.ranks[one] <= line]  # fmt: skip
        if not near:
            return word
        best, _ = min(near, key=lambda pair: (pair[0][0] != low[0], not pair[1], self.ranks[pair[0]], pair[0]))  # fmt: skip
        return best.capitalize() if word[0].isupper() else best


def _around(word: str, alphabet: str) -> Iterator[tuple[str, bool]]:
    """Every string at one edit from a word, and whether a usual slip turns it into the word."""
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        if tail:
            yield head + tail[1:], head[-1:] == tail[0] or tail[1:2] == tail[0]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:], True
        for letter in alphabet:
            yield head + letter + tail, True
            if tail:
                yield head + letter + tail[1:], tail[0] in NEIGHBOURS.get(letter, "")


def whole_words(vocabulary: Mapping[str, int]) -> dict[str, int]:
    """The entries of a tokenizer's vocabulary that are words by themselves -> their ranks.

    Args:
        vocabulary: entry -> number, frequent ones first, as tokenizers are trained.
    """
    marked = any(entry.startswith(BEGINS) for entry in vocabulary)
    found: dict[str, int] = {}
    for entry in sorted(vocabulary, key=lambda entry: vocabulary[entry]):
        word = entry[1:] if entry.startswith(BEGINS) else "" if marked else entry
        if word.isalpha() and len(word) >= LEAST:
            found.setdefault(word.lower(), len(found) + 1)
    return found
