"""The verdict in sentences, as an expert would say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tutelage.advisor.choice import Option
from tutelage.advisor.evidence import Evidence
from tutelage.advisor.similarity import Similarity
from tutelage.network.decision import mode_of
from tutelage.teachers import Card

WORDS = {
    "deep": "deep-layer feature extraction",
    "mid": "mid-layer feature extraction",
    "full": "full-model fine-tuning",
}


def reasons(card: Card, evidence: Evidence, near: Similarity, options: Sequence[Option], chosen: Option, why_not: Mapping[int, str], asked: Mapping[str, float]) -> tuple[str, ...]:  # fmt: skip
    """What to do, how near the data is, what the head reaches, what tuning is expected to add, why not the others, and what more data would do."""
    others = [_other(card, o, why_not[o.cut]) for o in reversed(options) if o is not chosen]
    told = [_what(card, chosen), near.because, _head(evidence), _tuning(evidence, chosen, options), *others, _asked(asked), _more(evidence)]  # fmt: skip
    return tuple(sentence for sentence in told if sentence)


def _what(card: Card, chosen: Option) -> str:
    mode = mode_of(chosen.cut, len(card.stages))
    if mode == "deep":
        return f"freeze all {chosen.cut} stages ({WORDS[mode]}) and fit a new head"
    if mode == "full":
        return f"freeze nothing ({WORDS[mode]})"
    return f"freeze everything up to {chosen.stage} ({WORDS[mode]}): {card.share(chosen.cut):.0%} of the work stays frozen"


def _head(evidence: Evidence) -> str:
    reads = "the last stage" if evidence.reads == 1 else f"{evidence.reads} stages"
    return (
        f"{evidence.each:.0f} items a class; a {evidence.head} head on frozen features of {reads} is right on "
        f"{evidence.accuracy:.1%} ± {1.96 * evidence.error:.1%} of left-out training items"
    )


def _tuning(evidence: Evidence, chosen: Option, options: Sequence[Option]) -> str:
    deepest = max(options, key=lambda o: o.cut)
    if chosen is not deepest:
        return f"tuning the stages after it is expected to add {100 * chosen.gain.mean:.1f} points ± {100 * chosen.gain.error:.1f}, for about {chosen.cost.seconds:.0f} s"
    best = max(options, key=lambda o: o.gain.mean)
    if best is deepest:
        return "no tuning is expected to add anything"
    return f"tuning is expected to add at most {100 * best.gain.mean:.1f} points ± {100 * best.gain.error:.1f}"


def _other(card: Card, option: Option, why: str) -> str:
    mode = mode_of(option.cut, len(card.stages))
    name = {"deep": "a new head alone", "full": "the whole network"}.get(
        mode, f"freezing to {option.stage}"
    )
    return f"not {name}: {why}" if why else ""


def _asked(ratios: Mapping[str, float]) -> str:
    """Where the loss pulls, looked at only where the closed forms cannot tell."""
    if not ratios:
        return ""
    most = max(ratios, key=ratios.__getitem__)
    return f"the evidence hardly tells tuning from not tuning; the gradients ask most of {most} ({ratios[most]:.3f} of its weights' length)"


def _more(evidence: Evidence) -> str:
    if evidence.curve is None:
        return evidence.curve_told
    return f"twice the data would add about {100 * evidence.curve.gain:.1f} points ({100 * evidence.curve.low:.1f} to {100 * evidence.curve.high:.1f})"
