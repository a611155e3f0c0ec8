"""The verbs as Python functions: what the CLI calls; the most used of them are in ``tutelage`` itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutelage.comparison import compare_run, resume_comparison
from tutelage.data import Checked, modality_of, open_source
from tutelage.data import check as check_data
from tutelage.errors import UsageError
from tutelage.files import read_csv
from tutelage.modality import Modality
from tutelage.network.decision import MODES
from tutelage.pipeline import tell_change, tell_story, tell_verdict, tell_view
from tutelage.report import Advised, Fitted
from tutelage.report.again import finished_fits, tell_again
from tutelage.report.change import grouped_by
from tutelage.run import Listener, open_run, reopen_run, silent
from tutelage.student import Student, load
from tutelage.student.predict import Prediction, evaluate_on
from tutelage.teachers import Teacher, teacher_from_module
from tutelage.teachers.permission import remember
from tutelage.teachers.zoo import at_hand
from tutelage.training import FitOptions, read_options

if TYPE_CHECKING:
    from tutelage.viewing.explain import Explanation

__all__ = [
    "advise",
    "advise_run",
    "audit",
    "change_run",
    "check",
    "compare",
    "evaluate",
    "explain",
    "fit",
    "fit_run",
    "harden",
    "load",
    "report",
    "resume_run",
    "view",
]


def fit(
    source: Any, labels: Sequence[str] | None = None, *, teacher: Any = "auto",
    out: str | Path = "runs", name: str | None = None, **dials: Any,
) -> Student:  # fmt: skip
    """Make a student of labelled data.

    Args:
        source: a folder with one sub-folder per class (below ``train/`` and ``test/``, if there are
            any), a table, an idx pair, a list of paths or arrays, or an array (N, H, W[, C]).
        labels: for a list or an array: one class name an item.
        teacher: a name, an ``nn.Module`` (see ``teacher_from_module``), or a ``Teacher``.
        out: where run folders go.
        name: of the run; the source's name if None.
        **dials: see ``FitOptions``: freeze, mode, seed, split_seed, test, group_by, ...

    Returns:
        The student; its ``folder`` is inside the run's folder.

    Raises:
        TutelageError: with what was given, what was expected and what to do next.

    Example:
        >>> student = fit("photos/", freeze="auto", time_limit=60)  # doctest: +SKIP
    """
    return fit_run(source, labels, teacher=teacher, out=out, name=name, **dials).student


def fit_run(
    source: Any, labels: Sequence[str] | None = None, *, teacher: Any = "auto",
    out: str | Path = "runs", name: str | None = None, listener: Listener = silent,
    beside: Sequence[Mapping[str, Any]] = (), **dials: Any,
) -> Fitted:  # fmt: skip
    """``fit``, handing over the run and its results too.

    Args:
        listener: hears the progress.
        beside: other methods' scores on the same test items, for the page: rows of
            ``{"method", "correct", "n", "seconds"}``.
    """
    own = teacher if isinstance(teacher, Teacher) else _as_teacher(teacher)
    options = _options(teacher=own.card.name if own else teacher, **dials)
    named = str(Path(source).absolute()) if isinstance(source, str | Path) else None
    args = {"source": named, "options": options.as_json()}
    run = open_run(
        Path(out), "fit", name or (Path(named).stem if named else "arrays"), args, listener
    )
    return tell_story(named or source, labels, options, run, own, beside)


def advise(source: Any, labels: Sequence[str] | None = None, **dials: Any) -> dict[str, Any]:
    """How deep to freeze, and why; trains nothing. Arguments as for ``fit``.

    Returns:
        What ``advise --json`` prints: ``mode``, ``cut``, ``because``, ``expected``, ``similarity``, ``table``, ...

    Example:
        >>> advise("photos/")["because"][0]  # doctest: +SKIP
        'freeze all 10 stages (deep-layer feature extraction) and fit a new head'
    """
    return dict(advise_run(source, labels, **dials).results)


def advise_run(
    source: Any, labels: Sequence[str] | None = None, *, teacher: Any = "auto", out: str | Path = "runs",
    name: str | None = None, listener: Listener = silent, scores: bool = False, **dials: Any,
) -> Advised:  # fmt: skip
    """``advise``, handing over the run and the decision too.

    Args:
        scores: compute LogME, NLEEP and H-score of each stage too.
    """
    own = teacher if isinstance(teacher, Teacher) else _as_teacher(teacher)
    options = _options(teacher=own.card.name if own else teacher, **dials)
    named = str(Path(source).absolute()) if isinstance(source, str | Path) else None
    args = {"source": named, "options": options.as_json()}
    run = open_run(Path(out), "advise", name or (Path(named).stem if named else "arrays"), args, listener)  # fmt: skip
    return tell_verdict(named or source, labels, options, run, own, scores)


def resume_run(folder: str | Path, *, listener: Listener = silent, teacher: Teacher | None = None) -> Fitted:  # fmt: skip
    """Go on with an interrupted fit: same arguments, same folder, same result as never interrupted.

    Raises:
        ArtefactError: no run is there.
        UsageError: it is finished, or its data came from Python and not from a path.
    """
    run, args = reopen_run(Path(folder), listener)
    if (run.folder / "student" / "student.json").exists():
        raise UsageError(
            "finished", given=f"{run.folder} is finished", expected="an interrupted run",
            next=f"Use it: tutelage predict {run.folder} ...",
        )  # fmt: skip
    if "options" not in args:
        raise UsageError(
            "not-resumable", given=f"{run.folder}, in which a student was to be changed", expected="an interrupted fit",
            next="Type the same command again: it takes about a second.",
        )  # fmt: skip
    if args["source"] is None:
        raise UsageError(
            "no-source", given="a run whose data came from Python", expected="a run on a path",
            next="Call fit again with the same data: what was extracted is in the cache.",
        )  # fmt: skip
    return tell_story(args["source"], None, read_options(args["options"]), run, teacher)


def change_run(parent: str | Path, source: Any, labels: Sequence[str] | None = None, *, forget: bool = False, out: str | Path = "runs", listener: Listener = silent) -> Fitted:  # fmt: skip
    """A student that learned the items of a source too, or that forgot them; exactly, and in about a second.

    The head is that of a fit on the changed set of items, at the parent's scaling, weights and penalties. Only for
    ``deep`` students, whose head is a closed form.

    Args:
        parent: folder of a finished run; it stays as it is.
        source: what ``fit`` takes. New class names are learned as new classes; items of the parent's test part,
            and items that it has learned already, change nothing.
        forget: take the items out instead, by their content.

    Raises:
        UsageError: the student cannot be changed exactly.
        DataError: no item changes it, or a class would be empty.

    Example:
        >>> change_run("runs/fit/photos", "new_photos/").results["change"]["added"]  # doctest: +SKIP
        12
    """
    folder = Path(parent).absolute()
    named = str(Path(source).absolute()) if isinstance(source, str | Path) else None
    kind = "forgets" if forget else "extends"
    args = {
        "source": None,
        kind: {"run": str(folder), "source": named},
        "group_by": grouped_by(folder),
    }
    run = open_run(Path(out), "fit", folder.name, args, listener)
    return tell_change(folder, named or source, labels, run, forget)


def check(source: Any, labels: Sequence[str] | None = None, *, modality: Modality | None = None, group_by: str | None = None, test: Any = None, listener: Listener = silent) -> Checked:  # fmt: skip
    """Everything that is wrong with the data, at once; reads every item whole, changes nothing.

    Returns:
        ``Checked``; its ``findings`` say what, where, how bad, and what to do.
    """
    kind = modality or at_hand(modality_of(source))
    data = open_source(source, labels=labels, modality=kind, group_by=group_by, test=test)
    return check_data(data, full=True, progress=lambda d, n: listener({"phase": "check", "done": d, "total": n}))  # fmt: skip


def evaluate(student: str | Path | Student, source: Any, labels: Sequence[str] | None = None) -> dict[str, Any]:  # fmt: skip
    """Score a student on labelled data that it never saw; says so if it did see some of it."""
    known = load(student) if isinstance(student, str | Path) else student
    return evaluate_on(known, source, labels, seen=_trained_on(known))


def explain(student: str | Path | Student, inputs: Any, *, method: str = "grad-cam", out: str | Path = "runs") -> Iterator[tuple[Prediction, Explanation | None]]:  # fmt: skip
    """Predictions, each with a picture of which places of the input speak for the class that is told.

    Args:
        student: or the folder of its run.
        inputs: as for ``Student.predict``.
        method: ``"grad-cam"``, or ``"integrated-gradients"``.
        out: the pictures go to a new folder ``out/predict/NAME``, beside ``results.json``, which lists them.

    Yields:
        (prediction, explanation); None for an input that cannot be read.

    Raises:
        NotYetError: the student's modality cannot show heat.

    Example:
        >>> for told, why in explain("runs/fit/photos", "img.jpg"): print(told.label, why.picture)  # doctest: +SKIP
    """
    from tutelage.report.reasons import (
        tell_reasons,  # PyTorch is imported only where it is asked why
    )

    known = load(student) if isinstance(student, str | Path) else student
    return tell_reasons(known, inputs, method, Path(out))


def compare(
    run: str | Path | None = None, *, modes: Sequence[str] = MODES, seeds: int = 3, seed: int | None = None,
    time_limit: float | None = None, curve: bool = False, out: str | Path = "runs",
    resume: str | Path | None = None, listener: Listener = silent, teacher: Any = None,
) -> dict[str, Any]:  # fmt: skip
    """A finished fit against training from scratch and against the other modes: same data, split and budget.

    Args:
        run: the fit's run folder.
        modes: the arms; the run's own mode is always one.
        seeds: runs an arm, with ``seed``, ``seed + 1``, ...; ``deep``, which has no randomness, runs once.
        seed: the first one; the run's own if None.
        time_limit: seconds a run. If None, transfer arms take what they take, and scratch may take as
            much as the dearest of them.
        curve: scratch learns from a quarter and a half of the training items too, for ``data_saved``.
        out: where run folders go.
        resume: an interrupted comparison's folder, instead of ``run``; what it finished is kept.
        teacher: the module, if the run's teacher came from Python.

    Returns:
        What ``compare --json`` prints: ``arms``, ``gain``, ``pairs``, ``verdict``, ``speed_up``, ``data_saved``, ...

    Raises:
        ArtefactError: no finished fit is there.
        UsageError: its data or its teacher came from Python, or the arguments contradict each other.
        DataError: it has no test part, or the data has changed since.

    Example:
        >>> compare("runs/fit/photos")["verdict"][0]  # doctest: +SKIP
        'Transfer helps: +31.4 points (95 % interval +22.9 to +39.8) over scratch, at the same budget.'
    """
    given = teacher is None or isinstance(teacher, Teacher)
    own = teacher if given else _as_teacher(teacher)
    if resume is not None:
        return resume_comparison(Path(resume), listener=listener, teacher=own)
    return compare_run(
        Path(run or "."), modes=modes, seeds=seeds, seed=seed, time_limit=time_limit, curve=curve,
        out=Path(out), listener=listener, teacher=own,
    )  # fmt: skip


def view(
    subject: Any, data: Any = None, labels: Sequence[str] | None = None, *, teacher: Any = None, stages: Sequence[str] = (),
    channels: int = 12, patches: int = 6, items: int = 256, quick: bool = False, steps: int = 96, seed: int = 0,
    code: str | Path | None = None, out: str | Path = "runs", listener: Listener = silent,
) -> dict[str, Any]:  # fmt: skip
    """What each stage sees: filters, the most exciting patches, synthesised pictures, and figures along depth.

    Args:
        subject: the folder of a finished fit; or, with ``teacher``, labelled items as ``fit`` takes them.
        data: other labelled items for a finished fit to look at; its own if None.
        labels: for a list or an array of items.
        teacher: look at this teacher, before any training; or the module, if the fit's teacher came from Python.
        stages: names of those whose channels are shown; all if none.
        channels: shown of each stage.
        patches: shown of each channel.
        items: that are looked at, at most.
        quick: leave the synthesis out.
        steps: of the synthesis.
        seed: of the synthesis.
        code: the file that builds the student's network, if that is the user's own.
        out: where run folders go.

    Returns:
        What ``view --json`` prints: ``stages`` (each with ``reading``, ``separability``, ``cka``, ``moved``,
        ``picked``), ``cut``, ...; pictures are in the run's ``pictures.json``.

    Raises:
        ArtefactError: no finished fit is there.
        UsageError: no such stage, or no items.

    Example:
        >>> view("runs/fit/photos", quick=True)["stages"][3]["reading"]["accuracy"]  # doctest: +SKIP
        0.71
    """
    from tutelage.viewing import Wish, finished_fit, of_teacher

    own = teacher if isinstance(teacher, Teacher) or teacher is None else _as_teacher(teacher)
    finished = isinstance(subject, str | Path) and (Path(subject) / "args.json").exists()
    if teacher is None or (own is not None and finished):
        seen = finished_fit(Path(subject), data, labels, own, code)
    else:
        seen = of_teacher(_options(teacher=own.card.name if own else teacher), _named(subject), labels, own)  # fmt: skip
    wish = Wish(tuple(stages), channels, patches, not quick, steps=steps, seed=seed, items=items)
    args = {"subject": str(subject) if isinstance(subject, str | Path) else None, "source": None, "wish": wish.as_json()}  # fmt: skip
    return tell_view(seen, wish, open_run(Path(out), "view", seen.name, args, listener))


def _named(source: Any) -> Any:
    return str(Path(source).absolute()) if isinstance(source, str | Path) else source


def report(
    *runs: str | Path, out: str | Path = "runs", listener: Listener = silent
) -> dict[str, Any]:
    """One page of a finished fit, with all that is known of its student; or of several fits side by side.

    Args:
        runs: run folders; they are not changed.

    Returns:
        ``page``, its path; ``of``; for one run ``beside``, the other verbs' runs that it tells of; for several
        ``runs``, ``pairs`` and ``warnings``.

    Raises:
        ArtefactError: a folder holds no finished fit.

    Example:
        >>> report("runs/fit/photos")["page"]  # doctest: +SKIP
        '/home/me/runs/report/photos/report.html'
    """
    folders = [Path(run).absolute() for run in runs]
    fits = finished_fits(folders)
    name = "-".join(folder.name for folder in folders)
    run = open_run(Path(out), "report", name, {"of": [str(f) for f in folders]}, listener)
    return tell_again(folders, fits, run)


def audit(
    run: str | Path, *, preset: str = "standard", items: int | None = None, teacher: str | Teacher | None = None,
    control: str | Teacher | None = None, data: str | Path | None = None, candidates: Sequence[str] = (),
    beside: str | Path | None = None, seed: int = 0, out: str | Path = "runs", code: str | None = None,
    device: str = "auto", listener: Listener = silent,
) -> dict[str, Any]:  # fmt: skip
    """Which weaknesses a student inherited: attacks made on its public teacher alone, beside their controls.

    Args:
        run: a fit's run folder, or a student's own folder with ``data``.
        preset: ``quick`` (minutes, a range of grades), ``standard`` or ``full``.
        items: test items that are attacked, instead of the preset's number.
        teacher: the public teacher; by default the one that the student's card names.
        control: an unrelated teacher that the same attacks are made on.
        data: labelled data to attack, instead of the run's own test part.
        candidates: names of teachers; the student's answers tell whose it is.
        beside: another student of the same data, shown the same windows: one from scratch, say.
        seed: of every random choice.
        out: where run folders go.
        code: the user's own file that builds the network, if one does.
        device: where attacks follow gradients: ``auto``, ``cpu``, ``cuda``, ``mps``.

    Returns:
        What ``audit --json`` prints: ``grade``, ``rows``, ``gap``, ``ratio``, ``self_tests``, ``verdict``, ``seconds``, ...

    Raises:
        ArtefactError: no student is there.
        UsageError: there is nothing to attack it on.
        NotYetError: its modality has no perturbations.

    Example:
        >>> audit("runs/fit/photos", preset="quick")["grade_range"]  # doctest: +SKIP
        ['high', 'critical']
    """
    from tutelage.security.story import audit_run

    return audit_run(
        run, preset=preset, items=items, teacher=teacher, control=control, data=data, candidates=candidates,
        beside=beside, seed=seed, out=Path(out), code=code, device=device, listener=listener,
    )  # fmt: skip


def harden(
    run: str | Path, *, preset: str = "quick", items: int | None = None, seeds: int = 3, seed: int = 0,
    remedies: Sequence[str] = (), control: str | Teacher | None = None, out: str | Path = "runs",
    listener: Listener = silent, teacher: Any = None, device: str = "auto",
) -> dict[str, Any]:  # fmt: skip
    """Mend what a student inherited: a new student, audited before and after, and the price in accuracy.

    Args:
        run: a finished fit's run folder; its student stays as it is.
        preset: how much the audits try.
        items: test items that are attacked, instead of the preset's number.
        seeds: students trained with each remedy; three are needed to tell that the accuracy is kept.
        seed: the first one.
        remedies: names of those to try, instead of all of the student's ladder.
        control: an unrelated teacher that the same attacks are made on.
        out: where run folders go.
        teacher: the module, if the run's teacher came from Python.
        device: where attacks and training follow gradients: ``auto``, ``cpu``, ``cuda``, ``mps``.

    Returns:
        What ``harden --json`` prints: ``run``, ``before``, ``after``, ``accuracy``, ``adaptive``, ``met``, ``verdict``, ...

    Raises:
        ArtefactError: no finished fit is there.
        UsageError: its data came from Python.
        DataError: it has no test part.

    Example:
        >>> harden("runs/fit/photos")["verdict"][0]  # doctest: +SKIP
        'Hardened by consistency: the bar is met.'
    """
    from tutelage.security.harden_story import harden_run

    given = teacher is None or isinstance(teacher, Teacher)
    return harden_run(
        run, preset=preset, items=items, seeds=seeds, seed=seed, remedies=remedies, control=control, out=Path(out),
        listener=listener, teacher=teacher if given else _as_teacher(teacher), device=device,
    )  # fmt: skip


def _trained_on(student: Student) -> frozenset[str]:
    """Digests of the training items, where the student still lies in its run's folder."""
    table = (student.folder or Path()).parent / "split.csv"
    if student.folder is None or not table.exists():
        return frozenset()
    rows = read_csv(table)
    parts = {row["part"] for row in rows}
    used = {"train", "val"} if "test" in parts else {"train"}
    return frozenset(row["digest"] for row in rows if row["part"] in used)


def _as_teacher(given: Any) -> Teacher | None:
    """A module as a teacher; None for a name, which the story looks up."""
    return None if isinstance(given, str) else teacher_from_module(given)


def _options(**dials: Any) -> FitOptions:
    known = set(FitOptions.__dataclass_fields__)
    unknown = sorted(set(dials) - known)
    if unknown:
        raise UsageError(
            "no-such-dial", given=", ".join(unknown), expected="some of " + ", ".join(sorted(known)),
            next="Remove it, or correct its spelling.",
        )  # fmt: skip
    remember(dials.get("teacher"), dials.get("teachers"))
    return FitOptions(**dials)
