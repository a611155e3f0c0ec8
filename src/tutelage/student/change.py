"""A student that learns a few more items, or forgets some, without looking at any other item again.

The closed forms know their training rows only by sums (``heads.statistics``), so adding rows to them and taking
rows out of them is exact: the head is that of a fit on the other items, at the same scaling, weights and
penalties. Its temperature and the scale of its reject score stay those of the parent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.data import Checked
from tutelage.errors import DataError, UsageError
from tutelage.features.activations import Activations
from tutelage.heads.refit import refit, row_weights
from tutelage.heads.reject import RejectRule
from tutelage.heads.spanned import Spanned
from tutelage.heads.statistics import Statistics
from tutelage.modality import Item
from tutelage.run import Run
from tutelage.student.artefact import Student
from tutelage.student.golden import answered

HELD = ("test", "val")
"""Parts that stay unlearned."""

TIED = ("aside: leak", "aside: group-joins-parts")
"""Why items were set aside that must not be learned later either."""

Register = Sequence[Mapping[str, str]]
"""Rows of a run's ``split.csv``: name, label, part, group, digest."""


@dataclass(frozen=True)
class Change:
    """Which items change a student.

    Attributes:
        indices: of the source's items; to forget one that was learned twice, twice.
        labels: of these, as they were learned.
        forget: whether they are taken out.
        passed: sentences on items that change nothing.
    """

    indices: tuple[int, ...]
    labels: tuple[str, ...]
    forget: bool
    passed: tuple[str, ...]


def require_exact(student: Student, *, forget: bool = False) -> None:
    """Only a closed-form head on a frozen network can be changed exactly; to forget, in the engine that it learned in.

    Raises:
        UsageError: this one is another.
    """
    facts = student.facts
    why = (
        "its last layers are tuned" if facts.mode != "deep"
        else "it still knows its teacher's classes" if facts.kept
        else "its head was refined by gradient steps, or an older version made it" if not (facts.parts and student.statistics)
        else student.stands_in if forget
        else ""
    )  # fmt: skip
    if why:
        raise UsageError(
            "not-exact", given=f"a student that cannot be changed exactly: {why}", expected="a closed-form head on a frozen network",
            next="Fit again with all photos: what was seen is in the cache, so only new ones are computed.",
        )  # fmt: skip


def plan_change(register: Register, checked: Checked, *, forget: bool) -> Change:
    """Who is to be added, or taken out, of the items of a source.

    Args:
        register: of the parent's run.
        checked: the source's items.

    Raises:
        DataError: no item is left.
    """
    digests, labels = checked.digests, [str(e.label) for e in checked.dataset.examples]
    parts, held = _parts(register), {row["group"] for row in register if row["part"] in HELD}
    told: dict[str, int] = {}
    chosen: dict[str, int] = {}
    ambiguous = _ambiguous(digests, labels)
    for index, digest in enumerate(digests):
        part = "test" if checked.groups[index] in held and not forget else parts.get(digest)
        why = _passed(digest, part, ambiguous, checked.usable[index], digest in chosen, forget)
        if why:
            told[why] = told.get(why, 0) + 1
        else:
            chosen[digest] = index
    if not chosen:
        reasons = "; ".join(f"{count} {why}" for why, count in told.items())
        raise DataError(
            "nothing-to-change", given=f"no item of it changes the student: {reasons or 'it is empty'}",
            expected="items that it has learned" if forget else "items that it has not seen", next="Look at: tutelage check DATA",
        )  # fmt: skip
    passed = tuple(f"{count} items {why}: passed over" for why, count in told.items())
    if not forget:
        return Change(tuple(chosen.values()), tuple(labels[i] for i in chosen.values()), False, passed)  # fmt: skip
    learned = [row for row in register if row["part"] == "train" and row["digest"] in chosen]
    return Change(tuple(chosen[row["digest"]] for row in learned), tuple(row["label"] for row in learned), True, passed)  # fmt: skip


def _parts(register: Register) -> dict[str, str]:
    """Content -> the part that it has; of a content in several, the one that must stay unlearned."""
    order = {"test": 0, "val": 1, "train": 2}
    ranked = sorted(register, key=lambda row: order.get(row["part"], 3), reverse=True)
    return {row["digest"]: row["part"] for row in ranked}


def _ambiguous(digests: Sequence[str], labels: Sequence[str]) -> frozenset[str]:
    """Contents that come under two labels."""
    first: dict[str, str] = {}
    return frozenset(d for d, label in zip(digests, labels, strict=True) if first.setdefault(d, label) != label)  # fmt: skip


def _passed(digest: str, part: str | None, ambiguous: frozenset[str], usable: bool, again: bool, forget: bool) -> str:  # fmt: skip
    """Why an item changes nothing; empty if it does."""
    if not usable:
        return "cannot be read"
    if again:
        return "are copies of others"
    if forget:
        return "" if part == "train" else "are not among those that it learned from"
    if digest in ambiguous:
        return "come under two labels"
    if part == "train":
        return "are known to it already"
    if part in TIED:
        return "were set aside, because they are tied to its test part"
    return "are in its test part, or of a group of it" if part in HELD else ""


