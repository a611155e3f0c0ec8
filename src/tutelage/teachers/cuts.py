"""Which cuts are in contention, and which stages are looked at: a few of the many that a network offers."""

from __future__ import annotations

from tutelage.teachers.card import Card

MIDDLE, LATE = 0.45, 0.9
"""Share of the work that stays frozen at most, for the two interior cuts."""

TAPS = 10
"""Stages whose pooled output travels with the features, at most."""


def contenders(card: Card) -> tuple[int, ...]:
    """Cuts K in rising order: none frozen, the middle, all but the last stages, all frozen.

    A head costs one pass; tuning costs three times the tail's share of a pass, an epoch. Cuts that
    cost about the same are not told apart by any evidence that is cheaper than trying, so one of
    each price is weighed. A network of one stage has two.
    """
    length = len(card.stages)
    inner = {interior_cut(card, MIDDLE), interior_cut(card, LATE)} if length > 1 else set()
    return tuple(sorted({0, length} | inner))


def interior_cut(card: Card, share: float = MIDDLE) -> int:
    """The largest interior K whose trunk does at most ``share`` of the work, at least 1."""
    fitting = [k for k in range(1, len(card.stages)) if card.share(k) <= share]
    return max(fitting, default=1)


def tapped(card: Card) -> tuple[int, ...]:
    """Stages K, below L, whose pooled output is kept beside the features; the contenders among them.

    All, where they are few; else spread evenly over the depth. A stage before a bare pooling is what
    the features are already.
    """
    bare = (
        len(card.stages) > 1
        and card.stages[-1].parameters == 0
        and (card.spec.unit != "px" or len(card.stages[-2].shape) != 2)
        and card.stages[-2].width == card.width
    )
    inner = range(1, len(card.stages) - bare)
    if len(inner) <= TAPS:
        return tuple(inner)
    sure = {k for k in contenders(card) if k in inner}
    spread = [inner[round(i * (len(inner) - 1) / (TAPS - 1))] for i in range(TAPS)]
    others = [k for k in spread if k not in sure][: TAPS - len(sure)]
    return tuple(sorted(sure | set(others)))
