"""Every rule that turns facts into findings: a list of small functions, all of them run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from tutelage.data.complaints import listed
from tutelage.data.example import Dataset, Finding, Severity, natural
from tutelage.data.groups import Kinship
from tutelage.modality import Facts

DISABLING = frozenset({"unreadable", "bomb"})
"""Defects that make an item useless."""

_DEFECTS: dict[str, tuple[Severity, str]] = {
    "unreadable": ("error", "Left out. Replace the file from its source, or remove it."),
    "bomb": ("error", "Left out without decoding. Make the image smaller, or remove it."),
    "wrong-suffix": ("info", "Read by its content. Rename it if other tools stumble."),
    "tiny": ("warning", "Kept. So small an item says little; look at it."),
}
_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}
FEW, SKEW, ODD_SIZE, ODD_SHARE = 10, 10, 4, 0.05


@dataclass(frozen=True)
class Seen:
    """What the rules look at; one entry per example."""

    dataset: Dataset
    facts: Sequence[Facts]
    kin: Kinship
    usable: Sequence[bool]

    def names(self, indices: Iterable[int]) -> tuple[str, ...]:
        """Names of examples, in natural order."""
        return tuple(sorted((self.dataset.examples[i].name for i in indices), key=natural))

    def by_content(self) -> dict[str, list[int]]:
        """Indices of usable examples per content, without a companion's copies of own ones."""
        sets: dict[str, list[int]] = defaultdict(list)
        for index, content in enumerate(self.kin.contents):
            if self.usable[index] and index not in self.kin.copies_of_own:
                sets[content].append(index)
        return sets

    def own_copies(self) -> dict[int, int]:
        """Index of a usable item of the companion -> of the user's own that it is a copy of."""
        return {i: own for i, own in self.kin.copies_of_own.items() if self.usable[i]}


def all_findings(
    dataset: Dataset, facts: Sequence[Facts], kin: Kinship, usable: Sequence[bool]
) -> list[Finding]:
    """Run every rule; errors first."""
    seen = Seen(dataset, facts, kin, usable)
    findings = [finding for rule in RULES for finding in rule(seen)]
    return sorted(findings, key=lambda f: _ORDER[f.severity])


def defects(seen: Seen) -> Iterator[Finding]:
    """Items that are broken or suspicious by themselves, one finding each."""
    told = seen.dataset.modality.defects
    for example, facts in zip(seen.dataset.examples, seen.facts, strict=True):
        for kind, detail in facts.defects:
            if kind in told:
                continue
            severity, remedy = _DEFECTS.get(kind, ("warning", "Look at it."))
            yield Finding(
                kind, severity, (example.name,), f"{detail[:1].upper()}{detail[1:]}. {remedy}"
            )


