"""The subset that teachers are compared on: the same items for all, every class in its share."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from tutelage.data import Checked

EACH, FEWEST, MOST = 20, 500, 2_000
"""Items a class, of which at least ``FEWEST`` and at most ``MOST`` in all."""

FIRST = 0.25
"""Share of the subset in the first round."""

FIRST_EACH, FIRST_ITEMS = 3, 100
"""Items a class and in all, below which a first round would tell nothing."""


def subset(checked: Checked, train: Sequence[int]) -> tuple[int, ...]:
    """``min(N, max(20 C, 500), 2000)`` training items, in an order of which every beginning is stratified.

    Two of each class come first, so that one can be left out; then each class in its share. Within a
    class the order is that of the items' digests, which has nothing to do with names or folders.
    """
    examples, digests = checked.dataset.examples, checked.digests
    members: dict[str | None, list[int]] = defaultdict(list)
    for index in sorted(train, key=lambda i: (digests[i], i)):
        members[examples[index].label].append(index)
    keys = {
        index: (rank >= 2, (rank + 0.5) / len(same), digests[index], index)
        for same in members.values()
        for rank, index in enumerate(same)
    }
    most = min(max(EACH * len(members), FEWEST), MOST)
    return tuple(sorted(keys, key=keys.__getitem__)[:most])


def rounds_of(whole: int, classes: int) -> tuple[int, ...]:
    """Items of each round: a quarter, then all; all at once where a quarter would tell nothing."""
    first = max(math.ceil(FIRST * whole), FIRST_EACH * classes, FIRST_ITEMS)
    return (whole,) if first >= whole else (first, whole)
