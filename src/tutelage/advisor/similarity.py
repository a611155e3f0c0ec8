"""How near the user's data is to the teacher's own domain, without a picture of the teacher's own.

The first gauge that can be read is taken: batch-norm shift and sureness (energy, largest probability)
against a source card, distance to the classifier's prototypes without one. None of them looks at a
label, and similarity alone decides nothing: flowers are far from ImageNet and easy (Cui et al. 2018).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tutelage.advisor.energy import energy, max_probability
from tutelage.advisor.sample import prepared, sample
from tutelage.advisor.source_cards import Reference, SourceCard, source_card
from tutelage.training.lesson import Lesson

if TYPE_CHECKING:
    from tutelage.network.stages import Activation, Network

Floats = npt.NDArray[np.float64]

HALF_SHIFT = 0.1
"""Nats a channel beyond what the teacher's own data shows, at which similarity is one half.

So far lie two normal distributions of the same width whose means are 0.45 standard deviations apart.
"""

HALF_SURENESS = 1.0
"""Standard deviations that the classifier is less sure than of its own images, likewise."""

OWN = 8.0
"""By so many standard deviations the nearest prototype stands out on an ImageNet network's own images.

Seen: 9.0, 9.3 and 9.8 (EfficientNet-lite0, 1 and 2) and 7.8 (MobileNetV2)."""

FEWEST_CLASSES = 100
"""Prototypes, below which they do not tell what a domain looks like."""


@dataclass(frozen=True)
class Similarity:
    """How near data is to the teacher's own.

    Attributes:
        value: from 0 to 1, which is like the teacher's own data; None if no gauge could be read.
        gauge: the name of the one that was: ``"batch-norm shift"``, ``"sureness"``, ``"prototypes"``
            or ``"none"``.
        farther_than: share of the teacher's own samples of as many images that are nearer, 0..1; None
            without a source card.
        because: a sentence.
        details: figures behind it, as JSON.
    """

    value: float | None
    gauge: str
    farther_than: float | None
    because: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary; ``Similarity(**...)`` is its inverse."""
        return asdict(self)


@dataclass(frozen=True)
class Seen:
    """What a teacher sees in the sample.

    Attributes:
        items: n.
        shifts: see ``bn_shift``; None for a network without batch norm.
        logits: of its own classes (N, K); None without a classifier.
        features: pooled, (N, D).
        prototypes: (K, D); None where the classifier is not linear on the features.
    """

    items: int
    shifts: Mapping[str, float] | None
    logits: Floats | None
    features: Floats
    prototypes: Floats | None


def similarity(lesson: Lesson) -> Similarity:
    """How near the training items are to the teacher's own data, from at most 64 of them.

    Every gauge is brought to a value by a formula that does not depend on the data set:

    - batch-norm shift: ``1 / (1 + excess / 0.1)``; the excess of the shift, the mean over layers, over
      the mean of as many images of the source card's domain, at the input size nearest to the lesson's.
    - sureness: ``1 / (1 + lack)``; the mean of the z-scores of energy and largest probability, negative.
    - prototypes: where the nearest one stands out by s standard deviations, ``(s - c) / (8 - c)``, cut
      to 0..1, with ``c = sqrt(2 ln K)``, which K random directions reach.

    The sample is taken by the items' digests and never by ``lesson.seed``: the same data gives the same
    answer. Nothing of the lesson is changed, and nothing is extracted into the cache.

    Example:
        ``similarity(lesson).because``
    """
    seen = look(lesson)
    if seen is None:
        return Similarity(None, "none", None, "how near the data is was not measured: no item could be read")  # fmt: skip
    card = source_card(lesson.teacher.card, lesson.activations.spec)
    whys = []
    for gauge in (_by_shift, _by_sureness, _by_prototypes):
        found = gauge(seen, card)
        if isinstance(found, Similarity):
            return Similarity(found.value, found.gauge, found.farther_than, found.because, {**_details(lesson, seen, card), **found.details})  # fmt: skip
        whys.append(found)
    told = f"how near the data is cannot be told of {lesson.teacher.card.name}: {'; '.join(dict.fromkeys(whys))}"
    return Similarity(None, "none", None, told, _details(lesson, seen, card))


def look(lesson: Lesson) -> Seen | None:
    """Run the sample through the teacher once, in eager PyTorch; None if no item can be read."""
    import torch

    from tutelage.advisor.bn_shift import shifts, watched
    from tutelage.advisor.prototypes import class_prototypes

    network = lesson.teacher.network
    logits, features = [], []
    with watched(network.model) as layers, torch.no_grad():
        for _, activation in prepared(lesson, sample(lesson)):
            answer, pooled = _answers(network, activation)
            logits += answer
            features.append(pooled)
        moved = shifts(layers)
    if not features:
        return None
    rows = np.concatenate(features)
    return Seen(len(rows), moved, np.concatenate(logits) if logits else None, rows, class_prototypes(network))  # fmt: skip


