"""Look at every example once: digest, facts, kinship, and everything that is wrong, all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tutelage.data.companion import find_kin_apart
from tutelage.data.example import Dataset, Example, Finding
from tutelage.data.facts import VERSION, facts_json, recall
from tutelage.data.faults import DISABLING, all_findings
from tutelage.files import digest_bytes, digest_file
from tutelage.modality import Facts, Item, Modality
from tutelage.runtime import cores

_CHUNK = 256
T = TypeVar("T")


@dataclass(frozen=True)
class Checked:
    """A dataset that has been looked at; every tuple has one entry per example.

    Attributes:
        findings: all of them, the ones from opening included.
        digests: sha256 of the file's bytes, or of type, shape and bytes of an array; ``""`` if unreadable.
        facts: what the look told (without fingerprints, which have served).
        contents: equal for exact copies (same bytes or same pixels).
        near: content id -> the ids of its near-duplicates.
        groups: everything joined by copies or ``--group-by``: what leave-one-out leaves out.
        keys: what the split hashes.
        bridges: other keys that an example is tied to.
        usable: can it be decoded, as far as was looked?
        copies_of_own: index of a companion's item -> of the user's own that it is a copy of.
    """

    dataset: Dataset
    findings: tuple[Finding, ...]
    digests: tuple[str, ...]
    facts: tuple[Facts, ...]
    contents: tuple[str, ...]
    near: dict[str, frozenset[str]]
    groups: tuple[str, ...]
    keys: tuple[str, ...]
    bridges: tuple[tuple[str, ...], ...]
    usable: tuple[bool, ...]
    copies_of_own: Mapping[int, int] = field(default_factory=dict)

    def copies(self) -> list[tuple[int, ...]]:
        """Indices of exact copies, one tuple per content that occurs more than once."""
        sets: dict[str, list[int]] = {}
        for index, content in enumerate(self.contents):
            sets.setdefault(content, []).append(index)
        return [tuple(same) for same in sets.values() if len(same) > 1]


def check(
    dataset: Dataset,
    *,
    full: bool,
    facts_cache: MutableMapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
    near: bool = True,
) -> Checked:
    """Look at every example; nothing is raised for what is wrong with one, and nothing is changed.

    Args:
        full: decode everything; else headers and a reduced-scale decode.
        facts_cache: facts of earlier looks (e.g. a ``FactsStore``); what is new is added.
        progress: called with (done, total).
        near: look for near-duplicates; else only exact copies are found.
    """
    digests: list[str] = []
    facts: list[Facts] = []
    cache: MutableMapping[str, Any] = {} if facts_cache is None else facts_cache
    total = len(dataset.examples)
    with ThreadPoolExecutor(min(4, cores())) as pool:
        for start in range(0, total, _CHUNK):
            chunk = dataset.examples[start : start + _CHUNK]
            some = list(_each(digest_item, [example.item for example in chunk], pool))
            digests += some
            found = _facts(chunk, some, dataset.modality, full, cache, pool)
            facts += found if near else [replace(f, fingerprint=None) for f in found]
            if progress is not None:
                progress(len(facts), total)
    kin = find_kin_apart(dataset, digests, facts)
    usable = tuple(not any(kind in DISABLING for kind, _ in f.defects) for f in facts)
    light = tuple(replace(f, fingerprint=None) for f in facts)
    findings = (*dataset.findings, *all_findings(dataset, light, kin, usable))
    return Checked(
        dataset, findings, tuple(digests), light, kin.contents, kin.near, kin.groups, kin.keys,
        kin.bridges, usable, kin.copies_of_own,
    )  # fmt: skip


def digest_item(item: Item) -> str:
    """sha256 of what an item is made of: its file's bytes, its characters, its values; ``""`` if unreadable."""
    if isinstance(item, np.ndarray):
        head = f"{item.dtype.str}|{item.shape}|".encode()
        return digest_bytes(head, np.ascontiguousarray(item).tobytes())
    if isinstance(item, str):
        return digest_bytes(b"text|", item.encode("utf-8", "replace"))
    try:
        return digest_file(item)
    except (OSError, ValueError):
        return ""


def _facts(
    examples: Sequence[Example], digests: Sequence[str], modality: Modality, full: bool,
    cache: MutableMapping[str, Any], pool: ThreadPoolExecutor,
) -> list[Facts]:  # fmt: skip
    keys = [_key(e, d, modality) for e, d in zip(examples, digests, strict=True)]
    known = [
        _known(cache, key, full) if digest else None
        for key, digest in zip(keys, digests, strict=True)
    ]
    unknown = [example.item for example, old in zip(examples, known, strict=True) if old is None]
    looked = iter(_each(lambda item: modality.check(item, full), unknown, pool))
    facts = [old or next(looked) for old in known]
    for key, digest, old, new in zip(keys, digests, known, facts, strict=True):
        if digest and old is None:
            cache[f"{key}:{'full' if full else 'quick'}"] = facts_json(new)
    return facts


def _each(look: Callable[[Item], T], items: Sequence[Item], pool: ThreadPoolExecutor) -> Iterable[T]:  # fmt: skip
    """Files are read in threads; a string is looked at sooner than it is handed over."""
    return map(look, items) if all(isinstance(item, str) for item in items) else pool.map(look, items)  # fmt: skip


def _key(example: Example, digest: str, modality: Modality) -> str:
    """The suffix is part of it, because ``wrong-suffix`` is about the name."""
    suffix = example.item.suffix.lower() if isinstance(example.item, Path) else ""
    return f"{VERSION}:{modality.name}:{digest_bytes(suffix.encode())[:8]}:{digest}"


def _known(cache: MutableMapping[str, Any], key: str, full: bool) -> Facts | None:
    """A full look serves for a quick one, not the other way round."""
    return recall(cache, f"{key}:full") or (None if full else recall(cache, f"{key}:quick"))
