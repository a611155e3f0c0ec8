"""THE STORY of hardening: try remedies in order, besiege what comes out, and tell what it cost; keep the best."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.comparison.original import Original, read_original
from tutelage.errors import UsageError
from tutelage.evaluation.calibration import expected_calibration_error
from tutelage.files import read_json, write_json, write_text
from tutelage.modality import lacking
from tutelage.pipeline import prepared
from tutelage.report import evaluate_test, ship
from tutelage.report.audits import render_harden
from tutelage.run import Listener, Run, alone, metered, open_run, silent
from tutelage.runtime import Runtime, open_runtime
from tutelage.security.adaptive import besiege, plan
from tutelage.security.control import choose_control
from tutelage.security.inquiry import Inquiry
from tutelage.security.items import choose_items, known_items
from tutelage.security.judged import Price, Siege, met, published_level, reductions
from tutelage.security.mended import Start, prepare_start
from tutelage.security.presets import Preset, preset_named
from tutelage.security.refitted import Refit, refitting
from tutelage.security.remedies import LADDERS, SEARCHED, Remedy
from tutelage.security.story import tell
from tutelage.security.subject import Subject, open_subject
from tutelage.student import Student
from tutelage.student.predict import features_at, judge
from tutelage.teachers import Teacher
from tutelage.training import Lesson, Trained

FRESH = 1_000
"""Added to the seed of everything that attacks a hardened student."""


@dataclass(frozen=True)
class Tried:
    """One remedy with what came of it."""

    remedy: Remedy
    trained: tuple[Trained, ...]
    sieges: tuple[Siege, ...]
    price: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]
    reduced: dict[str, Any]
    met: bool
    told: tuple[str, ...]


def harden_run(
    folder: str | Path, *, preset: str = "quick", items: int | None = None, seeds: int = 3, seed: int = 0, remedies: Sequence[str] = (),
    control: str | Teacher | None = None, teacher: Teacher | None = None, out: Path = Path("runs"), device: str = "auto",
    listener: Listener = silent,
) -> dict[str, Any]:  # fmt: skip
    """Harden the student of a finished fit, in a new folder below ``out/harden``; see ``tutelage.api.harden``."""
    original = read_original(Path(folder))
    subject, chosen, runtime = (
        open_subject(original.folder, teacher),
        preset_named(preset, items),
        open_runtime(device),
    )
    mendable(subject)
    options = original.asked("full" if subject.perturb.search is None else "deep", seed, None)
    args = {"source": original.source, "options": options.as_json(), "of": str(original.folder), "seeds": seeds, "preset": chosen.as_json()}  # fmt: skip
    run = open_run(out, "harden", original.folder.name, args, listener)
    with alone(run), metered(run), prepared(original.source, None, options, run, teacher) as lesson:
        inquiry = _inquiry(subject, original, run, chosen, control, seed + FRESH, runtime)
        with started(lesson, subject, runtime) as start:
            tried = try_all(start, inquiry, _ladder(subject, remedies), range(seed, seed + seeds), run)  # fmt: skip
            best = max(tried, key=_worth)
            read = start.lesson_for(best.trained[0].student)
            shipped = ship(read, best.trained[0], evaluate_test(read, best.trained[0]), options, run)  # fmt: skip
        told = _told(best, tried, shipped.student, original, run)
        write_json(run.folder / "results.json", told)
        write_text(run.folder / "harden.html", render_harden(told))
    return told


def mendable(subject: Subject) -> None:
    """Refuse what no remedy fits.

    Raises:
        NotYetError: items cannot be moved by gradients, and the student is tuned: only heads are mended there.
        UsageError: the student still knows its teacher's classes, which tuned layers forget.
    """
    if subject.perturb.search is not None and subject.student.facts.mode != "deep":
        raise lacking(subject.student.teacher.modality, "hardening of a tuned student")
    if subject.student.facts.kept:
        raise UsageError(
            "keeps-classes", given="a student that still knows its teacher's classes, which every remedy would make it forget",
            expected="a student of its own classes alone", next="Fit one without --keep-classes, and harden that.",
        )  # fmt: skip


def _inquiry(subject: Subject, original: Original, run: Run, preset: Preset, control: str | Teacher | None, seed: int, runtime: Runtime) -> Inquiry:  # fmt: skip
    known = known_items(original.folder, subject.student)
    items = choose_items(known, subject.student, preset.items, seed)
    beside = choose_control(subject.teacher, control, items.references, subject.student.facts.spec, seed)  # fmt: skip
    return Inquiry(subject, items, beside, preset, seed, run, device=runtime.device)


def _ladder(subject: Subject, asked: Sequence[str]) -> tuple[Remedy, ...]:
    """The remedies of the student's mode, in order; those asked for, if some are."""
    every = LADDERS[subject.student.facts.mode] if subject.perturb.search is None else SEARCHED
    unknown = sorted(set(asked) - {r.name for r in every})
    if unknown:
        raise UsageError(
            "no-such-remedy", given=f"--remedies {','.join(unknown)}", expected=f"some of {', '.join(r.name for r in every)}",
            next="Leave --remedies out, and all are tried in order.",
        )  # fmt: skip
    return tuple(r for r in every if r.name in asked) if asked else every