def _answers(network: Network, activation: Activation) -> tuple[list[Floats], Floats]:
    """Logits, if there is a classifier, and pooled features, of one run."""
    cut = len(network.stages) if network.classifier_cut is None else network.classifier_cut
    middle = network.trunk(cut)(activation)
    logits = [] if network.classifier is None else [network.classifier(middle["x"]).double().numpy()]
    features: Floats = network.tail(cut)(middle)["x"].double().numpy()
    return logits, features


def _by_shift(seen: Seen, card: SourceCard | None) -> Similarity | str:
    if card is None:
        return "there is no source card of it"
    reference = card.of(seen.items)
    if seen.shifts is None or reference.shift is None:
        return "it has no batch norm"
    if seen.items < card.fewest:
        return f"{seen.items} items are too few for statistics"
    shift = _mean(seen.shifts)
    own = reference.shift.mean
    value = 1 / (1 + max(0.0, shift - own) / HALF_SHIFT)
    told = f"they move its batch norms by {shift:.2f} nats a channel, where as many of its own move them by {own:.2f}"
    return _similarity(value, "batch-norm shift", reference.shift.share_below(shift), card, told)


def _by_sureness(seen: Seen, card: SourceCard | None) -> Similarity | str:
    if card is None:
        return "there is no source card of it"
    if seen.logits is None:
        return "it has no classes of its own"
    means = float(energy(seen.logits).mean()), float(max_probability(seen.logits).mean())
    sure, spread = card.sureness(*means), card.of(seen.items).sureness
    value = 1 / (1 + max(0.0, -sure) / HALF_SURENESS)
    told = f"its own classifier is {abs(sure):.1f} standard deviations {'less' if sure < 0 else 'more'} sure of them than of its own"
    return _similarity(value, "sureness", 1 - spread.share_below(sure), card, told)


def _by_prototypes(seen: Seen, card: SourceCard | None) -> Similarity | str:
    from tutelage.advisor.prototypes import standing_out

    if seen.prototypes is None:
        return "its classifier is not linear on its features" if seen.logits is not None else "it has no classes of its own"  # fmt: skip
    classes = len(seen.prototypes)
    if classes < FEWEST_CLASSES:
        return f"{classes} classes of its own are too few to tell what its data looks like"
    reached, chance = float(standing_out(seen.features, seen.prototypes).mean()), math.sqrt(2 * math.log(classes))  # fmt: skip
    value = min(1.0, max(0.0, (reached - chance) / (OWN - chance)))
    told = f"the nearest of its {classes} classes stands out by {reached:.1f} standard deviations; by chance it would by about {chance:.1f}"
    return _similarity(value, "prototypes", None, card, told)


def _similarity(value: float, gauge: str, farther: float | None, card: SourceCard | None, told: str) -> Similarity:  # fmt: skip
    """The sentence: how near, to what, and by which measure."""
    word = "near" if value >= 2 / 3 else "some way from" if value >= 1 / 3 else "far from"
    domain = card.domain if card else "what the teacher learned on"
    word = f"{word} to" if word == "near" else word
    than = "" if farther is None else f", farther than {farther:.0%} of its own samples"
    return Similarity(value, gauge, farther, f"the data is {word} {domain} (similarity {value:.2f}{than}): {told}")  # fmt: skip


def _details(lesson: Lesson, seen: Seen, card: SourceCard | None) -> dict[str, Any]:
    """Everything that was measured on the way, whichever gauge was taken."""
    from tutelage.advisor.prototypes import prototype_distance

    found: dict[str, Any] = {"items": seen.items, "size": lesson.activations.spec.size}
    reference = None if card is None else card.of(seen.items)
    if seen.shifts is not None:
        found |= _shift_details(lesson, seen.shifts, reference)
    if seen.logits is not None:
        means = float(energy(seen.logits).mean()), float(max_probability(seen.logits).mean())
        found |= {"energy": means[0], "max_probability": means[1]}
        if card is not None:
            found |= dict(zip(("energy_z", "max_probability_z"), card.z_scores(*means), strict=True))
    if seen.prototypes is not None:
        found["prototype_distance"] = float(prototype_distance(seen.features, seen.prototypes).mean())  # fmt: skip
    return found


def _shift_details(lesson: Lesson, shifts: Mapping[str, float], reference: Reference | None) -> dict[str, Any]:  # fmt: skip
    """The shift, that of the teacher's own data, and the excess of each stage (where there is a card)."""
    found: dict[str, Any] = {"shift": _mean(shifts), "layers": dict(shifts)}
    if reference is None or reference.shift is None:
        return found
    owners, excess = lesson.teacher.card.owners, {}
    for name, shift in shifts.items():
        stage = owners.get(f"{name}.running_mean", "")
        excess.setdefault(stage, []).append(shift - reference.layers.get(name, reference.shift.mean))
    stages = {stage: float(np.mean(values)) for stage, values in excess.items()}
    return {**found, "own_shift": reference.shift.mean, "stages": stages}


def _mean(shifts: Mapping[str, float]) -> float:
    return float(np.mean(list(shifts.values())))
