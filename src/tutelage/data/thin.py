"""Fewer items to learn from, the same to be tested on: what a learning curve is measured with."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

from tutelage.data.checks import Checked
from tutelage.data.parts import Parts
from tutelage.data.splits import unit_hash
from tutelage.errors import UsageError

_THINNED = "thinned"


def thin(parts: Parts, checked: Checked, share: float, split_seed: int = 0) -> Parts:
    """Keep a share of each class's training items, those with the lowest hashes; the rest is set aside.

    Smaller shares are subsets of larger ones. Test and validation stay as they are, and every class keeps
    an item.

    Args:
        share: of the training items of each class, above 0, at most 1.

    Raises:
        UsageError: a share outside that.
    """
    if not 0 < share <= 1:
        raise UsageError(
            "bad-share", given=f"a train share of {share}", expected="a number above 0, at most 1",
            next="Use 0.5 for half of the training items.",
        )  # fmt: skip
    if share == 1:
        return parts
    kept = _lowest(parts, checked, share, split_seed)
    aside = [(index, _THINNED) for index in parts.train if index not in kept]
    return replace(
        parts, train=tuple(sorted(kept)), set_aside=tuple(sorted((*parts.set_aside, *aside)))
    )


def _lowest(parts: Parts, checked: Checked, share: float, split_seed: int) -> set[int]:
    by_class: dict[str | None, list[tuple[float, str, int]]] = defaultdict(list)
    for index in parts.train:
        rank = unit_hash(f"thin|{checked.groups[index]}", split_seed)
        by_class[checked.dataset.examples[index].label].append((rank, checked.digests[index], index))  # fmt: skip
    return {i for ranks in by_class.values() for *_, i in sorted(ranks)[: math.ceil(share * len(ranks))]}  # fmt: skip
