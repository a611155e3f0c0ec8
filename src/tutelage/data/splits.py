"""Who learns and who is tested: a pure function of (key, split seed) and of what the source says.

A key (see ``groups``) is hashed to [0, 1) and is test below the test share. Nothing else is looked
at, so adding files moves no old one; shares are met on average, class by class. The exception
are tiny classes: one without any test item gives its lowest-hash key to the test, one without any
training item gives its highest-hash key to training, and may get it back when it grows.

A companion's examples all train; nothing of them is looked at when the user's own are split.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

from tutelage.data.checks import Checked
from tutelage.data.companion import own_groups
from tutelage.data.complaints import listed
from tutelage.data.example import Finding, Severity, natural
from tutelage.data.parts import Parts, sound
from tutelage.errors import UsageError
from tutelage.files import digest_bytes

Place = Literal["train", "val", "test"]

_BROKEN, _LEAK, _BRIDGE, _COPY = "unreadable", "leak", "group-joins-parts", "copy-of-own"
_BEYOND = "beyond-per-class-train"


def split(
    checked: Checked,
    *,
    split_seed: int = 0,
    test_share: float = 0.2,
    per_class_train: int | None = None,
    validation_share: float = 0.0,
) -> Parts:
    """Split into train, val and test.

    Parts that the source gives are obeyed; a training item that is also in test, exactly or nearly,
    is left out of training. Without a given test part the hash decides.

    Args:
        split_seed: another seed is another split; training seeds have no say here.
        test_share: of the examples, on average, 0..1.
        per_class_train: learn from the N lowest-hash examples of each class and test on the rest; where the source gives its
            parts, the rest of its training examples is set aside.
        validation_share: of the training examples, carved off as ``val``.

    Raises:
        UsageError: a share outside 0..1, or a number below 1.
        DataError: a class has no training example left.
    """
    _valid(test_share, validation_share, per_class_train)
    places, reported = _given(checked)
    if places is None:
        places = _by_hash(checked, split_seed, test_share, per_class_train)
        aside = _bridged(checked, places, split_seed)
    else:
        aside = _leaked(checked, places)
        if per_class_train is not None:
            aside |= _beyond(checked, places, aside, split_seed, per_class_train)
    parts = _settle(checked, {**places, **_companions(checked)}, aside, reported)
    parts = sound(parts, checked)
    return (
        carve_validation(parts, checked, validation_share, split_seed)
        if validation_share
        else parts
    )


def carve_validation(
    parts: Parts, checked: Checked, share: float = 0.15, split_seed: int = 0
) -> Parts:
    """Move whole groups from train to val by a hash of their own; every class keeps a training group.

    Of few groups the hash may choose none: then each class that has two or more gives one. Beside a
    companion only the user's own groups are moved, where most of the user's classes have two or more,
    and each of these gives at least one: what the user has is what the student is for.

    Args:
        share: of the training examples (of the user's own ones), on average, 0..1.
    """
    _valid(0.0, share, None)
    examples = checked.dataset.examples
    own = own_groups(examples, checked.groups, parts.train) if share else None
    holders: Mapping[str | None, set[str]] = own or _training_groups(parts, checked)
    ranked = {g: unit_hash(f"validation|{g}", split_seed) for gs in holders.values() for g in gs}
    alone = {g for groups in holders.values() if len(groups) == 1 for g in groups}
    chosen = {group for group, u in ranked.items() if u < share}
    givers = own or ({} if chosen - alone or not share else holders)
    for groups in givers.values():
        if not groups & chosen:
            chosen.add(min(groups, key=lambda g: (ranked[g], g)))
    for groups in holders.values():
        if groups <= chosen:
            chosen.discard(max(groups, key=lambda g: (ranked[g], g)))
    carved = [index for index in parts.train if checked.groups[index] in chosen]
    train = tuple(index for index in parts.train if checked.groups[index] not in chosen)
    return replace(parts, train=train, val=tuple(sorted((*parts.val, *carved))))


def _training_groups(parts: Parts, checked: Checked) -> dict[str | None, set[str]]:
    """Label -> groups with training examples of it."""
    holders: dict[str | None, set[str]] = defaultdict(set)
    for index in parts.train:
        holders[checked.dataset.examples[index].label].add(checked.groups[index])
    return holders


def unit_hash(key: str, split_seed: int) -> float:
    """A number in [0, 1) that depends on the two arguments alone."""
    return int(digest_bytes(f"{split_seed}|{key}".encode())[:13], 16) / 16**13


def _valid(test_share: float, validation_share: float, per_class_train: int | None) -> None:
    for name, value in (("test share", test_share), ("validation share", validation_share)):
        if not 0 <= value < 1:
            raise UsageError(
                "bad-share", given=f"a {name} of {value}", expected="a number from 0 to below 1",
                next="Use 0.2 for a fifth.",
            )  # fmt: skip
    if per_class_train is not None and per_class_train < 1:
        raise UsageError(
            "bad-number", given=f"--per-class-train {per_class_train}", expected="at least 1",
            next="Try: --per-class-train 10",
        )  # fmt: skip


def _given(checked: Checked) -> tuple[dict[int, Place] | None, Literal["test", "val"]]:
    """Parts that the source gives, if it gives one to report on; val serves where test is missing."""
    given = {i: e.part for i, e in enumerate(checked.dataset.examples) if not e.companion}
    if "test" not in given.values() and "val" not in given.values():
        return None, "test"
    if "test" in given.values():
        return {i: part or "train" for i, part in given.items()}, "test"
    return {i: "test" if part == "val" else "train" for i, part in given.items()}, "val"


def _companions(checked: Checked) -> dict[int, Place]:
    """A companion's examples: all of them train, but for copies of the user's own."""
    examples, copies = checked.dataset.examples, checked.copies_of_own
    return {i: "train" for i, e in enumerate(examples) if e.companion and i not in copies}


def _usable(checked: Checked) -> list[int]:
    """The user's own examples that can be decoded."""
    rows = zip(checked.dataset.examples, checked.usable, strict=True)
    return [i for i, (example, usable) in enumerate(rows) if usable and not example.companion]


def _by_hash(
    checked: Checked, seed: int, share: float, per_class_train: int | None
) -> dict[int, Place]:
    usable = _usable(checked)
    if per_class_train is not None:
        chosen = _lowest(checked, usable, seed, per_class_train)
        return {i: "train" if i in chosen else "test" for i in usable}
    test = {key for key in {checked.keys[i] for i in usable} if unit_hash(key, seed) < share}
    _keep_every_class(checked, usable, seed, test)
    if share:
        _give_every_class(checked, usable, seed, test)
    return {i: "test" if checked.keys[i] in test else "train" for i in usable}


def _keep_every_class(checked: Checked, usable: list[int], seed: int, test: set[str]) -> None:
    """Take from ``test`` the highest-hash key of each class that would have nothing to learn from."""
    holders = _holders(checked, usable)
    for label in sorted(holders, key=natural):
        if holders[label] <= test:
            test.discard(max(holders[label], key=lambda k: (unit_hash(k, seed), k)))


def _give_every_class(checked: Checked, usable: list[int], seed: int, test: set[str]) -> None:
    """Add to ``test`` the lowest-hash key of each class without one, if no class loses its last."""
    holders = _holders(checked, usable)
    for label in sorted(holders, key=natural):
        if holders[label] & test:
            continue
        for key in sorted(holders[label], key=lambda k: (unit_hash(k, seed), k)):
            if all(keys - test - {key} for keys in holders.values() if key in keys):
                test.add(key)
                break


def _holders(checked: Checked, indices: Iterable[int]) -> dict[str, set[str]]:
    """Label -> keys with examples of it."""
    holders: dict[str, set[str]] = defaultdict(set)
    for index in indices:
        holders[str(checked.dataset.examples[index].label)].add(checked.keys[index])
    return holders


def _beyond(checked: Checked, places: Mapping[int, Place], aside: Mapping[int, str], seed: int, count: int) -> dict[int, str]:  # fmt: skip
    """Training examples that are not among the ``count`` of their class with the lowest hashes."""
    train = [i for i in _usable(checked) if places.get(i) == "train" and i not in aside]
    return dict.fromkeys(set(train) - _lowest(checked, train, seed, count), _BEYOND)


def _lowest(checked: Checked, among: list[int], seed: int, count: int) -> set[int]:
    """The ``count`` examples of each class with the lowest hashes."""
    examples = checked.dataset.examples
    by_class: dict[str | None, list[tuple[float, str, str, int]]] = defaultdict(list)
    for i in among:
        key = checked.keys[i]
        rank = (unit_hash(key, seed), checked.digests[i], examples[i].name, i)
        by_class[examples[i].label].append(rank)
    return {index for ranks in by_class.values() for *_, index in sorted(ranks)[:count]}


def _bridged(checked: Checked, places: Mapping[int, Place], seed: int) -> dict[int, str]:
    """Examples whose key, or a key that they are tied to, has its training examples elsewhere."""
    train = {checked.keys[i] for i, place in places.items() if place == "train"}
    test = {checked.keys[i] for i, place in places.items() if place == "test"}
    aside = {}
    for index, place in places.items():
        own, other = checked.keys[index], train if place == "test" else test - train
        if (place == "test" and own in train) or any(
            key in other for key in checked.bridges[index]
        ):
            aside[index] = _BRIDGE
    return aside


def _leaked(checked: Checked, places: Mapping[int, Place]) -> dict[int, str]:
    """Training examples that are also in val or test, and val ones that are also in test."""
    stricter: dict[Place, tuple[Place, ...]] = {
        "train": ("val", "test"),
        "val": ("test",),
        "test": (),
    }
    held: dict[Place, set[str]] = {"train": set(), "val": set(), "test": set()}
    for index, place in places.items():
        if checked.usable[index]:
            held[place].add(checked.contents[index])
    leaks = {}
    for index, place in places.items():
        kin = {checked.contents[index]} | checked.near.get(checked.contents[index], frozenset())
        if any(kin & held[other] for other in stricter[place]):
            leaks[index] = _LEAK
    return leaks


def _settle(
    checked: Checked,
    places: Mapping[int, Place],
    aside: dict[int, str],
    reported: Literal["test", "val"],
) -> Parts:
    """Put everything into its place, broken items and items of unknown classes aside."""
    examples, classes = checked.dataset.examples, set(checked.dataset.classes)
    aside = dict(aside)
    for index, example in enumerate(examples):
        if not checked.usable[index]:
            aside[index] = _BROKEN
        elif index in checked.copies_of_own:
            aside[index] = _COPY
        elif example.label not in classes:
            aside[index] = "class-extra"
    chosen: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for index in sorted(places.keys() - aside.keys()):
        chosen[places[index]].append(index)
    findings = _findings(checked, aside, chosen)
    return Parts(
        tuple(chosen["train"]), tuple(chosen["val"]), tuple(chosen["test"]),
        tuple(sorted(aside.items())), findings, reported,
    )  # fmt: skip


def _findings(
    checked: Checked, aside: Mapping[int, str], chosen: Mapping[str, list[int]]
) -> tuple[Finding, ...]:
    examples = checked.dataset.examples
    findings = []
    said: dict[str, tuple[Severity, str]] = {
        _LEAK: ("error", "also in the part that is reported: left out of training"),
        _BRIDGE: ("warning", "tied to examples of two parts: set aside, so that no old one moves"),
    }
    for reason, (severity, text) in said.items():
        names = tuple(examples[i].name for i in sorted(aside) if aside[i] == reason)
        if names:
            remedy = f"{len(names)} {text}."
            findings.append(Finding(reason, severity, names, remedy))
    tested = {examples[i].label for i in chosen["test"]}
    lacking = tuple(label for label in checked.dataset.classes if label not in tested)
    if lacking:
        remedy = f"Nothing to test {listed(lacking)} with: add examples, or take the class's figures as unknown."
        findings.append(Finding("class-missing", "warning", lacking, remedy))
    return tuple(findings)
