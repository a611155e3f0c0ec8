"""THE STORY: from a folder of photos to a student, to advice alone, or to a look. One room a line, no logic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutelage.advisor import advise, settle, take
from tutelage.data import check, claimed, open_source, split, thin
from tutelage.report import Advised, Fitted, evaluate_test, ship, tell_advice
from tutelage.report.change import (
    grouped_by,
    read_register,
    reported_items,
    score_again,
    ship_change,
)
from tutelage.run import Run, alone, metered, resumable
from tutelage.runtime import open_runtime
from tutelage.student import load
from tutelage.student.change import (
    changed,
    open_changed,
    plan_change,
    require_exact,
    seen,
    without_forgotten,
)
from tutelage.teachers import Teacher, expect
from tutelage.training import FitOptions, Lesson, fetching, open_facts, open_lesson, require, train

if TYPE_CHECKING:
    from tutelage.viewing import Subject, Wish


def tell_story(source: Any, labels: Any, options: FitOptions, run: Run, own_teacher: Teacher | None = None, beside: Any = ()) -> Fitted:  # fmt: skip
    """Make a student of ``source`` in ``run``'s folder; goes on where an interrupted run ended."""
    with alone(run), resumable(run), metered(run), prepared(source, labels, options, run, own_teacher) as lesson:  # fmt: skip
        decision = advise(lesson, freeze=options.freeze, mode=options.mode, keep_classes=options.keep_classes, deadline=options.deadline(run))  # fmt: skip
        trained = train(lesson, decision, open_runtime(options.device), options.deadline(run), keep_classes=options.keep_classes)  # fmt: skip
        results = evaluate_test(lesson, trained)
        return ship(lesson, trained, results, options, run, beside)


def tell_verdict(source: Any, labels: Any, options: FitOptions, run: Run, own_teacher: Teacher | None = None, scores: bool = False) -> Advised:  # fmt: skip
    """What ``tell_story`` would decide, and why; nothing is trained."""
    with alone(run), metered(run), prepared(source, labels, options, run, own_teacher) as lesson:
        decision = advise(lesson, deadline=options.deadline(run), scores=scores)
        return tell_advice(lesson, decision, run)


def tell_change(parent: Path, source: Any, labels: Any, run: Run, forget: bool = False) -> Fitted:
    """Let a finished student learn a few more items, or forget some; no other item is looked at again."""
    with alone(run), metered(run):
        student, register = load(parent), read_register(parent)
        require_exact(student, forget=forget)
        with run.phase("check"), open_facts(source) as facts:
            grouped = None if forget else grouped_by(parent)
            checked = check(open_source(source, labels=labels, modality=student.teacher.modality, least=1, group_by=grouped), full=False, facts_cache=facts)  # fmt: skip
        change = plan_change(register, checked, forget=forget)
        tested = reported_items(register)
        with open_changed(student, checked, tested, run) as activations:
            change, rows, views = seen(student, change, activations, run)
            with run.phase("head"):
                after = changed(
                    without_forgotten(student, change, activations), change, rows, views
                )
            with run.phase("evaluate"):
                metrics = score_again(after, tested, activations, len(checked.digests))
            return ship_change(
                after, student, parent, register, checked, change, metrics, activations, run
            )


def tell_view(subject: Subject, wish: Wish, run: Run) -> dict[str, Any]:
    """What the layers of a teacher, or of a finished student, see in somebody's items."""
    from tutelage.report.view import tell_atlas  # PyTorch is imported only where somebody looks
    from tutelage.viewing import draw_atlas

    with alone(run), metered(run), prepared(subject.source, subject.labels, subject.options, run, subject.own) as lesson:  # fmt: skip
        atlas = draw_atlas(lesson, subject, wish)
        return tell_atlas(atlas, run)


@contextmanager
def prepared(source: Any, labels: Any, options: FitOptions, run: Run, own_teacher: Teacher | None = None) -> Iterator[Lesson]:  # fmt: skip
    """The data checked while the teacher loads, and split; the teacher chosen if there are several, the cache open."""
    with run.phase("teacher"):
        expected = expect(take(options), own_teacher, fetching(run), claimed(source))
    with run.phase("check"), open_facts(source) as facts:
        data = open_source(source, labels=labels, modality=expected.modality, group_by=options.group_by, test=options.test, companion=options.companion)  # fmt: skip
        checked = check(data, full=False, facts_cache=facts, progress=run.told("check"), near=options.near_duplicates)  # fmt: skip
    with run.phase("teacher"):
        teacher = expected.ready()
    with run.phase("split"):
        parts = split(checked, split_seed=options.split_seed, test_share=options.test_share, per_class_train=options.per_class_train)  # fmt: skip
        parts = thin(parts, checked, options.train_share, options.split_seed)
        require(options, checked, parts)
    chosen = settle(teacher, options, checked, parts, run)
    with open_lesson(checked, parts, chosen.teacher, options, run, chosen.told) as lesson:
        yield lesson
