"""THE STORY of an audit: who is it, what did it inherit, what does each adversary achieve, what is that worth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.errors import DataError
from tutelage.files import write_json, write_text
from tutelage.modality import lacking
from tutelage.report.audits import render_audit
from tutelage.report.thumbnails import write_pictures
from tutelage.run import Listener, Run, alone, open_run, silent
from tutelage.runtime import open_runtime
from tutelage.security.attacks import (
    abstention,
    accidents,
    controls,
    junk_figures,
    no_task,
    perceptual,
    teacher_only,
)
from tutelage.security.backdoor import backdoor_signs
from tutelage.security.beside import beside_rows
from tutelage.security.control import choose_control
from tutelage.security.figures import Findings, figures, verdict
from tutelage.security.fingerprint import fingerprints
from tutelage.security.inheritance import read_inheritance
from tutelage.security.inquiry import Inquiry
from tutelage.security.items import choose_items, known_items
from tutelage.security.labels import label_rows
from tutelage.security.pictures import pictures
from tutelage.security.presets import Preset, preset_named
from tutelage.security.provenance import read_provenance
from tutelage.security.reference import white_box
from tutelage.security.subject import Subject, open_subject
from tutelage.security.trigger import trigger_rows
from tutelage.teachers import Asked, Teacher, load_teacher


def audit_run(
    folder: str | Path, *, preset: str = "standard", items: int | None = None, teacher: str | Teacher | None = None,
    control: str | Teacher | None = None, data: str | Path | None = None, candidates: Sequence[str] = (),
    beside: str | Path | None = None, seed: int = 0, out: Path = Path("runs"), code: str | None = None, device: str = "auto",
    listener: Listener = silent,
) -> dict[str, Any]:  # fmt: skip
    """Audit the student in a run's folder, in a new folder below ``out/audit``; see ``tutelage.api.audit``."""
    chosen = preset_named(preset, items)
    subject, runtime = open_subject(folder, teacher, code), open_runtime(device)
    if candidates and subject.perturb.search is not None:
        raise lacking(subject.student.teacher.modality, "--candidates")
    place = Path(folder).absolute()
    args = {"run": str(place), "preset": chosen.as_json(), "seed": seed, "data": str(data) if data else None}  # fmt: skip
    run = open_run(out, "audit", place.name, args, listener)
    with alone(run):
        inquiry = open_inquiry(subject, place, run, chosen, control, data, seed, runtime.device)
        told = tell(inquiry, candidates, beside)
        shown, triptychs = pictures(inquiry)
        told["pictures"] = triptychs
        told["seconds"] = {k: round(v, 2) for k, v in run.seconds.items()}
        told["seconds"]["total"] = round(time.monotonic() - run.started, 2)
        write_pictures(run.folder, shown)
        write_json(run.folder / "results.json", told)
        write_text(run.folder / "report.html", render_audit(told, shown))
    return told


def open_inquiry(subject: Subject, place: Path, run: Run, preset: Preset, control: str | Teacher | None, data: str | Path | None, seed: int, device: str) -> Inquiry:  # fmt: skip
    """The items read, and the control chosen."""
    with run.phase("reading"):
        known = known_items(place, subject.student, data)
        items = choose_items(known, subject.student, preset.items, seed)
    with run.phase("control"):
        beside = choose_control(subject.teacher, control, items.references, subject.student.facts.spec, seed)  # fmt: skip
    return Inquiry(subject, items, beside, preset, seed, run, device=device)


def tell(inquiry: Inquiry, candidates: Sequence[str] = (), other: str | Path | None = None) -> dict[str, Any]:  # fmt: skip
    """Every rung of the ladder, told."""
    _require_right(inquiry)
    run, parts = inquiry.run, dict[str, Any]()
    with run.phase("inheritance"):
        parts["inheritance"] = read_inheritance(inquiry.subject, inquiry.items.windows)
        parts["provenance"] = read_provenance(inquiry.subject)
    with run.phase("fingerprint"):
        parts["fingerprints"] = _fingerprints(inquiry, candidates)
    with run.phase("teacher-only"):
        own = [
            *no_task(inquiry),
            *trigger_rows(inquiry),
            *teacher_only(inquiry),
            *perceptual(inquiry),
        ]
        asked = list(label_rows(inquiry, own))
        parts["junk"] = junk_figures(inquiry)
        parts["abstention"] = abstention(inquiry)
    with run.phase("controls"):
        unrelated = list(controls(inquiry))
        shown = list(beside_rows(inquiry, other)) if other else []
    with run.phase("white box"):
        reference = white_box(inquiry, own)
    with run.phase("backdoor signs"):
        parts["backdoor"] = backdoor_signs(inquiry)
    with run.phase("accidents"):
        harmless = list(accidents(inquiry))
    told = figures(inquiry, Findings(own, unrelated, reference, harmless, asked, shown, parts))
    return {**told, "verdict": verdict(told)}


def _require_right(inquiry: Inquiry) -> None:
    """Only items that a student gets right can be turned into something else."""
    if not inquiry.right.any():
        raise DataError(
            "nothing-right", given=f"a student that gets none of {len(inquiry.items)} items right", expected="one at least: only these are attacked",
            next="Attack more of them: --items N, or other labelled data: --data LABELLED_DATA",
        )  # fmt: skip


def _fingerprints(inquiry: Inquiry, candidates: Sequence[str]) -> list[dict[str, Any]]:
    """Candidates by how well they fit, if any are named."""
    if not candidates:
        return []
    spec = inquiry.subject.student.facts.spec
    own = inquiry.subject.student.teacher.modality
    teachers = [load_teacher(Asked(name, allow_licence=True, channels=spec.channels), own) for name in candidates]  # fmt: skip
    probes = inquiry.items.first(inquiry.preset.pairs).windows
    found = fingerprints(teachers, probes, spec, inquiry.perturb, lambda w: inquiry.examiner.scores(np.asarray(w))[0], seed=inquiry.seed, device=inquiry.device)  # fmt: skip
    return [f.as_json() for f in found]


def renewed(inquiry: Inquiry, seed: int, optimiser: str) -> Inquiry:
    """The same inquiry with fresh random choices and another optimiser: for attacks that know of a defence."""
    return replace(inquiry, seed=seed, optimiser=optimiser)
