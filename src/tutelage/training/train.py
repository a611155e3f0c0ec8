"""From a decision to a student: the head alone, or the tail under it, with the guard between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.evaluation.calibration import fit_temperature
from tutelage.features.activations import Activations
from tutelage.heads.choose import HeadChoice
from tutelage.heads.linear import LinearHead
from tutelage.heads.reject import RejectRule, fit_reject
from tutelage.heads.rows import ArrayRows, TrainingRows
from tutelage.network.decision import FreezeDecision
from tutelage.runtime import Runtime
from tutelage.student import Student, StudentFacts
from tutelage.student.golden import answered
from tutelage.student.joint import old_classes, old_labels
from tutelage.student.predict import features_at
from tutelage.teachers import Card, Teacher
from tutelage.teachers.card import builder_version
from tutelage.training.budget import after_tuning
from tutelage.training.guard import guard
from tutelage.training.head import fit_reject_rule, probe
from tutelage.training.lesson import Lesson
from tutelage.training.recipe import Recipe

if TYPE_CHECKING:
    from tutelage.training.tail import Tuned

GOLDEN = 8
"""Training items kept decoded in the student, to replay where the engine changes."""


@dataclass(frozen=True)
class Trained:
    """A student with what its run wants to report.

    Attributes:
        student: not yet saved.
        decision: what was shipped; differs from the advice where the guard stepped in.
        trainable: parameters that were trained.
        total: parameters of the student.
        warnings: sentences.
    """

    student: Student
    decision: FreezeDecision
    trainable: int
    total: int
    warnings: tuple[str, ...] = ()
    head: HeadChoice | None = None


def train(lesson: Lesson, decision: FreezeDecision, runtime: Runtime, deadline: float = math.inf, *, keep_classes: bool = False) -> Trained:  # fmt: skip
    """Train the student that the decision asks for.

    Where the guard does not find the tail better than the frozen head on the validation part, the head
    is fitted on all training items and shipped instead, and that is said.

    Args:
        keep_classes: the student still knows its teacher's classes; only with a frozen network.
    """
    recipe = lesson.recipe(decision.mode)
    if decision.mode == "deep":
        trained = _head_only(lesson, decision, recipe)
        trained = replace(trained, warnings=(*lesson.dropped, *trained.warnings))
        return _still_knowing(trained, lesson) if keep_classes else trained
    from tutelage.training.tail import (
        tune_tail,  # PyTorch is imported only where something is tuned
    )

    limit = deadline if math.isinf(deadline) else deadline - after_tuning(lesson)
    tuned = tune_tail(lesson, decision, recipe, runtime, limit)
    stopped = tuple(record["stopped"] for record in tuned.history if "stopped" in record)
    verdict = guard(tuned.before, tuned.after, lesson.truth(tuned.validation), decision.prior)
    if decision.mode == "scratch" or verdict.ships:
        trained = finished(lesson, decision, recipe, tuned)
    else:
        trained = _guarded(lesson, decision, verdict.because)
    return replace(trained, warnings=(*lesson.dropped, *stopped, *trained.warnings))


def _guarded(lesson: Lesson, decision: FreezeDecision, why: str) -> Trained:
    deep = replace(decision, mode="deep", cut=lesson.depth, because=(*decision.because, why))
    recipe = lesson.recipe("deep")
    trained = _head_only(lesson, deep, recipe)
    return replace(trained, warnings=(why,))


def _head_only(lesson: Lesson, decision: FreezeDecision, recipe: Recipe) -> Trained:
    choice = probe(lesson)
    recipe = replace(recipe, views=lesson.views)  # of rows that time left
    facts = replace(_facts(lesson, decision, recipe, choice.reads), parts=choice.parts)
    reject = fit_reject_rule(lesson, lesson.parts.train, choice)
    student = _student(
        lesson, facts, lesson.teacher, choice.head, reject, choice.statistics.as_arrays()
    )
    student = replace(student, golden=answered(student, student.golden))
    size = choice.head.weight.size + choice.head.bias.size
    return Trained(student, decision, size, lesson.teacher.card.parameters + size, head=choice)


def _still_knowing(trained: Trained, lesson: Lesson) -> Trained:
    """The student with its teacher's classes beside its own."""
    student = trained.student
    facts = replace(student.facts, kept=old_labels(lesson.teacher, lesson.classes))
    joint = replace(student, facts=facts, old=old_classes(lesson.teacher))
    return replace(trained, student=replace(joint, golden=answered(joint, joint.golden)))


