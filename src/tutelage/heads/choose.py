"""The head for some training rows: candidates, judged on items left out, and the rule between them.

1. Scaling: none of three is best everywhere, so LDA is fitted with each and the least left-out log-loss
   wins, on at most ``SCREENED`` items.
2. Candidates: nearest mean, ridge and LDA at their best penalty, by exact leave-one-group-out; logistic
   regression from the better of the last two, by out-of-fold logits, where it may pay. The mean of
   calibrated ridge and LDA logits is a candidate too: it is linear, and left out exactly.
3. Simplicity: nearest mean < ridge = LDA = their mean < logistic. The simplest kind ships whose left-out log-loss is
   within one standard error (paired, over items) of the best (Breiman et al. 1984, section 3.4.3).

With at most ``FEW`` groups in every class, one group of *each* class is left out at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError
from tutelage.evaluation.calibration import negative_log_likelihood
from tutelage.heads import lda, logistic, nearest_mean, ridge
from tutelage.heads.candidate import (
    WORST,
    Candidate,
    answerable_items,
    average,
    best_of,
    best_of_each,
    judged,
    penalties,
    some_of,
)
from tutelage.heads.coordinates import Coordinates, coordinates
from tutelage.heads.discriminant import refuse_soft
from tutelage.heads.eigen import threads_for
from tutelage.heads.groups import folds, rounds
from tutelage.heads.linear import LinearHead, linear_head
from tutelage.heads.path import Path
from tutelage.heads.refit import Part, part_of
from tutelage.heads.rows import TrainingRows, Wear
from tutelage.heads.scaling import Scaling, fit_scaling
from tutelage.heads.spanned import Spanned
from tutelage.heads.weights import class_weights

__all__ = ["HeadChoice", "class_weights", "fit_heads"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEW = 10
SCREENED = 1000
BUDGET = 1.2e10
"""Operations that logistic refinement may take (about a second on one core, as measured)."""
MANY = 100
"""Items a class from which logistic regression may pay: on fewer, closed forms were better on each of
eight data sets with 5 to 80 items a class."""

SCALINGS = {
    "one scale, length one": {"each": False, "normalise": True},
    "one scale": {"each": False, "normalise": False},
    "own scales": {"each": True, "normalise": False},
}
SIMPLICITY = {nearest_mean.KIND: 0, logistic.KIND: 2}
"""All other kinds: 1."""


@dataclass(frozen=True)
class HeadChoice:
    """The head that ships, and why.

    Attributes:
        head: with the temperature fitted on its own left-out logits.
        left_out_logits: (S, C) of the scored items, before the temperature, each without its group.
        left_out_truth: (S,) their classes.
        table: a row a candidate: head, penalty, accuracy, low, high, log_loss.
        because: sentences.
        statistics: of all rows as the head scales them; they allow exact additions and deletions.
        reads: stages whose pooled output the rows hold before the features.
        parts: the closed forms that it is, to fit it again from ``statistics``; none for a refined head.
    """

    head: LinearHead
    left_out_logits: Floats
    left_out_truth: Ints
    table: tuple[dict[str, Any], ...]
    because: tuple[str, ...]
    statistics: Spanned
    reads: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()

    @property
    def surprise(self) -> Floats:
        """Minus the log-probability of the truth (S,), left out, in nats."""
        lost = negative_log_likelihood(
            self.left_out_logits / self.head.temperature, self.left_out_truth
        )
        return np.minimum(lost, WORST)


def fit_heads(data: TrainingRows, *, classes: int, budget: float = BUDGET, blocks: Sequence[int] = ()) -> HeadChoice:  # fmt: skip
    """Fit every candidate and choose by what they say about items that were left out.

    Args:
        data: rows (R, D) with one-hot targets (R, C), groups and weights.
        classes: C.
        budget: operations that logistic refinement may take; 0 leaves it out.
        blocks: widths of the stages that the features are of, side by side; several of them are
            scaled feature by feature, and so that each stage has the same variance in all.

    Raises:
        TrainingError: a feature is not finite, or all weights are zero.
        DataError: the targets are not one-hot, or not C wide.

    Example:
        >>> x = np.repeat([[0.0, 1.0], [4.0, 0.0]], 12, axis=0) + np.linspace(0, 1, 24)[:, None]
        >>> y = np.repeat(np.eye(2), 12, axis=0)
        >>> rows = TrainingRows(ArrayRows(x), y, np.arange(24), np.ones(24, bool), np.ones(24))
        >>> fit_heads(rows, classes=2).table[0]["accuracy"]
        1.0
    """
    _refuse(data, classes)
    with threads_for(*data.rows.shape):
        return _chosen(data, budget, blocks)


def _chosen(data: TrainingRows, budget: float, blocks: Sequence[int]) -> HeadChoice:
    truth = data.truth[data.scored]
    judging, told = as_left_out(data)
    if not answerable_items(judging).any() or (judging.groups == judging.groups[0]).all():
        return _unjudged(data, truth)
    path, by_lda, why = _alike(judging, blocks) if len(blocks) > 1 else _screened(judging)
    within = path.coordinates
    found = _closed_forms(path, by_lda)
    if _may_pay(data, budget):
        found.append(_refined(within, min(found[1:3], key=lambda c: c.log_loss)))
    winner, reason = _simplest(found)
    table = tuple(candidate.row() for candidate in found)
    return HeadChoice(
        winner.head, winner.logits, truth, table, (*told, why, reason, *_worn(winner.head, data.wear)), Spanned(within.statistics, within.basis), parts=_parts(winner, found),
    )  # fmt: skip


def _worn(head: LinearHead, wear: Wear | None) -> tuple[str, ...]:
    """How often wear changes an answer, if it is known."""
    if wear is None:
        return ()
    before, after = (head.logits(rows).argmax(1) for rows in (wear.plain, wear.worn))
    return (f"it answers {np.mean(before != after):.1%} of {len(before)} items differently once they are worn",)  # fmt: skip


def _parts(winner: Candidate, found: Sequence[Candidate]) -> tuple[Part, ...]:
    """The closed forms that a head is: itself, or the two that it is the mean of."""
    by_kind = {candidate.head.kind: candidate.head for candidate in found}
    kinds = winner.head.kind.split(" + ")
    if logistic.KIND in kinds:
        return ()
    return tuple(part_of(by_kind[kind], alone=len(kinds) == 1) for kind in kinds)


def _closed_forms(discriminant: Path, by_lda: Candidate | None) -> list[Candidate]:
    """Nearest mean, ridge, LDA (if it is not judged already), and the mean of the last two; each at its best penalty."""
    within = discriminant.coordinates
    data, scaling = within.data, within.scaling
    truth, answerable = data.truth[data.scored], answerable_items(data)
    plain = [nearest_mean.path(data, scaling, within=within), ridge.path(data, scaling, penalties(within), within=within)]  # fmt: skip
    paths = plain if by_lda else [*plain, discriminant]
    by_mean, by_ridge, *rest = best_of_each(paths, truth, answerable)
    last = by_lda or rest[0]
    return [by_mean, by_ridge, last, average(by_ridge, last, truth, answerable)]


def _refuse(data: TrainingRows, classes: int) -> None:
    refuse_soft(data.targets)
    if data.targets.shape[1] != classes:
        raise DataError(
            "wrong-width", given=f"targets of {data.targets.shape[1]} columns", expected=f"{classes} classes",
            next="Give one column for each class.",
        )  # fmt: skip


def as_left_out(data: TrainingRows) -> tuple[TrainingRows, tuple[str, ...]]:
    """The rows grouped as they are left out, and a sentence if that is not group by group."""
    pairs = np.unique(np.stack([data.truth, data.groups]), axis=1)
    if np.bincount(pairs[0]).max() > FEW:
        return data, ()
    even = replace(data, groups=rounds(data.groups, data.truth))
    return even, (f"at most {FEW} items a class: one of each class is left out at a time",)


def _unjudged(data: TrainingRows, truth: Ints) -> HeadChoice:
    """One item a class: nothing can be left out, so nothing is chosen and nothing is sure."""
    scaling = fit_scaling(data.rows, data.weights, **SCALINGS["one scale, length one"])
    within = coordinates(data, scaling)
    weight, bias = nearest_mean.MeanSolution(within.statistics).weights(0)
    head = linear_head(nearest_mean.KIND, within.lift(weight), bias, scaling)
    why = "no class has an item to leave out: nearest mean, uncalibrated, and no estimate of its accuracy"
    logits = np.zeros((len(truth), len(bias)))
    return HeadChoice(
        head,
        logits,
        truth,
        (),
        (why,),
        Spanned(within.statistics, within.basis),
        parts=(part_of(head, alone=True),),
    )


def _alike(data: TrainingRows, blocks: Sequence[int]) -> tuple[Path, None, str]:
    """LDA on features of several stages: each on its own scale, each stage of the same total variance."""
    path = _discriminant(data, stage_scaling(data, blocks))
    return path, None, f"the head reads {len(blocks)} stages, each scaled to the same variance"


def stage_scaling(data: TrainingRows, blocks: Sequence[int]) -> Scaling:
    """Each feature on its own scale, and each of several stages of widths ``blocks`` of the same total variance."""
    scaling = fit_scaling(data.rows, data.weights, each=True, normalise=False)
    return replace(scaling, scale=scaling.scale / np.sqrt(np.repeat(blocks, blocks)))


def _screened(data: TrainingRows) -> tuple[Path, Candidate | None, str]:
    """LDA with the scaling of the least left-out log-loss, judged on a part of the rows if they are many."""
    part, losses = some_of(data, SCREENED), {}
    kept: dict[str, tuple[Path, Candidate]] = {}
    for name, options in SCALINGS.items():
        path = _discriminant(part, fit_scaling(part.rows, part.weights, **options))
        candidate = best_of(path, part.truth[part.scored], answerable_items(part))
        losses[name] = candidate.log_loss
        if candidate.log_loss <= min(losses.values()):
            kept = {name: (path, candidate)}  # only the best so far: each holds matrices of D x D
    ((chosen, best),) = kept.items()
    listed = ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
    why = f"features are scaled by {chosen}: least left-out log-loss of LDA ({listed})"
    if part is data:
        return *best, why
    return _discriminant(data, fit_scaling(data.rows, data.weights, **SCALINGS[chosen])), None, why


def _discriminant(data: TrainingRows, scaling: Scaling) -> Path:
    within = coordinates(data, scaling)
    return lda.path(data, scaling, penalties(within), within=within)


def _may_pay(data: TrainingRows, budget: float) -> bool:
    """Enough items a class, and a refinement for each fold and penalty, and one for all, within the budget."""
    (rows, width), classes = data.rows.shape, data.targets.shape[1]
    fits = logistic.FOLDS * len(logistic.STEPS) + 1
    work = 5.0 * rows * width * classes * logistic.ITERATIONS * fits
    return bool(data.scored.sum() >= MANY * classes) and work <= budget


def _refined(within: Coordinates, start: Candidate) -> Candidate:
    """Logistic regression from a closed-form head, at the better of a few penalties."""
    data, grid = within.data, logistic.penalties(within)
    truth, answerable = data.truth[data.scored], answerable_items(data)
    logits = logistic.out_of_fold(_fold_starts(within, start.head), data, grid)
    found = [judged(replace(start.head, penalty=p), told, truth, answerable) for p, told in zip(grid, logits, strict=True)]  # fmt: skip
    best = min(found, key=lambda c: c.log_loss)
    head = logistic.refine(start.head, data, best.head.penalty)
    return replace(best, head=replace(head, temperature=best.head.temperature))


def _fold_starts(within: Coordinates, head: LinearHead) -> list[LinearHead]:
    """The closed-form head without each fold."""
    fit = {ridge.KIND: ridge.fit, lda.KIND: lda.fit}[head.kind]
    fold = folds(within.data.groups, within.data.truth, logistic.FOLDS)
    starts = []
    for f in range(int(fold.max()) + 1):
        rest = within.without(fold == f)
        weight, bias = fit(rest, head.penalty)
        start = linear_head(head.kind, within.lift(weight), bias, within.scaling, head.penalty)
        starts.append(replace(start, temperature=head.temperature))
    return starts


def _simplest(found: Sequence[Candidate]) -> tuple[Candidate, str]:
    """The simplest kind within one standard error of the best; of equally simple ones the better."""
    best = min(found, key=lambda c: c.log_loss)
    close = [c for c in found if _behind(c, best) <= 1.0]
    level = min(_level(c) for c in close)
    winner = min((c for c in close if _level(c) == level), key=lambda c: c.log_loss)
    told = f"{winner.head.kind} has a left-out log-loss of {winner.log_loss:.3f} and is right on {winner.correct.mean():.1%}"
    if winner is best:
        return winner, f"{told}: the best of {len(found)} heads"
    return (
        winner,
        f"{told}: within one standard error of {best.head.kind} ({best.log_loss:.3f}), and simpler",
    )


def _level(candidate: Candidate) -> int:
    return SIMPLICITY.get(candidate.head.kind, 1)


def _behind(candidate: Candidate, best: Candidate) -> float:
    """By how many standard errors of the paired difference a candidate's log-loss is larger."""
    gap = candidate.surprise - best.surprise
    error = float(gap.std()) / np.sqrt(len(gap))
    return float(gap.mean() / error) if error > 0 else 0.0