@contextmanager
def started(lesson: Lesson, subject: Subject, runtime: Runtime) -> Iterator[Start | Refit]:
    """What remedies start from: twins and a network to tune, or a head to fit on what is restored."""
    if subject.perturb.search is None:
        yield prepare_start(lesson, subject, runtime)
        return
    with refitting(lesson, subject, runtime) as start:
        yield start


def try_all(start: Start | Refit, inquiry: Inquiry, ladder: Sequence[Remedy], seeds: Sequence[int], run: Run) -> list[Tried]:  # fmt: skip
    """Remedies in order, until one meets the bar."""
    with run.phase("audit before"):
        before = tell(inquiry)
    tried: list[Tried] = []
    for remedy in ladder:
        tried.append(_try(start, inquiry, remedy, seeds, before, run))
        run.log({"remedy": remedy.name, "met": tried[-1].met, "told": list(tried[-1].told)})
        if tried[-1].met:
            break
    return tried


def _try(start: Start | Refit, inquiry: Inquiry, remedy: Remedy, seeds: Sequence[int], before: Mapping[str, Any], run: Run) -> Tried:  # fmt: skip
    trained = start.students(remedy, seeds)
    with run.phase("price"):
        price = _price(start, inquiry.subject.student, trained).as_json()
    with run.phase("siege"):
        sieges = tuple(besiege(inquiry, [t.student for t in trained], plan(inquiry, start.cuts)))
    with run.phase("audit after"):
        subject = Subject(trained[0].student, inquiry.subject.teacher, inquiry.subject.told)
        after = tell(replace(inquiry, subject=subject))
    reduced = reductions(sieges, inquiry.perturb.graded)
    reached, told = met(reduced, price, before["grade"], after["grade"])
    return Tried(remedy, trained, sieges, price, dict(before), after, reduced, reached, tuple(told))


def _price(start: Start | Refit, parent: Student, trained: Sequence[Trained]) -> Price:
    """Parent and hardened students on the whole test part."""
    lesson = start.lesson
    indices = lesson.readable(0, lesson.parts.test, 1)
    truth = lesson.truth(indices)
    students = (parent, *(t.student for t in trained))
    answers = [_answers(s, start.lesson_for(s), indices) for s in students]
    right = np.stack([a.argmax(1) == truth for a in answers])
    groups = tuple(lesson.checked.groups[i] for i in indices)
    ece = tuple(expected_calibration_error(a, truth) for a in answers[:2])
    return Price(right[0], right[1:], truth, groups if len(set(groups)) < len(groups) else None, (ece[0], ece[1]))  # fmt: skip


def _answers(student: Student, lesson: Lesson, indices: Sequence[int]) -> Any:
    lesson.readable(student.facts.frozen, indices, 1)
    return judge(student, features_at(student, lesson.activations, indices))[0]


def _worth(tried: Tried) -> tuple[bool, bool, float]:
    """What meets the bar first; then what reaches the published level; then what takes most away for what it costs."""
    gone = [v["gone"] for v in tried.reduced.values() if v["gone"] is not None]
    return tried.met, published_level(tried.reduced, tried.price), min(gone, default=0.0) + 5 * min(0.0, tried.price["low"])  # fmt: skip


def _told(best: Tried, tried: Sequence[Tried], student: Student, original: Original, run: Run) -> dict[str, Any]:  # fmt: skip
    shipped = read_json(run.folder / "results.json")
    return {
        "schema": 1, "run": str(run.folder), "of": str(original.folder), "student": str(run.folder / "student"),
        "student_digest": student.digest, "teacher_digest": original.teacher, "teacher": best.before["teacher"],
        "parent_digest": best.before["student_digest"], "remedy": best.remedy.as_json(), "met": best.met,
        "published_level": published_level(best.reduced, best.price), "verdict": _verdict(best),
        "before": best.before, "after": {**best.after, "student_digest": student.digest}, "accuracy": best.price, "reduction": best.reduced,
        "adaptive": [s.as_json() for s in best.sieges],
        "tried": [{"remedy": t.remedy.as_json(), "met": t.met, "told": list(t.told), "reduction": t.reduced, "accuracy": t.price} for t in tried],
        "fit": shipped, "seconds": {**{k: round(v, 2) for k, v in run.seconds.items()}, "total": round(time.monotonic() - run.started, 2)},
    }  # fmt: skip


def _verdict(best: Tried) -> list[str]:
    first = (
        f"Hardened by {best.remedy.name}: the bar is met." if best.met
        else f"No remedy met the bar; {best.remedy.name} came nearest, and is what this run holds. The old student stays as it is."
    )  # fmt: skip
    return [first, *(sentence[0].upper() + sentence[1:] + "." for sentence in best.told)]
