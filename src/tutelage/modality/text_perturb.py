"""Perturbations of texts: a window is the text itself, its UTF-8 bytes, padded with zeros to one width.

Nothing moves a text by gradients: ``text_edits.search`` looks for edits of characters inside a budget, which is a share
of words. A window becomes the text again, so a student reads it as it reads any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.modality import text_edits
from tutelage.modality.perturb import Objective, Perturb, Window
from tutelage.modality.record import InputSpec, Item
from tutelage.modality.text_corrupt import CORRUPTIONS
from tutelage.modality.text_read import UNSEEN, read
from tutelage.modality.text_show import one_line
from tutelage.modality.text_tokens import Tokens, collate
from tutelage.modality.text_windows import packed, unpacked, width_for

TRIED, LOOKED = 9, 3
"""Variants of a word, and words, that a search asks at least; a variant more each round, and a word more every eight."""


def item(window: Window, spec: InputSpec) -> str:
    """The text of a window."""
    return unpacked(window)


def windows(items: Sequence[Item], spec: InputSpec) -> npt.NDArray[np.uint8]:
    """Texts as windows (N, W); one that is far longer than what is read is cut. Raises as ``read`` does."""
    width = width_for(spec)
    return np.stack([packed(read(one), width, room=True) for one in items])


def batch(tokens: Tokens, some: Window, spec: InputSpec) -> dict[str, npt.NDArray[Any]]:
    """Windows (N, W) as the batch that an encoder gets: ``{"x": (N, T), "mask": (N, T)}``."""
    return collate([tokens.augment(unpacked(window), spec, None) for window in some])


def search(objective: Objective, some: Window, budget: float, rounds: int, rng: np.random.Generator) -> Window:  # fmt: skip
    """Edited windows inside a budget, found one at a time; see ``text_edits.search``.

    Args:
        objective: windows (M, W) of one text -> what is to be made small (M,).
        some: (1, W), as objectives are of one item.
        budget: share of words.
        rounds: how hard to try.
        rng: not needed: the search is greedy.
    """
    width = some.shape[1]

    def of(texts: Sequence[str]) -> npt.NDArray[np.floating]:
        return objective(np.stack([packed(text, width) for text in texts]))

    tried, looked = TRIED + rounds, LOOKED + rounds // 8
    found = [text_edits.search(of, unpacked(window), budget, tried=tried, looked=looked) for window in some]  # fmt: skip
    return np.stack([packed(text, width) for text in found])


def noise(window: Window, budget: float, rng: np.random.Generator) -> Window:
    """A window after as many edits as a budget allows, drawn at random."""
    return packed(text_edits.random_edits(unpacked(window), budget, rng), len(window))


def quote(window: Window) -> str:
    """The first words of a text on one line; what nobody sees is written out."""
    return UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", one_line(unpacked(window)))


def settle(values: npt.NDArray[np.floating], origin: Window, budget: float) -> Window:
    """Bytes are no quantities: what is not exactly a window cannot be brought back to one."""
    if not np.array_equal(values, np.rint(values)):
        raise ValueError("texts cannot be moved by gradients; use search")
    return values.astype(origin.dtype)


def drawn(tokens: Tokens, spec: InputSpec, count: int, many: int, rng: np.random.Generator) -> Window:  # fmt: skip
    """Windows (N, W) of so many random words of the vocabulary each."""
    words = list(tokens.words)
    texts = [" ".join(words[i] for i in rng.integers(len(words), size=many)) for _ in range(count)]
    return np.stack([packed(text, width_for(spec)) for text in texts])


def joined(first: Window, some: Window) -> Window:
    """Windows (N, W) with a text (W,) in front of each."""
    return np.stack(
        [packed(f"{unpacked(first)} {unpacked(one)}".strip(), len(one)) for one in some]
    )


def restored(spec: InputSpec) -> InputSpec:
    """The spec of a student that restores words first; see ``text_spelling``."""
    return replace(spec, restored=True)


def perturb_of(tokens: Tokens) -> Perturb:
    """The perturbations of texts, as a teacher with this tokenizer reads them."""
    return Perturb(
        item=item, low=0.0, high=255.0, unit=" of words", budgets=(0.05, 0.1, 0.2), graded=0.1, sanity=1.0, settle=settle,
        corruptions=CORRUPTIONS, quote=quote, search=search, noise=noise, windows=windows, batch=partial(batch, tokens),
        drawn=partial(drawn, tokens), joined=joined, restored=restored,
    )  # fmt: skip