def finished(lesson: Lesson, decision: FreezeDecision, recipe: Recipe, tuned: Tuned) -> Trained:
    """A student of what tuning gave, calibrated on the validation part."""
    card = lesson.teacher.card
    tensors = {n: t.numpy() for n, t in tuned.network.model.state_dict().items()}
    own = replace(lesson.teacher, tensors=lambda: tensors)
    facts = _facts(lesson, decision, recipe, tuned.reads)
    draft = _student(lesson, facts, own, tuned.head, None, {})
    with lesson.run.phase("calibrate"):
        student = _calibrated(lesson, draft, tuned)
    head = tuned.head.weight.size + tuned.head.bias.size
    return Trained(student, decision, tuned.trainable, card.parameters + head)


def _calibrated(lesson: Lesson, draft: Student, tuned: Tuned) -> Student:
    """The draft with temperature and reject threshold from the validation part, through the path of ``predict``."""
    left_out = features_at(draft, lesson.activations, tuned.validation)
    truth = lesson.truth(tuned.validation)
    temperature = fit_temperature(draft.head.logits(left_out), truth)
    head = replace(draft.head, temperature=temperature)
    own = features_at(draft, lesson.activations, tuned.train)
    rows = _plain_rows(lesson, own[:, -lesson.teacher.card.width :], tuned.train)
    reject = fit_reject(rows, head, left_out=left_out)
    finished = replace(draft, head=head, reject=reject)
    return replace(finished, golden=answered(finished, finished.golden))


def _plain_rows(lesson: Lesson, features: Any, indices: Sequence[int]) -> TrainingRows:
    count = len(indices)
    targets = lesson.task.targets(lesson.labels(indices), lesson.classes)
    return TrainingRows(
        rows=ArrayRows(features), targets=targets, groups=lesson.group_numbers(indices),
        scored=np.ones(count, bool), weights=np.ones(count),
    )  # fmt: skip


def _facts(lesson: Lesson, decision: FreezeDecision, recipe: Recipe, reads: tuple[int, ...]) -> StudentFacts:  # fmt: skip
    card: Card = lesson.teacher.card
    return StudentFacts(
        classes=lesson.classes, task=lesson.task.kind, modality=lesson.teacher.modality.name,
        mode=decision.mode, cut=decision.cut, card=card, built_with=builder_version(card.architecture),
        spec=lesson.activations.spec, engine=lesson.activations.engine,
        recipe={**recipe.as_json(), "seed": lesson.seed}, reads=reads,
    )  # fmt: skip


def _student(lesson: Lesson, facts: StudentFacts, teacher: Teacher, head: LinearHead, reject: RejectRule | None, statistics: Any) -> Student:  # fmt: skip
    """A student with its golden inputs, which it has not answered yet."""
    indices = lesson.readable(facts.frozen, lesson.parts.train[:GOLDEN], 1)
    golden = _golden(lesson.activations, facts.frozen, indices)
    return Student(facts, teacher, head, reject or RejectRule.blank(head), statistics, golden)


def _golden(activations: Activations, cut: int, indices: Sequence[int]) -> dict[str, Any]:
    modality, spec = activations.teacher.modality, activations.spec
    decoded = [modality.augment(modality.decode(activations.items[i], spec), spec, None) for i in indices]  # fmt: skip
    inputs = {f"input/{n}": a for n, a in modality.collate(decoded).items()}
    rows = activations.gather(cut, indices, 1).read(0, len(indices))
    return {**inputs, **{f"activation/{n}": a for n, a in rows.items()}}
