"""What must stay together: copies, and what ``--group-by`` says; and which hash decides the part.

Two notions, because a split must stay as it is when files are added:

    group   everything joined by any chain of copies or a common ``--group-by`` value (union-find);
            leave-one-out leaves out a whole group.
    key     what is hashed for the split: the ``--group-by`` value, or the digest of the *original*
            of a bundle of copies. Items are taken in the order of richness (most pixels, most
            bytes, then lowest digest); one without an earlier copy is an original, any other takes
            the key of its nearest earlier copy. So a smaller, cropped or re-encoded copy that is
            added later follows its original and moves nothing.
    bridge  an item with earlier copies under *other* keys. If these fall into another part than its
            own, it is set aside, and nothing else moves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tutelage.data.copies import Union, near_pairs
from tutelage.data.example import Dataset
from tutelage.modality import Facts


@dataclass(frozen=True)
class Kinship:
    """Who belongs together; every tuple has one entry per example.

    Attributes:
        contents: id of the content: equal for exact copies (same bytes or same pixels).
        near: for each content id, the ids of its confirmed near-duplicates.
        groups: id of the group.
        keys: what is hashed for the split.
        bridges: other keys that the example is tied to, mostly empty.
        copies_of_own: index of a companion's item -> of the user's own that it is a copy of.
    """

    contents: tuple[str, ...]
    near: dict[str, frozenset[str]]
    groups: tuple[str, ...]
    keys: tuple[str, ...]
    bridges: tuple[tuple[str, ...], ...]
    copies_of_own: Mapping[int, int] = field(default_factory=dict)


def find_kin(dataset: Dataset, digests: Sequence[str], facts: Sequence[Facts]) -> Kinship:
    """Find copies and work out groups, keys and bridges."""
    names = [example.name for example in dataset.examples]
    contents = contents_of(dataset, digests, facts)
    order = sorted(range(len(names)), key=lambda i: (-facts[i].richness, digests[i], names[i]))
    original: dict[str, int] = {}
    for index in order:
        original.setdefault(contents[index], index)
    near = _near_contents(dataset, facts, original)
    keys, bridges = _keys(dataset, digests, contents, order, original, near)
    groups = _groups(contents, keys, order, near)
    return Kinship(
        tuple(contents),
        {c: frozenset(n) for c, n in near.items()},
        groups,
        tuple(keys),
        tuple(bridges),
    )


def contents_of(dataset: Dataset, digests: Sequence[str], facts: Sequence[Facts]) -> list[str]:
    """What is equal for exact copies: the decoded content, else the bytes, else nothing else's."""
    rows = zip(facts, digests, dataset.examples, strict=True)
    return [f.content or d or f"name:{e.name}" for f, d, e in rows]


def _near_contents(
    dataset: Dataset, facts: Sequence[Facts], original: dict[str, int]
) -> dict[str, set[str]]:
    marked = [
        (c, mark) for c, i in sorted(original.items()) if (mark := facts[i].fingerprint) is not None
    ]
    near: dict[str, set[str]] = defaultdict(set)
    for left, right in near_pairs([mark for _, mark in marked], dataset.modality):
        near[marked[left][0]].add(marked[right][0])
        near[marked[right][0]].add(marked[left][0])
    return near


def _keys(
    dataset: Dataset, digests: Sequence[str], contents: Sequence[str], order: Sequence[int],
    original: dict[str, int], near: dict[str, set[str]],
) -> tuple[list[str], list[tuple[str, ...]]]:  # fmt: skip
    keys = [""] * len(order)
    bridges: list[tuple[str, ...]] = [()] * len(order)
    for index in order:
        first = original[contents[index]]
        kin = sorted(original[other] for other in near.get(contents[index], ()))
        tied = [keys[k] for k in ([first] if first != index else []) + kin if keys[k]]
        group = dataset.examples[index].group
        if group is not None:
            keys[index] = f"group:{group}"
        else:
            keys[index] = tied[0] if tied else digests[index] or contents[index]
        bridges[index] = tuple(sorted({key for key in tied if key != keys[index]}))
    return keys, bridges


def _groups(
    contents: Sequence[str], keys: Sequence[str], order: Sequence[int], near: dict[str, set[str]]
) -> tuple[str, ...]:
    place = {index: rank for rank, index in enumerate(order)}
    sets = Union(len(order))
    seen: dict[str, int] = {}
    for rank, index in enumerate(order):
        for tie in (f"content {contents[index]}", f"key {keys[index]}"):
            sets.join(seen.setdefault(tie, rank), rank)
    for content, others in near.items():
        for other in others:
            sets.join(seen[f"content {content}"], seen[f"content {other}"])
    return tuple(keys[order[sets.find(place[index])]] for index in range(len(order)))
