"""Corruptions of texts by accident, at severities 1 to 5: slips of the hand and what keyboards and forms lose.

Slips are of the kinds that people make (Belinkov and Bisk, ICLR 2018); a severity is the share of words that have one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np

from tutelage.modality.perturb import Corruption, Window
from tutelage.modality.text_edits import VISIBLE, random_edits
from tutelage.modality.text_read import has_letters
from tutelage.modality.text_windows import packed, unpacked

SHARES = (0.05, 0.1, 0.2, 0.35, 0.5)
"""Severity -> share of the words, or of the characters of a kind, that are hit."""

Change = Callable[[str, float, np.random.Generator], str]
"""(text, share, rng) -> text."""


def slips(text: str, share: float, rng: np.random.Generator, kinds: tuple[str, ...]) -> str:
    """Slips of some kinds in a share of the words, at least one."""
    return random_edits(text, share, rng, kinds)


def lost(text: str, share: float, rng: np.random.Generator, which: Callable[[str], bool]) -> str:
    """A share of the characters of a kind is left out, rounded up."""
    places = [i for i, c in enumerate(text) if which(c)]
    gone = set(rng.permutation(places)[: int(np.ceil(share * len(places)))].tolist())
    return "".join(c for i, c in enumerate(text) if i not in gone)


def no_capitals(text: str, share: float, rng: np.random.Generator) -> str:
    """A share of the words with capitals in small letters, rounded up."""
    words = text.split(" ")
    places = [i for i, w in enumerate(words) if w != w.lower()]
    hit = set(rng.permutation(places)[: int(np.ceil(share * len(places)))].tolist())
    return " ".join(w.lower() if i in hit else w for i, w in enumerate(words))


def _spoiled(window: Window, severity: int, rng: np.random.Generator, change: Change) -> Window:
    """A window after a change; as it was, if the change would leave nothing to see of it."""
    text = unpacked(window)
    changed = change(text, SHARES[severity - 1], rng)
    return packed(changed if has_letters(changed) else text, len(window))


def _punctuation(c: str) -> bool:
    return unicodedata.category(c)[0] == "P"


CHANGES: Mapping[str, Change] = MappingProxyType({
    "swapped letters": partial(slips, kinds=("swap",)), "dropped letters": partial(slips, kinds=("drop",)),
    "doubled letters": partial(slips, kinds=("double",)), "neighbouring keys": partial(slips, kinds=("neighbour",)),
    "slips of all kinds": partial(slips, kinds=VISIBLE), "lost punctuation": partial(lost, which=_punctuation),
    "lost spaces": partial(lost, which=str.isspace), "lost capitals": no_capitals,
})  # fmt: skip

CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {name: partial(_spoiled, change=change) for name, change in CHANGES.items()}
)
