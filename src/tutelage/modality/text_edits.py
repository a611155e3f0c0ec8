"""What an adversary, or an accident, may do to a text's characters within a budget; and how it is undone.

swap        two neighbouring letters change places
drop        a letter is left out
double      a letter comes twice
neighbour   a letter becomes one beside it on the keyboard
homoglyph   a letter becomes one of another script that looks the same
zero-width  a character that nobody sees is put between two letters

A budget is a share of words, at least one; a word is edited once, inside, its first letter stays (people read words
so: Rawlinson 1976), but for homoglyphs and zero-width characters, which are not seen anyway.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tutelage.modality.text_read import UNSEEN

KINDS = ("swap", "drop", "double", "neighbour", "homoglyph", "zero-width")
VISIBLE = KINDS[:4]

NEIGHBOURS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl", "p": "ol",
    "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv", "g": "fthb", "h": "gyjn", "j": "hukm", "k": "jil", "l": "kop",
    "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
}  # fmt: skip
HOMOGLYPHS = {
    "a": "\u0430", "c": "\u0441", "e": "\u0435", "i": "\u0456", "j": "\u0458", "o": "\u043e", "p": "\u0440", "s": "\u0455",
    "x": "\u0445", "y": "\u0443", "A": "\u0410", "B": "\u0412", "C": "\u0421", "E": "\u0415", "H": "\u041d", "I": "\u0406",
    "K": "\u041a", "M": "\u041c", "O": "\u041e", "P": "\u0420", "S": "\u0405", "T": "\u0422", "X": "\u0425",
}  # fmt: skip
ZERO_WIDTH = "\u200b"
LATIN = {glyph: letter for letter, glyph in HOMOGLYPHS.items()}

AGAIN = 4
"""Variants of a word that are asked again on top of other edits."""

Objective = Callable[[Sequence[str]], npt.NDArray[np.floating]]
"""Texts (N,) -> what is to be made small (N,)."""


def allowed(text: str, budget: float) -> int:
    """How many words of a text may be edited: a share of them, at least one; none at a budget of zero."""
    return max(1, math.floor(budget * len(text.split()) + 1e-9)) if budget > 0 else 0


def edited(word: str, kind: str, place: int) -> str | None:
    """A word with one edit at a place; None where that kind has none there."""
    letter = word[place]
    if kind == "zero-width":
        return word[:place] + ZERO_WIDTH + word[place:] if place else None
    if kind == "homoglyph":
        return word[:place] + HOMOGLYPHS[letter] + word[place + 1 :] if letter in HOMOGLYPHS else None  # fmt: skip
    if place == 0 or not letter.isalpha():
        return None
    if kind == "swap":
        after = word[place + 1 : place + 2]
        return word[:place] + after + letter + word[place + 2 :] if after and after != letter else None  # fmt: skip
    if kind == "drop":
        return word[:place] + word[place + 1 :] if len(word) > 2 else None
    if kind == "double":
        return word[:place] + letter + word[place:]
    beside = NEIGHBOURS.get(letter.lower(), "")
    return word[:place] + beside[0] + word[place + 1 :] if beside else None


def variants(word: str, kinds: Sequence[str] = KINDS) -> list[str]:
    """Every word that one edit makes of a word, each once."""
    found = (edited(word, kind, place) for kind in kinds for place in range(len(word)))
    return list(dict.fromkeys(one for one in found if one is not None and one != word))


def random_edits(text: str, budget: float, rng: np.random.Generator, kinds: Sequence[str] = KINDS) -> str:  # fmt: skip
    """As many edits as a budget allows, drawn at random: what an attack must beat."""
    words = _pieces(text)
    order = rng.permutation([i for i, word in enumerate(words) if variants(word, kinds)])
    for place in order[: allowed(text, budget)].tolist():
        some = variants(words[place], kinds)
        words[place] = some[int(rng.integers(len(some)))]
    return "".join(words)


def search(objective: Objective, text: str, budget: float, kinds: Sequence[str] = KINDS, tried: int = 24, looked: int = 4) -> str:  # fmt: skip
    """The text inside a budget that makes an objective smallest, greedily; never worse than the given.

    Words are taken in the order in which leaving them out moves the objective (Gao et al., DeepWordBug, 2018; Jin et al.,
    TextFooler, AAAI 2020), and variants of the first are asked. The best one stays, and the best few of the other words are
    asked again on top of it, until the budget is spent.

    Args:
        objective: asked many texts at once.
        text: as it is.
        budget: share of its words that may be edited.
        kinds: of edits.
        tried: variants of a word, at most.
        looked: words whose variants are asked, at least; twice as many as may be edited, if that is more.
    """
    words, most = _pieces(text), allowed(text, budget)
    if not most:
        return text
    order = _order(objective, words, kinds)[: max(looked, 2 * most)]
    ranked = _ranked(objective, words, [(p, one) for p in order for one in _spread(variants(words[p], kinds), tried)])  # fmt: skip
    best, edits = float(objective([text])[0]), 0
    for place in sorted(ranked, key=lambda p: ranked[p][0]):
        few_scores = ranked[place][:AGAIN]
        on_top = _ranked(objective, words, [(place, one) for _, one in few_scores])[place] if edits else few_scores  # fmt: skip
        score, one = on_top[0]
        if score < best:
            best, edits, words[place] = score, edits + 1, one
        if edits == most:
            break
    return "".join(words)


def _ranked(objective: Objective, words: Sequence[str], edits: Sequence[tuple[int, str]]) -> dict[int, list[tuple[float, str]]]:  # fmt: skip
    """Place -> the words that may come there with the objective of the text with that edit alone, the best first."""
    texts = ["".join([*words[:place], one, *words[place + 1 :]]) for place, one in edits]
    scores = objective(texts) if texts else np.zeros(0)
    found: dict[int, list[tuple[float, str]]] = {}
    for (place, one), score in zip(edits, scores, strict=True):
        found.setdefault(place, []).append((float(score), one))
    return {place: sorted(some) for place, some in found.items()}


def _order(objective: Objective, words: Sequence[str], kinds: Sequence[str]) -> list[int]:
    places = [i for i, word in enumerate(words) if variants(word, kinds)]
    if not places:
        return []
    without = ["".join([*words[:i], *words[i + 1 :]]) for i in places]
    return [places[i] for i in np.argsort(objective(without), kind="stable").tolist()]


def _spread(some: Sequence[str], most: int) -> list[str]:
    step = max(1, -(-len(some) // most))
    return list(some[::step])


def _pieces(text: str) -> list[str]:
    """Words and the white space between them, in order."""
    return re.findall(r"\s+|\S+", text)


def normalised(text: str) -> str:
    """A text without what nobody sees, and with Latin letters where their doubles stand in Latin words and texts.

    It undoes ``homoglyph`` and ``zero-width`` and leaves texts in other scripts as they are.
    """
    bare = UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    letters = [c for c in bare if c.isalpha()]
    mostly = 2 * sum(c.isascii() for c in letters) > len(letters)
    return "".join(_latin(word, mostly) for word in _pieces(bare))


def _latin(word: str, in_latin: bool) -> str:
    """A word whose doubles stand beside Latin letters, or which is all doubles in a Latin text, in Latin."""
    letters = [c for c in word if c.isalpha()]
    mixed = any(c in LATIN for c in letters) and any(c.isascii() for c in letters)
    double = in_latin and all(c in LATIN for c in letters)
    return "".join(LATIN.get(c, c) for c in word) if mixed or double else word


def changed_words(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Words that differ, place by place; texts of the same number of words."""
    pairs = zip(before.split(), after.split(), strict=True)
    return (pair for pair in pairs if pair[0] != pair[1])
