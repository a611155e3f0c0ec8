"""The threat ladder, rung by rung: rows of what each adversary achieves against one student."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.modality.perturb import Corruption
from tutelage.security.control import noise
from tutelage.security.inquiry import Inquiry, mean_residual, pair
from tutelage.security.mimicry import UNTARGETED, Goal, Goals
from tutelage.security.neuron import junk, sure_share
from tutelage.security.perceptual import pursue_perceptual
from tutelage.security.rows import Row
from tutelage.security.universal import universal

LOOKS = 6
"""Mild corruptions after which an item is looked at again."""

HARMLESS = 0.05
"""Share of harmless items that a rule may turn away."""


def teacher_only(inquiry: Inquiry) -> Iterator[Row]:
    """T1: copies at the headline cut with every budget and at other cuts with the graded one; plain mimicry beside.

    Where stages after the true cut were tuned, the last cut is attacked as well, on all items: a tail that was tuned from
    the teacher's mostly stays so near to it that the last cut is the weaker one (benchmarks/results/device.md).
    """
    graded, headline = inquiry.perturb.graded, inquiry.headline
    for budget in inquiry.budgets:
        yield from crafted_rows(inquiry, "copy", headline, budget)
    goals: tuple[Goal, ...] = ("copy away", "mimic")
    for goal in (*goals, "mimic one", "displace") if inquiry.preset.all_budgets else goals:
        yield from crafted_rows(inquiry, goal, headline, graded)
    if headline != inquiry.subject.depth:
        for goal in ("copy", "copy away"):
            yield from crafted_rows(inquiry, goal, inquiry.subject.depth, graded)
    for cut in inquiry.cuts:
        yield from crafted_rows(inquiry, "copy", cut, graded, inquiry.preset.curve_items)


def crafted_rows(inquiry: Inquiry, goal: Goal, cut: int, budget: float, many: int | None = None) -> Iterator[Row]:  # fmt: skip
    """Rows of one crafted set."""
    items = inquiry.items.first(many or len(inquiry.items))
    made = inquiry.crafter().craft(items, goal, cut, inquiry.reads(), budget, inquiry.pursuit(goal), inquiry.told(f"{goal} at cut {cut}, {budget:g}"))  # fmt: skip
    residual = mean_residual(made["residual"], inquiry.right[: len(items)])
    rows = pair(inquiry, goal, "T1", made["windows"], budget, cut=cut, residual=residual, on=inquiry.subject.teacher.card.name)  # fmt: skip
    yield from rows[1:] if goal in UNTARGETED else rows


def perceptual(inquiry: Inquiry) -> Iterator[Row]:
    """T1 under the modality's perceptual budgets, at the headline cut."""
    perturb, many = inquiry.perturb, inquiry.preset.perceptual
    if not many or perturb.distance is None or perturb.relaxed is None:
        return
    from tutelage.security.eye import Eye

    items = inquiry.items.first(many)
    eye = Eye(inquiry.subject.teacher, inquiry.subject.student.facts.spec, inquiry.headline, inquiry.reads(), inquiry.device)  # fmt: skip
    goals = Goals(eye.calibrate(items.references), items, "mimic")
    for budget in perturb.perceptual:
        windows = pursue_perceptual(goals, items.windows, budget, perturb, tell=inquiry.told(f"{perturb.distance_name} {budget:g}"))  # fmt: skip
        residual = mean_residual(goals.residual(windows), inquiry.right[: len(items)])
        yield from pair(inquiry, "mimic", "T1", windows, budget, cut=inquiry.headline, residual=residual, measure=perturb.distance_name, on=inquiry.subject.teacher.card.name)  # fmt: skip


def no_task(inquiry: Inquiry) -> Iterator[Row]:
    """T0: one pattern for all items, made from low layers and random patterns."""
    student, windows = inquiry.subject.student, inquiry.items.windows
    if inquiry.perturb.search is not None:
        return
    for budget in inquiry.budgets:
        pattern = universal(
            inquiry.subject.teacher, student.facts.spec, inquiry.perturb, windows.shape[1:], budget,
            steps=2 * inquiry.preset.steps, seed=inquiry.seed, device=inquiry.device,
        )  # fmt: skip
        moved = inquiry.perturb.settle(windows + pattern, windows, budget)
        yield inquiry.row("universal", "T0", moved, budget, on=inquiry.subject.teacher.card.name)


def junk_figures(inquiry: Inquiry) -> dict[str, Any] | None:
    """T0: junk from single neurons that the student is sure about; None where windows have no scale."""
    if inquiry.perturb.search is not None:
        return None
    many = inquiry.preset.neurons
    windows = junk(
        inquiry.subject.teacher, inquiry.subject.student.facts.spec, inquiry.perturb, inquiry.items.windows[0],
        neurons=many, steps=2 * inquiry.preset.steps, seed=inquiry.seed, device=inquiry.device,
    )  # fmt: skip
    student = inquiry.subject.student
    probabilities, scores = inquiry.examiner.scores(windows)
    sure, reached = sure_share(probabilities)
    rejected = int((scores > student.reject.threshold).sum())
    return {"made": len(windows), "sure": sure, "classes_reached": reached, "classes": len(student.classes), "rejected": rejected}  # fmt: skip


