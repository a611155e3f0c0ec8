"""How deep to freeze: measure, expect, price, choose; and say why."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tutelage.advisor.choice import Option, choose
from tutelage.advisor.cost import Cost, cost
from tutelage.advisor.evidence import Evidence, evidence_of, judgeable
from tutelage.advisor.gain import Gain, expected_gains, shipped
from tutelage.advisor.recall import recall
from tutelage.advisor.sample import prepared, sample
from tutelage.advisor.scores import stage_scores
from tutelage.advisor.similarity import Similarity, similarity
from tutelage.advisor.verdict import reasons
from tutelage.network.decision import FreezeDecision, Mode, asked_cut, mode_of
from tutelage.teachers import Card
from tutelage.teachers.cuts import contenders, interior_cut
from tutelage.training.budget import after_tuning
from tutelage.training.head import probe
from tutelage.training.lesson import Lesson


def advise(lesson: Lesson, *, freeze: str = "auto", mode: str | None = None, keep_classes: bool = False, deadline: float = math.inf, scores: bool = False) -> FreezeDecision:  # fmt: skip
    """Where to cut, and why.

    Args:
        freeze: ``--freeze`` as typed.
        mode: ``--mode`` as typed, or None.
        keep_classes: the teacher's classes must stay known: deep.
        deadline: when a student must be there, on the clock of ``time.monotonic``.
        scores: LogME, NLEEP and H-score of every stage too.

    Raises:
        UsageError: ``freeze`` and ``mode`` name nothing, or contradict each other.
    """
    card = lesson.teacher.card
    asked = asked_cut(freeze, mode, card.names)
    if asked is not None:
        return _as_asked(asked, card)
    if keep_classes:
        because = ("--keep-classes was given: tuned layers would forget the teacher's classes",)
        return FreezeDecision("deep", len(card.stages), card.names, because)
    decision = weighed(lesson, deadline)
    told = {"scores": stage_scores(lesson)} if scores else {}
    return replace(
        decision,
        because=(*lesson.chosen.because, *decision.because),
        facts={**decision.facts, **told},
    )


def weighed(lesson: Lesson, deadline: float = math.inf) -> FreezeDecision:
    """The decision by the evidence."""
    card = lesson.teacher.card
    if not judgeable(lesson):
        because = (
            "no class has two items: nothing can be left out, so nothing is known; a new head alone",
        )
        return FreezeDecision("deep", len(card.stages), card.names, because)
    evidence = evidence_of(lesson)
    near = Similarity(**recall(lesson, "similarity", lambda: similarity(lesson).as_json()))
    options = promised(lesson, evidence, near)
    chosen, why_not = choose(options, deadline - time.monotonic() - after_tuning(lesson))
    asked = gradients(lesson) if _unsure(options, chosen) and math.isinf(deadline) else {}
    items = len(lesson.parts.test) or round(0.2 * len(lesson.parts.train))
    table = tuple(o.row(items, chosen=o is chosen, why_not=why_not.get(o.cut, "")) for o in options)
    return FreezeDecision(
        mode_of(chosen.cut, lesson.depth), chosen.cut, card.names,
        reasons(card, evidence, near, options, chosen, why_not, asked), table,
        facts={**_facts(evidence, near, chosen, table), "gradient_ratio": asked}, prior=_prior(chosen, lesson.depth),
    )  # fmt: skip


def _unsure(options: Sequence[Option], chosen: Option) -> bool:
    """Whether the closed forms cannot tell: the best cut is not taken, or hardly stands out."""
    best = max(options, key=lambda o: o.gain.mean)
    return best is not chosen or 0 < best.gain.mean < 2 * best.gain.error


def gradients(lesson: Lesson) -> dict[str, float]:
    """Stage -> how much the head's loss asks it to move, from at most 64 items; computed once."""

    def measured() -> dict[str, float]:
        from tutelage.advisor.gradient_ratio import gradient_ratio

        choice = probe(lesson)
        batches = (
            (seen, lesson.truth(indices)) for indices, seen in prepared(lesson, sample(lesson))
        )
        return gradient_ratio(lesson.teacher.network, batches, choice.head, choice.reads)

    return recall(lesson, "gradients", measured)


def promised(lesson: Lesson, evidence: Evidence, near: Similarity) -> list[Option]:
    """What each cut in contention promises, and what it costs."""
    card, cuts = lesson.teacher.card, contenders(lesson.teacher.card)
    gains = expected_gains(evidence, near.value, card, cuts)
    return [_option(card, cut, evidence, gains[cut], cost(lesson, cut)) for cut in cuts]


def _option(card: Card, cut: int, evidence: Evidence, gain: Gain, price: Cost) -> Option:
    expected = min(1.0, max(0.0, evidence.accuracy + gain.mean))
    drift = shipped()["deep"].around(0.0, evidence.each).spread
    error = math.hypot(evidence.error, gain.spread, drift)
    return Option(cut, card.names[cut - 1] if cut else None, expected, error, gain, price)


def _prior(chosen: Option, depth: int) -> tuple[float, float] | None:
    return None if chosen.cut == depth else (chosen.gain.mean, chosen.gain.spread)


def _facts(evidence: Evidence, near: Similarity, chosen: Option, table: tuple[dict[str, Any], ...]) -> dict[str, Any]:  # fmt: skip
    row = next(row for row in table if row["cut"] == chosen.cut)
    return {
        "expected": {"accuracy": row["expected"], "low": row["low"], "high": row["high"]},
        "similarity": near.as_json(), "evidence": evidence.as_json(),
    }  # fmt: skip


def _as_asked(asked: tuple[Mode, int | None], card: Card) -> FreezeDecision:
    mode, cut = asked
    if mode == "mid" and cut is None:
        cut = interior_cut(card)
        share = f"{card.share(cut):.0%} of the work"
        because = f"--mode mid was given; {cut} of {len(card.stages)} stages, to {card.names[cut - 1]}, stay frozen: {share}"
    else:
        because = f"--mode {mode} was given" if cut in (None, 0, len(card.stages)) else f"--freeze {card.names[cut - 1]} was given"  # fmt: skip
    return FreezeDecision(mode, cut, card.names, (because,), asked=True)
