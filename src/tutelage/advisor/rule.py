"""The rule: from the amount of data and the head-room that a head on frozen features leaves.

1. What the user fixed stands.
2. Few images (< 20 a class): deep. There is nothing to tune the layers with (BSCD-FSL, Guo et al.,
   ECCV 2020: gains of tuning below 20 shots are within noise).
3. Little head-room (leave-one-out error below 8 %, or below two standard errors): deep. What is left
   cannot be told from chance on so few images.
4. Tiny sources (an InputSpec below the card's) with >= 100 images a class: full. Their scale is new
   to every layer, and passes at that size are cheap.
5. Else mid: the first stages that do at most 45 % of the work stay frozen.

A later advisor measures every cut instead; ``FreezeDecision`` is made for it.
"""

from __future__ import annotations

import numpy as np

from tutelage.heads.choose import HeadChoice
from tutelage.network.decision import FreezeDecision, Mode, asked_cut
from tutelage.teachers import Card
from tutelage.training.head import probe
from tutelage.training.lesson import Lesson

FEW, HEADROOM, TRUNK_SHARE, MANY = 20, 0.08, 0.45, 100


def advise(lesson: Lesson, *, freeze: str = "auto", mode: str | None = None, quick: bool = False, keep_classes: bool = False) -> FreezeDecision:  # fmt: skip
    """Where to cut, and why.

    Args:
        freeze: ``--freeze`` as typed.
        mode: ``--mode`` as typed, or None.
        keep_classes: the teacher's classes must stay known: deep.
        quick: no time for tuning: deep, unless the user fixed something else.

    Raises:
        UsageError: ``freeze`` and ``mode`` name nothing, or contradict each other.
    """
    card = lesson.teacher.card
    asked = asked_cut(freeze, mode, card.names)
    if asked is not None:
        return _as_asked(asked, card)
    if keep_classes:
        return _decided(card, "deep", ("--keep-classes was given: tuned layers would forget the teacher's classes",), None)  # fmt: skip
    if quick:
        return _decided(card, "deep", ("the time limit leaves no room for tuning",), None)
    return _by_rule(lesson, probe(lesson))


def _as_asked(asked: tuple[Mode, int | None], card: Card) -> FreezeDecision:
    mode, cut = asked
    if mode == "mid" and cut is None:
        cut = interior_cut(card)
        because = (f"--mode mid was given; {_interior_reason(card, cut)}",)
    else:
        because = (f"--mode {mode} was given" if cut in (None, 0, len(card.stages)) else f"--freeze {card.names[cut - 1]} was given",)  # fmt: skip
    return FreezeDecision(mode, cut, card.names, because, asked=True)


def _by_rule(lesson: Lesson, choice: HeadChoice) -> FreezeDecision:
    card, n = lesson.teacher.card, len(lesson.parts.train)
    each = n / len(lesson.classes)
    correct = choice.left_out_logits.argmax(1) == choice.left_out_truth
    error = 1 - float(correct.mean())
    noise = 2 * float(np.sqrt(error * (1 - error) / max(1, len(correct))))
    told = f"a head on frozen features is wrong on {error:.1%} of left-out training items"
    if each < FEW:
        return _decided(card, "deep", (f"{each:.0f} images a class are too few to tune layers", told), choice)  # fmt: skip
    if error < max(HEADROOM, noise):
        return _decided(card, "deep", (f"{told}: little is left to gain by tuning",), choice)
    if lesson.activations.spec.size < card.spec.size and each >= MANY:
        return _decided(card, "full", (told, "the images are so small that every layer meets a new scale"), choice)  # fmt: skip
    return _decided(card, "mid", (told, _interior_reason(card, interior_cut(card))), choice)


def interior_cut(card: Card) -> int:
    """The largest interior K whose trunk does at most 45 % of the work, at least 1."""
    fitting = [k for k in range(1, len(card.stages)) if card.share(k) <= TRUNK_SHARE]
    return max(fitting, default=1)


def _interior_reason(card: Card, cut: int) -> str:
    return f"{cut} of {len(card.stages)} stages, to {card.names[cut - 1]}, stay frozen: {card.share(cut):.0%} of the work"  # fmt: skip


def _decided(card: Card, mode: Mode, because: tuple[str, ...], choice: HeadChoice | None) -> FreezeDecision:  # fmt: skip
    cut = {"deep": len(card.stages), "full": 0}.get(mode, interior_cut(card))
    evidence = tuple(choice.table) if choice else ()
    return FreezeDecision(mode, cut, card.names, because, evidence)