def abstention(inquiry: Inquiry) -> dict[str, Any]:
    """How much of what fools the student its reject rule would turn away, and of what is harmless.

    Returns:
        ``clean`` and ``crafted``: shares of items, and of copies at the graded budget that fooled it, that are rejected;
        ``fooled``, how many did; ``second_look``: the same of looking again after mild changes. Not counted in any grade: an
        adversary who knows the rule can aim below it.
    """
    items, graded = inquiry.items, inquiry.perturb.graded
    made = inquiry.crafter().craft(items, "copy", inquiry.headline, inquiry.reads(), graded, inquiry.pursuit("copy"))["windows"]  # fmt: skip
    threshold, right = inquiry.subject.student.reject.threshold, inquiry.right
    (clean, harmless), (told, scores) = inquiry.examiner.scores(items.windows), inquiry.examiner.scores(made)  # fmt: skip
    fooled = right & (told.argmax(1) != items.truth)
    again = [
        unsteady(inquiry, windows[which], said.argmax(1)[which])
        for windows, said, which in ((items.windows, clean, right), (made, told, fooled))
    ]
    return {
        "clean": float((harmless[right] > threshold).mean()) if right.any() else None,
        "crafted": float((scores[fooled] > threshold).mean()) if fooled.any() else None, "fooled": int(fooled.sum()),
        "second_look": _turned_away(*again),
    }  # fmt: skip


def unsteady(inquiry: Inquiry, windows: npt.NDArray[Any], first: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:  # fmt: skip
    """Of windows (M, ...) answered so (M,), the share of ``LOOKS`` mild corruptions after which the student says something else (M,)."""
    if not len(windows):
        return np.zeros(0)
    looks = [_corrupted(inquiry, corruption, 1, windows) for _, corruption in _spread_kinds(inquiry, LOOKS)]  # fmt: skip
    otherwise = np.stack([inquiry.examiner.scores(look)[0].argmax(1) != first for look in looks])
    return np.asarray(otherwise.mean(0), dtype=np.float64)


def _turned_away(
    clean: npt.NDArray[np.float64], crafted: npt.NDArray[np.float64]
) -> dict[str, Any]:
    """At the lowest line that turns at most ``HARMLESS`` of clean items away."""
    lines = np.unique([*clean, 1.0])
    line = next((v for v in lines if (clean > v).mean() <= HARMLESS), 1.0) if len(clean) else 1.0
    return {
        "looks": LOOKS, "line": float(line), "clean": float((clean > line).mean()) if len(clean) else None,
        "crafted": float((crafted > line).mean()) if len(crafted) else None,
    }  # fmt: skip


def controls(inquiry: Inquiry) -> Iterator[Row]:
    """What the same budgets do without this teacher."""
    windows, graded = inquiry.items.windows, inquiry.perturb.graded
    for budget in inquiry.budgets:
        moved = noise(windows, budget, inquiry.perturb, inquiry.seed)
        yield inquiry.row("noise", "control", moved, budget)
    other = inquiry.control.teacher
    goals: tuple[Goal, ...] = ("copy", "copy away") if inquiry.preset.all_budgets else ("copy",)
    for goal in goals:
        depth = len(other.card.stages)
        made = inquiry.crafter(other).craft(inquiry.items, goal, depth, inquiry.reads(other), graded, inquiry.pursuit(goal), inquiry.told(f"control: {goal}"))  # fmt: skip
        residual = mean_residual(made["residual"], inquiry.right)
        rows = pair(inquiry, f"control: {goal}", "control", made["windows"], graded, cut=depth, residual=residual, on=other.card.name)  # fmt: skip
        yield from rows[1:] if goal in UNTARGETED else rows


def accidents(inquiry: Inquiry) -> Iterator[Row]:
    """Corruptions, kind by kind and severity by severity."""
    for name, corruption in _spread_kinds(inquiry, inquiry.preset.corruptions):
        for severity in inquiry.preset.severities:
            windows = _corrupted(inquiry, corruption, severity, inquiry.items.windows)
            yield inquiry.row(f"corruption: {name}", "accident", windows, float(severity), measure="severity")  # fmt: skip


def _spread_kinds(inquiry: Inquiry, many: int) -> list[tuple[str, Corruption]]:
    """So many kinds of corruption, spread over all; 0 stands for all."""
    kinds = list(inquiry.perturb.corruptions.items())
    places = np.linspace(0, len(kinds) - 1, min(many or len(kinds), len(kinds))).round().astype(int)
    return [kinds[i] for i in places]


def _corrupted(inquiry: Inquiry, corruption: Corruption, severity: int, windows: npt.NDArray[Any]) -> npt.NDArray[Any]:  # fmt: skip
    return np.stack([corruption(w, severity, np.random.default_rng([inquiry.seed, severity, i])) for i, w in enumerate(windows)])  # fmt: skip


def fooled_share(rows: Sequence[Row], many: int) -> float:
    """The best share over the first counted items of some rows."""
    shares: list[npt.NDArray[np.float64]] = [row.fooled[:many] for row in rows if len(row.fooled) >= many > 0]  # fmt: skip
    return max((float(share.mean()) for share in shares), default=0.0)
