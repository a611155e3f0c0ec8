"""THE STORY: from a folder of photos to a student. One room a line, no logic."""

from __future__ import annotations

from typing import Any

from tutelage.advisor import advise
from tutelage.data import check, open_source, split
from tutelage.report import Fitted, evaluate_test, ship
from tutelage.run import Run, alone, resumable
from tutelage.runtime import open_runtime
from tutelage.teachers import Teacher, load_teacher
from tutelage.training import FitOptions, fetching, open_facts, open_lesson, require, train


def tell_story(source: Any, labels: Any, options: FitOptions, run: Run, own_teacher: Teacher | None = None, beside: Any = ()) -> Fitted:  # fmt: skip
    """Make a student of ``source`` in ``run``'s folder; goes on where an interrupted run ended."""
    with alone(run), resumable(run):
        with run.phase("teacher"):
            teacher = own_teacher or load_teacher(options.asked, line=fetching(run))
        with run.phase("check"), open_facts(source) as facts:
            data = open_source(source, labels=labels, modality=teacher.modality, group_by=options.group_by, test=options.test, companion=options.companion)  # fmt: skip
            checked = check(data, full=False, facts_cache=facts, progress=run.told("check"))
        with run.phase("split"):
            parts = split(checked, split_seed=options.split_seed, test_share=options.test_share, per_class_train=options.per_class_train)  # fmt: skip
            require(options, checked, parts)
        with open_lesson(checked, parts, teacher, options, run) as lesson:
            decision = advise(lesson, freeze=options.freeze, mode=options.mode, keep_classes=options.keep_classes)  # fmt: skip
            trained = train(lesson, decision, open_runtime(options.device), options.deadline(run), keep_classes=options.keep_classes)  # fmt: skip
            results = evaluate_test(lesson, trained)
            return ship(lesson, trained, results, options, run, beside)
