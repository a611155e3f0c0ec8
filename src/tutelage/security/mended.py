"""One student, mended by one remedy with one seed: from the parent's network to a finished student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tutelage.data import Parts, carve_validation
from tutelage.heads.choose import class_weights, fit_heads
from tutelage.heads.linear import LinearHead
from tutelage.heads.rows import ArrayRows, TrainingRows
from tutelage.network.decision import FreezeDecision
from tutelage.network.fold import fold_held
from tutelage.network.stages import Network
from tutelage.network.taps import Tapped
from tutelage.runtime import Runtime
from tutelage.security.consistency import Parent, read_all, tune_consistently
from tutelage.security.eye import as_values
from tutelage.security.relevant import reset_slice
from tutelage.security.remedies import Remedy
from tutelage.security.subject import Subject
from tutelage.security.twins import Twins, make_twins
from tutelage.student import Student
from tutelage.training import Lesson, Trained
from tutelage.training.head import fit_head
from tutelage.training.loop import HeadModule, Pupil
from tutelage.training.recipe import recipe_for
from tutelage.training.tail import Tuned, class_shares, rate_groups
from tutelage.training.train import finished

VIEWS = 4
"""Of each training item; the plain one first."""

HELD = 0.15
"""Share of the training groups that is kept aside, to calibrate on."""


@dataclass(frozen=True)
class Start:
    """What every remedy and seed starts from.

    Attributes:
        lesson: the parent's data and split, with the public teacher.
        subject: the parent.
        inner: training and validation items.
        train, validation: of these the readable ones.
        head: the head to start from, and the stages that it reads.
        reads: these.
        twins: of the training items.
        parent: what the parent says of them.
        runtime: where students are trained.
    """

    lesson: Lesson
    subject: Subject
    inner: Parts
    train: tuple[int, ...]
    validation: tuple[int, ...]
    head: LinearHead
    reads: tuple[int, ...]
    twins: Twins
    parent: Parent
    runtime: Runtime

    @property
    def cuts(self) -> tuple[int, ...]:
        """Cuts that twins were made at."""
        return self.twins.cuts

    def students(self, remedy: Remedy, seeds: Sequence[int]) -> tuple[Trained, ...]:
        """One a seed."""
        return tuple(mend(self, remedy, seed) for seed in seeds)

    def lesson_for(self, student: Student) -> Lesson:
        """The lesson as a student reads it: all read the same."""
        return self.lesson


def prepare_start(lesson: Lesson, subject: Subject, runtime: Runtime) -> Start:
    """Items kept aside, the head that mending starts from, and the twins of the rest.

    A parent without tuned stages gives its head fitted anew without the items kept aside; else it gives its own.
    """
    inner = lesson.parts if lesson.parts.val else carve_validation(lesson.parts, lesson.checked, HELD)  # fmt: skip
    train, validation = (lesson.readable(0, part, 1) for part in (inner.train, inner.val))
    student = subject.student
    if student.facts.mode == "deep":
        choice = fit_head(lesson, inner.train)
        head, reads = choice.head, choice.reads
    else:
        head, reads = student.head, student.facts.reads
    views = VIEWS if lesson.teacher.modality.random_views else 1
    lesson.readable(0, inner.train, views)
    with lesson.run.phase("twins"):
        twins = make_twins(lesson, subject.teacher, train, reads, subject.perturb, views, lesson.run, device=runtime.device)  # fmt: skip
    pupil = _pupil(lesson, student.teacher.fresh(), head, reads)
    runtime.prepare(pupil)
    parent = Parent.of(pupil, twins, runtime)
    return Start(lesson, subject, inner, train, validation, head, reads, twins, parent, runtime)


def _pupil(lesson: Lesson, network: Network, head: LinearHead, reads: tuple[int, ...]) -> Pupil:
    """From windows to logits: a network under a head, in eval mode."""
    body = Tapped([stage.module for stage in network.stages], reads, 0, lesson.teacher.prepare(lesson.activations.spec))  # fmt: skip
    return Pupil(body, HeadModule(head), reads).eval()


def mend(start: Start, remedy: Remedy, seed: int) -> Trained:
    """Train one student; its trunk is no longer the teacher's, so its cut is 0."""
    lesson, network = start.lesson, start.subject.student.teacher.fresh()
    network.model.requires_grad_(True)
    pupil = _pupil(lesson, network, start.head, start.reads)
    if remedy.reset:
        reset_slice(pupil.tail, start.twins.plain[0], remedy.reset)
    unfold = fold_held(pupil.tail, {"x": as_values(start.twins.plain[0][:2])})
    history = []
    with lesson.run.phase("mend"):
        for record in tune_consistently(pupil, start.twins, remedy, rate_groups(network.stages, pupil, remedy.stage_decay), class_shares(lesson, start.train), seed, start.parent, start.runtime):  # fmt: skip
            lesson.run.log({"remedy": remedy.name, "seed": seed, **record})
            history.append(record)
        head = _refitted(start, pupil)
    pupil.cpu()
    unfold()
    network.model.eval().requires_grad_(False)
    return _finished(start, remedy, seed, network, head, tuple(history))


def _refitted(start: Start, pupil: Pupil) -> LinearHead:
    """A head in closed form on what the mended network says of the items' views and of their twins."""
    twins, lesson = start.twins, start.lesson
    pupil.eval()
    windows = np.concatenate([*twins.plain, *twins.crafted])
    seen = read_all(pupil, windows, start.runtime).cpu().numpy()
    items = len(twins.truth)
    many = len(windows) // items
    targets = lesson.task.targets(lesson.labels(start.train), lesson.classes)
    rows = TrainingRows(
        ArrayRows(seen), np.tile(targets, (many, 1)), np.tile(np.arange(items), many),
        np.arange(len(windows)) < items, np.tile(class_weights(targets) / many, many),
    )  # fmt: skip
    stages = lesson.teacher.card.stages
    widths = [stages[k - 1].width for k in (*start.reads, len(stages))] if start.reads else []
    return fit_heads(rows, classes=len(lesson.classes), blocks=widths).head


def _finished(start: Start, remedy: Remedy, seed: int, network: Network, head: LinearHead, history: Sequence[dict[str, Any]]) -> Trained:  # fmt: skip
    lesson = start.lesson
    empty = np.zeros((0, len(lesson.classes)))
    tuned = Tuned(network, head, start.reads, start.train, start.validation, tuple(history), empty, empty)  # fmt: skip
    names = lesson.teacher.card.names
    because = (f"hardened by {remedy.name}: {remedy.because}", "no stage is the teacher's any more, because a frozen trunk cannot be protected by a head")  # fmt: skip
    decision = FreezeDecision("full", 0, names, because, asked=True)
    recipe = replace(
        recipe_for("full", len(start.train), len(lesson.classes)), epochs=remedy.epochs, views=len(start.twins.plain),
        learning_rate=remedy.learning_rate, stage_decay=remedy.stage_decay, weight_decay=0.01,
    )  # fmt: skip
    trained = finished(replace(lesson, seed=seed), decision, recipe, tuned)
    student = trained.student
    facts = replace(student.facts, recipe={**student.facts.recipe, "remedy": remedy.as_json(), "parent": start.subject.student.digest})  # fmt: skip
    return replace(trained, student=replace(student, facts=facts))
