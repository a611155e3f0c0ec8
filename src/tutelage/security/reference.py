"""T3, the reference: what white-box attacks and queries achieve, and the figures that the self-tests need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.security.attacks import fooled_share
from tutelage.security.inquiry import Inquiry
from tutelage.security.pursuit import Pursuit, pursue
from tutelage.security.rows import Row
from tutelage.security.selftests import Evidence
from tutelage.security.square import square
from tutelage.security.whitebox import Glass, apgd, pgd, slope_sizes

MOST = 64
"""Items of the reference, at most: it is an upper mark, not the figure that is graded."""

FEW = 16
"""Items of the sanity check."""


@dataclass(frozen=True)
class Reference:
    """Rows and evidence of the white box."""

    rows: tuple[Row, ...]
    evidence: Evidence


def white_box(inquiry: Inquiry, teacher_rows: list[Row]) -> Reference:
    """PGD (APGD in the full preset), Square, and the evidence for the self-tests.

    Args:
        teacher_rows: of teacher-only attacks, for comparison on the same items.
    """
    if inquiry.perturb.search is not None:
        return searched(inquiry, teacher_rows)
    chosen = np.flatnonzero(inquiry.right)[:MOST]
    windows, truth = inquiry.items.windows[chosen], inquiry.items.truth[chosen]
    glass, graded = Glass(inquiry.subject.student, inquiry.device), inquiry.perturb.graded
    draws, steps = inquiry.examiner.draws, inquiry.preset.white_steps
    rows = []
    for budget in inquiry.budgets:
        moved = pgd(glass, windows, truth, budget, inquiry.perturb, steps=steps, seed=inquiry.seed, draws=draws, device=glass.device)  # fmt: skip
        rows.append(_row(inquiry, "pgd", moved, truth, budget))
    if inquiry.preset.all_budgets:
        moved = apgd(glass, windows, truth, graded, inquiry.perturb, steps=steps, seed=inquiry.seed, draws=draws, device=glass.device)  # fmt: skip
        rows.append(_row(inquiry, "apgd", moved, truth, graded))
    moved = square(lambda w: inquiry.examiner.scores(w)[0], windows, truth, graded, inquiry.perturb, queries=inquiry.preset.queries, seed=inquiry.seed)  # fmt: skip
    rows.append(_row(inquiry, "square", moved, truth, graded))
    return Reference(tuple(rows), _evidence(inquiry, rows, teacher_rows, glass, windows, truth))


def searched(inquiry: Inquiry, teacher_rows: list[Row]) -> Reference:
    """The reference where the modality searches itself: by the student's own probabilities."""
    chosen = np.flatnonzero(inquiry.right)[:MOST]
    windows, truth, graded = inquiry.items.windows[chosen], inquiry.items.truth[chosen], inquiry.perturb.graded  # fmt: skip

    def found(budget: float, rounds: int, many: int) -> npt.NDArray[Any]:
        rng, search = np.random.default_rng(inquiry.seed), inquiry.perturb.search
        assert search is not None
        rows = [search(lambda w, t=t: inquiry.examiner.scores(w)[0][:, t], windows[i : i + 1], budget, rounds, rng) for i, t in enumerate(truth[:many])]  # type: ignore[misc]  # fmt: skip
        return np.concatenate(rows) if rows else windows[:0]

    rounds, few = inquiry.preset.white_steps, slice(0, FEW)
    rows = [
        _row(inquiry, "search", found(b, rounds, len(truth)), truth, b) for b in inquiry.budgets
    ]
    ask, own = inquiry.examiner.answers, [r for r in teacher_rows if r.budget == graded and not r.targeted]  # fmt: skip
    many, share = len(truth), fooled_share([r for r in rows if r.budget == graded], len(truth))
    still, hard = found(0.0, 1, FEW), found(inquiry.perturb.sanity, rounds, FEW)
    return Reference(tuple(rows), Evidence(
        rows=(*teacher_rows, *rows), nothing=float((ask(still) != truth[few]).mean()) if many else 0.0,
        sanity=(float((ask(hard) != truth[few]).mean()) if many else 0.0, inquiry.perturb.sanity),
        white=share, square=share, teacher=fooled_share(own, many), count=many, slopes=None, random=inquiry.examiner.random,
    ))  # fmt: skip


def _row(inquiry: Inquiry, attack: str, windows: npt.NDArray[Any], truth: npt.NDArray[np.int64], budget: float) -> Row:  # fmt: skip
    fooled = (inquiry.examiner.answers(windows) != truth).mean(0)
    return Row(attack, "T3", None, budget, False, fooled, on="the student")


def _evidence(inquiry: Inquiry, rows: list[Row], teacher_rows: list[Row], glass: Glass, windows: npt.NDArray[Any], truth: npt.NDArray[np.int64]) -> Evidence:  # fmt: skip
    perturb, few = inquiry.perturb, slice(0, FEW)
    graded, sanity = perturb.graded, perturb.sanity
    ask = inquiry.examiner.answers
    still = pursue(lambda v, r: -glass(v).amax(1), windows[few], 0.0, perturb, Pursuit(1, start=1.0), inquiry.seed, device=glass.device)  # fmt: skip
    hard = pgd(glass, windows[few], truth[few], sanity, perturb, steps=10, seed=inquiry.seed, draws=inquiry.examiner.draws, device=glass.device)  # fmt: skip
    many = len(truth)
    whites = [r for r in rows if r.attack in ("pgd", "apgd") and r.budget == graded]
    own = [r for r in teacher_rows if r.budget == graded and not r.targeted and r.measure == "linf"]
    return Evidence(
        rows=(*teacher_rows, *rows),
        nothing=float((ask(still) != truth[few]).mean()) if many else 0.0,
        sanity=(float((ask(hard) != truth[few]).mean()) if many else 0.0, sanity),
        white=fooled_share(whites, many), square=fooled_share([r for r in rows if r.attack == "square"], many),
        teacher=fooled_share(own, many), count=many,
        slopes=slope_sizes(glass, windows[few], truth[few]) if many else np.zeros(0), random=inquiry.examiner.random,
    )  # fmt: skip
