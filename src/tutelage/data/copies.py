"""Near-duplicates: banded look-up of candidates, confirmed by the modality. Never all pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tutelage.modality import Fingerprint, Modality

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]

DISTANCE = 6
"""Two words may differ in this many of 64 bits; four bands of 16 bits, each looked up with every
single bit flipped, find every pair within 7 (of 7 differing bits, some band holds at most one)."""

_BANDS, _CHUNK, _MOST, _CONFIRMED, _BATCH, _ALIKE = 4, 32, 64, 32, 256, 0.98
_FLIPS = np.array([0, *(1 << bit for bit in range(16))], np.uint16)


def near_pairs(
    prints: Sequence[Fingerprint], modality: Modality, first: int | None = None
) -> list[tuple[int, int]]:
    """Pairs ``(i, j)``, ``i < j``, of confirmed near-duplicates among N fingerprints.

    Work grows as N: a bucket gives its first 64 and an item is compared with its nearest 32, so
    among thousands of copies of one thing each meets a few, which is enough to join them all.

    Args:
        first: if given, only pairs of one of the first so many with one of the others.
    """
    every = range(len(prints))
    mine, others = every[:first], every if first is None else every[first:]
    ways = [(every, every)] if first is None else [(mine, others), (others, mine)]
    rows = [found for asking, asked in ways for found in _candidates(prints, asking, asked)]
    confirm = modality.confirm or correlate
    pairs = _fewest(np.concatenate([np.zeros((0, 4), np.int64), *rows]), len(prints))
    kept: list[tuple[int, int]] = []
    for start in range(0, len(pairs), _BATCH):
        batch = pairs[start : start + _BATCH]
        wholes, containers = ([prints[i] for i in batch[:, column]] for column in (0, 1))
        same = batch[confirm(wholes, containers, batch[:, 2].tolist())]
        kept += [(min(w, c), max(w, c)) for w, c in same[:, :2].tolist()]
    return sorted(set(kept))


def _fewest(rows: Ints, count: int) -> Ints:
    """Of rows (whole, container, word, distance) each pair's nearest, and of each item's the nearest 32."""
    low, high = rows[:, :2].min(1), rows[:, :2].max(1)
    order = np.lexsort((rows[:, 2], rows[:, 3], high, low))
    pair = (low * count + high)[order]
    rows, high, low = rows[order], high[order], low[order]
    first = np.concatenate([[True], pair[1:] != pair[:-1]]) if len(pair) else np.zeros(0, bool)
    rows, high, low = rows[first], high[first], low[first]
    order = np.lexsort((low, rows[:, 3], high))
    turn = np.arange(len(order)) - np.searchsorted(high[order], high[order])
    kept: Ints = rows[order][turn < _CONFIRMED]
    return kept


def correlate(
    wholes: Sequence[Fingerprint], containers: Sequence[Fingerprint], words: Sequence[int]
) -> npt.NDArray[np.bool_]:
    """Pearson correlation of the vectors of at least 0.98, pair by pair."""
    left, right = (
        np.stack([p.vector for p in side]).astype(np.float64) for side in (wholes, containers)
    )
    left -= left.mean(1, keepdims=True)
    right -= right.mean(1, keepdims=True)
    scale = np.sqrt((left**2).sum(1) * (right**2).sum(1))
    verdict: npt.NDArray[np.bool_] = (left * right).sum(1) >= _ALIKE * np.maximum(scale, 1e-12)
    return verdict


def _candidates(prints: Sequence[Fingerprint], asking: range, asked: range) -> Iterator[Ints]:
    """Rows (whole, container, word of the container, distance) of every pair near enough.

    Args:
        asking: the containers, by any of their words.
        asked: the wholes.
    """
    wholes = np.array([p.words[0] for p in prints], np.uint64)
    tables = [_Band(wholes, band, asked) for band in range(_BANDS)]
    for start in range(asking.start, asking.stop, _CHUNK):
        chunk = prints[start : min(start + _CHUNK, asking.stop)]
        owner = np.repeat(np.arange(start, start + len(chunk)), [len(p.words) for p in chunk])
        number = np.concatenate([np.arange(len(p.words)) for p in chunk])
        words = np.concatenate([p.words for p in chunk])
        found = np.concatenate([_near(wholes, words, owner, number, table) for table in tables])
        yield _fewest(found, len(prints))


def _near(wholes: Words, words: Words, owner: Ints, number: Ints, table: _Band) -> Ints:
    query, hit = table.look_up(words)
    distance = np.bitwise_count(words[query] ^ wholes[hit]).astype(np.int64)
    keep = (distance <= DISTANCE) & (owner[query] != hit)
    query, hit = query[keep], hit[keep]
    return np.stack([hit, owner[query], number[query], distance[keep]], axis=1)


class _Band:
    """16 of the 64 bits of the words of some wholes, sorted into buckets."""

    def __init__(self, wholes: Words, band: int, some: range) -> None:
        self.shift = np.uint64(16 * band)
        keys = self._keys(wholes[some.start : some.stop])
        self.order = some.start + np.argsort(keys, kind="stable")
        self.start = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=1 << 16))])

    def _keys(self, words: Words) -> npt.NDArray[np.uint16]:
        return ((words >> self.shift) & np.uint64(0xFFFF)).astype(np.uint16)

    def look_up(self, words: Words) -> tuple[Ints, Ints]:
        """Indices of words and of the wholes whose band differs in at most one bit, as two columns."""
        keys = (self._keys(words)[:, None] ^ _FLIPS).reshape(-1).astype(np.int64)
        first = self.start[keys]
        many = np.minimum(self.start[keys + 1] - first, _MOST)
        query = np.repeat(np.arange(len(keys)) // len(_FLIPS), many)
        within = np.arange(len(query)) - np.repeat(np.cumsum(many) - many, many)
        return query, self.order[np.repeat(first, many) + within]


class Union:
    """Union-find over 0..n-1; the smallest member names its set."""

    def __init__(self, size: int) -> None:
        self.parent = list(range(size))

    def find(self, node: int) -> int:
        """The name of the node's set."""
        while self.parent[node] != node:
            self.parent[node] = self.parent[self.parent[node]]
            node = self.parent[node]
        return node

    def join(self, left: int, right: int) -> None:
        """Make the two sets one."""
        left, right = self.find(left), self.find(right)
        self.parent[max(left, right)] = min(left, right)
