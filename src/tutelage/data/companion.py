"""A companion: a public data set beside the user's own photos. It teaches, and it never tests.

The law: with and without it, the user's own examples have the same groups, keys and parts. So kinship
is worked out for the two apart, and what ties them together serves one purpose: a companion's item that
is a copy, exact or near, of any of the user's own is left out, because the test may hold the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tutelage.data.copies import near_pairs
from tutelage.data.example import Dataset, Example
from tutelage.data.groups import Kinship, contents_of, find_kin
from tutelage.modality import Facts

PREFIX = "with/"
"""Before the names, groups and files of a companion."""


def find_kin_apart(dataset: Dataset, digests: Sequence[str], facts: Sequence[Facts]) -> Kinship:
    """``find_kin`` of the user's own examples, of the companion's, and which of these are copies of those.

    A companion's copy of an own item is in no other relation: its group and key are its original's.
    """
    every = range(len(dataset.examples))
    own = [i for i in every if not dataset.examples[i].companion]
    if len(own) == len(every):
        return find_kin(dataset, digests, facts)
    contents = contents_of(dataset, digests, facts)
    copies = _copies_of_own(dataset, facts, contents, own)
    theirs = [i for i in every if dataset.examples[i].companion and i not in copies]
    near: dict[str, frozenset[str]] = {}
    rows: dict[int, tuple[str, str, tuple[str, ...]]] = {}
    for side in (own, theirs):
        kin = _find_some(dataset, digests, facts, side)
        near |= kin.near
        rows |= dict(zip(side, zip(kin.groups, kin.keys, kin.bridges, strict=True), strict=True))
    rows |= {copy: (*rows[original][:2], ()) for copy, original in copies.items()}
    groups, keys, bridges = zip(*(rows[i] for i in every), strict=True)
    return Kinship(tuple(contents), near, groups, keys, bridges, copies)


def _find_some(
    dataset: Dataset, digests: Sequence[str], facts: Sequence[Facts], indices: Sequence[int]
) -> Kinship:
    some = replace(dataset, examples=tuple(dataset.examples[i] for i in indices))
    return find_kin(some, [digests[i] for i in indices], [facts[i] for i in indices])


def _copies_of_own(
    dataset: Dataset, facts: Sequence[Facts], contents: Sequence[str], own: Sequence[int]
) -> dict[int, int]:
    """Index of a companion's item -> of the first own item that has its content, or nearly."""
    mine: dict[str, int] = {}
    for index in own:
        mine.setdefault(contents[index], index)
    theirs: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(dataset.examples):
        if example.companion:
            theirs[contents[index]].append(index)
    alike = {content: mine[content] for content in theirs if content in mine}
    marked = [i for i in mine.values() if facts[i].fingerprint is not None]
    asked = [same[0] for c, same in theirs.items() if c not in alike and facts[same[0]].fingerprint]
    prints = [mark for i in (*marked, *asked) if (mark := facts[i].fingerprint) is not None]
    for left, right in near_pairs(prints, dataset.modality, first=len(marked)):
        alike.setdefault(contents[asked[right - len(marked)]], marked[left])
    return {index: original for c, original in alike.items() for index in theirs[c]}


def own_groups(
    examples: Sequence[Example], groups: Sequence[str], train: Sequence[int]
) -> Mapping[str | None, set[str]] | None:
    """Label -> the user's own training groups, if there are enough of them to judge by, else None.

    Enough: there is a companion, and most of the user's classes have two groups or more, one to be
    judged by and one to learn from.
    """
    if not any(example.companion for example in examples):
        return None
    own: dict[str | None, set[str]] = defaultdict(set)
    for index in train:
        if not examples[index].companion:
            own[examples[index].label].add(groups[index])
    several = sum(len(some) > 1 for some in own.values())
    return own if 2 * several > len(own) else None
