"""Are two texts copies of each other: other case, punctuation or spacing, or a few words changed in a long one?

Short texts are copies only if their words are the same: "freeze my card" and "unfreeze my card" are two texts.
Long ones (``LONG`` words or more) are compared by the runs of three words that they share: candidates come from
a 64-bit word of them all (Charikar 2002), and are confirmed by estimating the share of common runs from 64
minima of hashes (Broder 1997), at least ``ALIKE``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from tutelage.modality.record import Fingerprint

LONG, RUN, ALIKE = 20, 3, 0.8
_MINIMA = 64
_MULTIPLY = np.random.default_rng(64).integers(1, 1 << 63, _MINIMA, dtype=np.uint64) | np.uint64(1)


def plain(text: str) -> list[str]:
    """The words of a text, without case, accents and punctuation."""
    bare = unicodedata.normalize("NFKD", text).casefold()
    return re.findall(r"\w+", "".join(c for c in bare if not unicodedata.combining(c)))


def fingerprint_of(text: str) -> Fingerprint | None:
    """The fingerprint of a text; None if it has no words."""
    words = plain(text)
    if not words:
        return None
    if len(words) < LONG:
        whole = _hashes([" ".join(words)])
        return Fingerprint(whole, _minima(whole))
    runs = _hashes([" ".join(words[i : i + RUN]) for i in range(len(words) - RUN + 1)])
    return Fingerprint(_word(runs), _minima(runs))


def confirm(wholes: Sequence[Fingerprint], containers: Sequence[Fingerprint], words: Sequence[int]) -> npt.NDArray[np.bool_]:  # fmt: skip
    """Is each text a copy of its candidate? ``(B,)`` bool; see ``Modality.confirm``."""
    left, right = (np.stack([p.vector for p in side]) for side in (wholes, containers))
    verdict: npt.NDArray[np.bool_] = (left == right).mean(1) >= ALIKE
    return verdict


def _hashes(pieces: Sequence[str]) -> npt.NDArray[np.uint64]:
    raw = b"".join(blake2b(piece.encode("utf-8", "replace"), digest_size=8).digest() for piece in pieces)  # fmt: skip
    return np.frombuffer(raw, np.uint64)


def _word(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """For each of 64 bits, what most hashes have there."""
    bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1)
    return np.packbits(2 * bits.sum(0, dtype=np.int64) > len(hashes)).view(np.uint64)


def _minima(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    """The least of each of 64 ways to hash on, its upper half."""
    mixed = (hashes[:, None] * _MULTIPLY).min(0)
    minima: npt.NDArray[np.uint32] = (mixed >> np.uint64(32)).astype(np.uint32)
    return minima
