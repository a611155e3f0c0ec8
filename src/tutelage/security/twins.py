"""Crafted twins of the training items: made once on the teacher, at several cuts and budgets, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.files import digest_arrays, digest_json
from tutelage.modality import InputSpec
from tutelage.modality.perturb import Perturb
from tutelage.run import Run
from tutelage.security.items import REFERENCES, Items, other_class
from tutelage.security.mimicry import Crafter, Goal
from tutelage.security.pursuit import Pursuit
from tutelage.teachers import Teacher
from tutelage.teachers.cuts import interior_cut
from tutelage.training import Lesson

STEPS = 8
"""Gradients an item: twins need to be many and various more than they need to be perfect."""


@dataclass(frozen=True)
class Twins:
    """Training items with their crafted twins.

    Attributes:
        plain: (V, N, ...) views of the items, the plain one first.
        crafted: (S, N, ...) a set each.
        seen: (S,) the view that each set was made of.
        truth: (N,) class numbers.
        cuts: cuts that were imitated.
        budgets: of the sets.
    """

    plain: npt.NDArray[Any]
    crafted: npt.NDArray[Any]
    seen: npt.NDArray[np.int64]
    truth: npt.NDArray[np.int64]
    cuts: tuple[int, ...]
    budgets: tuple[float, ...]


def make_twins(lesson: Lesson, teacher: Teacher, indices: Sequence[int], reads: Sequence[int], perturb: Perturb, views: int, run: Run, steps: int = STEPS, device: str = "cpu") -> Twins:  # fmt: skip
    """Twins of training items: copies, mimicry and displacement at the last cut and an interior one, of one view after the other.

    Args:
        lesson: whose items they are.
        teacher: the public one.
        indices: readable items.
        reads: stages that the student's head reads.
        perturb: of the modality.
        views: of each item, for the plain side.
        run: hears progress.
        steps: gradients an item.
        device: where the teacher runs.
    """
    spec = lesson.activations.spec
    rows = lesson.activations.gather(0, indices, views).read(0, len(indices) * views)["x"]
    plain = rows.reshape(len(indices), views, *rows.shape[1:]).swapaxes(0, 1)
    depth, inner = len(teacher.card.stages), interior_cut(teacher.card, 0.7)
    low, high = perturb.graded, 2 * perturb.graded
    wanted: list[tuple[Goal, int, float]] = [
        ("copy", depth, high), ("copy away", depth, low), ("mimic", inner, high), ("displace", depth, high),
        ("copy away", depth, high), ("copy", depth, low), ("mimic", depth, high), ("copy", inner, high),
    ]  # fmt: skip
    sets = []
    for number, (goal, cut, budget) in enumerate(wanted):
        items = training_items(lesson, indices, plain[number % views], spec, number)
        crafter = Crafter(teacher, spec, perturb, lesson.seed + number, device)
        told = partial(run.progress, f"twins: {goal} at cut {cut}", total=len(items))
        made = crafter.craft(items, goal, cut, reads, budget, Pursuit(steps, start=0.5), told)
        sets.append(made["windows"])
    seen = np.arange(len(wanted)) % views
    return Twins(plain, np.stack(sets), seen, lesson.truth(indices), tuple(sorted({c for _, c, _ in wanted})), (low, high))  # fmt: skip


def training_items(lesson: Lesson, indices: Sequence[int], windows: npt.NDArray[Any], spec: InputSpec, number: int) -> Items:  # fmt: skip
    """Training items as something to attack: targets drawn from digests, references from among themselves."""
    truth, classes = lesson.truth(indices), lesson.classes
    digests = [lesson.checked.digests[i] for i in indices]
    targets = np.array([other_class(f"twin|{number}|{d}", t, range(len(classes))) for d, t in zip(digests, truth, strict=True)])  # fmt: skip
    chosen = np.concatenate([np.flatnonzero(truth == c)[:REFERENCES] for c in range(len(classes))])
    names = tuple(lesson.dataset.examples[i].name for i in indices)
    digest = digest_json(
        [
            "twins",
            number,
            digest_arrays({"windows": windows}),
            digests,
            truth.tolist(),
            spec.as_json(),
            list(classes),
        ]
    )
    return Items(windows, truth, targets, names, classes, windows[chosen], truth[chosen], digest)