def bundled_defects(seen: Seen) -> Iterator[Finding]:
    """Defects that the modality says itself how bad they are: one finding a kind."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for index, facts in enumerate(seen.facts):
        for kind, detail in facts.defects:
            if kind in seen.dataset.modality.defects:
                found[kind].append((index, detail))
    for kind, rows in found.items():
        severity, remedy = seen.dataset.modality.defects[kind]
        detail = max(rows, key=lambda row: seen.facts[row[0]].richness)[1]
        told = f"{len(rows)} of {len(seen.facts)} items: {detail}. {remedy}"
        yield Finding(kind, severity, seen.names(index for index, _ in rows), told)


def exact_copies(seen: Seen) -> Iterator[Finding]:
    """The same bytes or pixels more than once; under two labels that is a conflict."""
    beside: dict[str, list[int]] = defaultdict(list)
    for copy in seen.own_copies():
        beside[seen.kin.contents[copy]].append(copy)
    for content, same in seen.by_content().items():
        every = [*same, *beside[content]]
        labels = sorted({str(seen.dataset.examples[i].label) for i in every}, key=natural)
        if len(labels) > 1:
            remedy = f"The same item is labelled {' and '.join(labels)}. Keep the right one."
            yield Finding("label-conflict", "error", seen.names(every), remedy)
        if len(same) > 1:
            remedy = "Kept in one part. Remove all but one if they are no different examples."
            yield Finding("exact-duplicate", "warning", seen.names(same), remedy)


def copies_of_own(seen: Seen) -> Iterator[Finding]:
    """Items of the companion that the user has too, exactly or nearly: one finding for all."""
    examples, copies = seen.dataset.examples, seen.own_copies()
    pairs = [f"{examples[i].name} is {examples[own].name}" for i, own in copies.items()]
    if copies:
        remedy = f"The user's own items again ({listed(pairs, 3)}). Left out of the companion, so that nothing that tests has taught."
        yield Finding("copy-of-own", "warning", seen.names(copies), remedy)


def near_copies(seen: Seen) -> Iterator[Finding]:
    """Resized, re-encoded or slightly cropped copies, one finding per bundle."""
    sets, done = seen.by_content(), set()
    for content in sorted(seen.kin.near):
        bundle, waiting = set(), [content]
        while waiting:
            current = waiting.pop()
            if current not in bundle and current not in done:
                bundle.add(current)
                waiting += seen.kin.near.get(current, ())
        done |= bundle
        members = [index for one in bundle for index in sets.get(one, ())]
        if len(bundle) > 1:
            remedy = "Kept in one part, so that the test stays honest."
            yield Finding("near-duplicate", "info", seen.names(members), remedy)


def leaks(seen: Seen) -> Iterator[Finding]:
    """Items of a given part that are also in one that must not know them."""
    examples, sets = seen.dataset.examples, seen.by_content()
    for hidden, open_ in (("test", "train"), ("val", "train"), ("test", "val")):
        inside = {c for c, same in sets.items() if any(examples[i].part == hidden for i in same)}
        for content, same in sets.items():
            found = [i for i in same if examples[i].part == open_]
            near = inside & seen.kin.near.get(content, frozenset())
            if found and (content in inside or near):
                twins = [
                    i
                    for c in ({content} & inside or near)
                    for i in sets[c]
                    if examples[i].part == hidden
                ]
                how = "also" if content in inside else "nearly also"
                severity: Severity = "error" if content in inside else "warning"
                remedy = f"In {open_} and {how} in {hidden}: left out of {open_}."
                yield Finding("leak", severity, seen.names(found) + seen.names(twins), remedy)


def parts_and_classes(seen: Seen) -> Iterator[Finding]:
    """Classes that one given part has and another has not."""
    parts: dict[str, set[str]] = defaultdict(set)
    for example in seen.dataset.examples:
        if example.part is not None and example.label is not None:
            parts[example.part].add(example.label)
    known = set(seen.dataset.classes)
    for part in sorted(parts.keys() - {"train"}):
        missing = tuple(sorted(known - parts[part], key=natural))
        extra = tuple(sorted(parts[part] - known, key=natural))
        if missing:
            yield Finding(
                "class-missing", "warning", missing, f"Not in {part}: it cannot be measured there."
            )
        if extra:
            yield Finding("class-extra", "error", extra, f"In {part} but never trained: set aside.")


def label_twins(seen: Seen) -> Iterator[Finding]:
    """Labels that differ by case, white space or leading zeros only."""
    twins: dict[str, list[str]] = defaultdict(list)
    labels = {e.label for e in seen.dataset.examples if e.label is not None}
    for label in sorted(labels, key=natural):
        bare = "".join(label.casefold().replace("_", " ").replace("-", " ").split())
        twins[bare.lstrip("0") or bare[-1:]].append(label)
    for same in twins.values():
        if len(same) > 1:
            remedy = "Kept as different classes. If they are one, give them one spelling."
            yield Finding("label-twins", "warning", tuple(same), remedy)


def class_sizes(seen: Seen) -> Iterator[Finding]:
    """Classes with few examples, and classes far apart in size."""
    sizes = Counter(dict.fromkeys(seen.dataset.classes, 0))
    for index, example in enumerate(seen.dataset.examples):
        counts = seen.usable[index] and index not in seen.kin.copies_of_own
        if counts and example.part in (None, "train") and example.label is not None:
            sizes[example.label] += 1
    for label in seen.dataset.classes:
        if sizes[label] < FEW:
            remedy = f"{sizes[label]} usable examples. Add some: below {FEW} a class is hard to learn and to measure."
            yield Finding("tiny-class", "warning" if sizes[label] else "error", (label,), remedy)
    least, most = min(sizes.values(), default=0), max(sizes.values(), default=0)
    if most > SKEW * max(least, 1):
        where = tuple(label for label in seen.dataset.classes if sizes[label] in (least, most))
        remedy = f"From {least} to {most} examples a class. Classes are weighted; look at balanced accuracy."
        yield Finding("imbalance", "warning", where, remedy)


def odd_sizes(seen: Seen) -> Iterator[Finding]:
    """Items far larger or smaller than the middle one."""
    scales = [f.scale for f in seen.facts if f.scale > 0]
    middle = median(scales) if scales else 0
    odd = [i for i, f in enumerate(seen.facts) if f.scale > 0 and seen.usable[i]
           and not middle / ODD_SIZE <= f.scale <= middle * ODD_SIZE]  # fmt: skip
    if odd:
        remedy = f"Over {ODD_SIZE} times off the middle size ({middle:g}). Resized like all; look whether they belong."
        yield Finding("odd-size", "info", seen.names(odd), remedy)


def odd_modes(seen: Seen) -> Iterator[Finding]:
    """Items of a rare mode (grey among colour, palette, 16 bits), one finding per mode."""
    modes: dict[str, list[int]] = defaultdict(list)
    for index, facts in enumerate(seen.facts):
        if seen.usable[index] and "mode" in facts.form:
            modes[str(facts.form["mode"])].append(index)
    usual = max(modes, key=lambda mode: len(modes[mode]), default="")
    for mode, indices in sorted(modes.items()):
        if mode != usual and len(indices) <= max(1, ODD_SHARE * len(seen.facts)):
            severity, what = seen.dataset.modality.defects.get(
                "odd-mode", ("info", "Converted when read.")
            )
            remedy = f"Mode {mode}, where most are {usual}. {what}"
            yield Finding("odd-mode", severity, seen.names(indices), remedy)


def ignored(seen: Seen) -> Iterator[Finding]:
    """Hidden and foreign files."""
    if seen.dataset.ignored:
        remedy = "Not used: hidden, or no file of this kind of data, or outside the class folders."
        yield Finding("ignored-file", "info", tuple(seen.dataset.ignored), remedy)


Rule = Callable[[Seen], Iterator[Finding]]
RULES: tuple[Rule, ...] = (
    defects, bundled_defects, exact_copies, leaks, copies_of_own, near_copies, parts_and_classes, label_twins, class_sizes,
    odd_sizes, odd_modes, ignored,
)  # fmt: skip