@contextmanager
def open_changed(student: Student, checked: Checked, tested: Register, run: Run) -> Iterator[Activations]:  # fmt: skip
    """What the student's teacher sees in the items of a source, followed by test items of its register."""
    facts = student.facts
    items: list[Item] = [example.item for example in checked.dataset.examples]
    digests = [*checked.digests, *(row["digest"] for row in tested)]
    with Activations(student.teacher, facts.spec, student.engine, [*items, *("" for _ in tested)], digests, announce=run.progress) as activations:  # fmt: skip
        yield activations


def seen(student: Student, change: Change, activations: Activations, run: Run) -> tuple[Change, npt.NDArray[np.float32], int]:  # fmt: skip
    """The change without items whose bodies cannot be read, their features (N V, D), and V.

    Raises:
        DataError: none can be read.
    """
    views, depth = int(student.facts.recipe["views"]), student.facts.frozen
    with run.phase("features"):
        readable = set(activations.ensure(depth, change.indices, views))
        kept = [pair for pair in zip(change.indices, change.labels, strict=True) if pair[0] in readable]  # fmt: skip
        if not kept:
            raise DataError(
                "all-unreadable", given=f"none of {len(change.indices)} items can be read", expected="readable items",
                next="See what is wrong with: tutelage check DATA",
            )  # fmt: skip
        change = replace(change, indices=tuple(i for i, _ in kept), labels=tuple(name for _, name in kept))  # fmt: skip
        rows = np.concatenate(list(activations.features(change.indices, views, student.facts.reads)))  # fmt: skip
    return change, rows, views


def changed(student: Student, change: Change, rows: npt.NDArray[np.float32], views: int) -> Student:
    """The student after the change.

    Args:
        change: V rows an item.
        rows: (N V, D) features of its items, all views, as the head reads them.
        views: V.

    Raises:
        DataError: a class would have no item left.
    """
    new = sorted(set(change.labels) - set(student.facts.classes))
    classes = (*student.facts.classes, *new)
    before = Spanned.from_arrays(student.statistics).widened(len(classes))
    truth = np.repeat([classes.index(label) for label in change.labels], views)
    weights = row_weights(
        before.statistics, {c: int((truth == c).sum()) for c in range(len(classes))}
    )[truth]
    chunk = student.head.scaling.apply(rows), np.eye(len(classes))[truth], weights
    after = before.remove(*chunk) if change.forget else before.add(*chunk)
    _require_all(classes, after.statistics)
    head = refit(student.facts.parts, after, student.head.scaling)
    head = replace(head, temperature=student.head.temperature)
    reject = _joined(student.reject, rows, truth, len(student.facts.classes))
    facts = replace(student.facts, classes=classes, files={}, by_reference=False)
    draft = replace(student, facts=facts, head=head, reject=reject, statistics=after.as_arrays(), folder=None)  # fmt: skip
    return replace(draft, golden=answered(draft, draft.golden))


def without_forgotten(student: Student, change: Change, activations: Activations) -> Student:
    """The student without golden inputs of items that it is to forget; their pixels or words would stay with it."""
    modality, spec = student.teacher.modality, student.facts.spec
    kept = np.ones(len(student.golden["probabilities"]), bool)
    for index in set(change.indices) if change.forget else ():
        seen = modality.collate([modality.augment(modality.decode(activations.items[index], spec), spec, None)])  # fmt: skip
        kept &= ~np.logical_and.reduce([_same(student.golden[f"input/{n}"], a[0]) for n, a in seen.items()])  # fmt: skip
    return student if kept.all() else replace(student, golden={n: a[kept] for n, a in student.golden.items()})  # fmt: skip


def _same(rows: npt.NDArray[Any], one: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which rows (G, ...) are an item (...), but for zeros behind either."""
    if one.ndim and rows.shape[1] != len(one):
        wide = max(rows.shape[1], len(one))
        more = [(0, 0)] * (one.ndim - 1)
        rows = np.pad(rows, [(0, 0), (0, wide - rows.shape[1]), *more])
        one = np.pad(one, [(0, wide - len(one)), *more])
    return np.array([np.array_equal(row, one) for row in rows], bool)


def _require_all(classes: Sequence[str], statistics: Statistics) -> None:
    empty = [name for name, count in zip(classes, statistics.count, strict=True) if count <= 0]
    if empty:
        raise DataError(
            "empty-class", given=f"classes {', '.join(empty)} would have no item left", expected="an item in each class",
            next="Fit again without these classes.",
        )  # fmt: skip


def _joined(rule: RejectRule, rows: npt.NDArray[np.float32], truth: npt.NDArray[np.int64], known: int) -> RejectRule:  # fmt: skip
    """The reject rule, which knows where each new class is too."""
    own = rule.scaled(rows)
    means = [own[truth == c].mean(0) for c in range(known, int(truth.max()) + 1)]
    return replace(rule, means=np.concatenate([rule.means, np.stack(means)])) if means else rule
