"""How near the user's data is to the teacher's own domain, without a picture of the teacher's own.

The first gauge that can be read is taken: batch-norm shift against a source card, energy and largest
probability against a source card; where there is no source card, batch-norm shift against what is
usual, distance to the classifier's prototypes. None of them looks at a label. Similarity alone decides
nothing: flowers are far from ImageNet and easy (Cui et al., CVPR 2018).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.advisor.source_cards import Reference, SourceCard, source_card, usual_shift
from tutelage.training.lesson import Lesson

if TYPE_CHECKING:
    from tutelage.advisor.look import Seen

HALF_SHIFT = 0.1
"""Nats a channel beyond what the teacher's own data shows, at which similarity is one half.

So far lie two normal distributions of one width whose means are 0.45 standard deviations apart.
"""

HALF_SURE = 1.0
"""Standard deviations that the classifier is less sure than of its own images, likewise."""

OWN = 8.0
"""By so many standard deviations the nearest prototype stands out on an ImageNet network's own images.

Seen: 9.0, 9.3 and 9.8 (EfficientNet-lite0, 1 and 2) and 7.8 (MobileNetV2).
"""

FEWEST_ITEMS = 8
"""Items below which statistics of batch norm say more of the sample than of the data."""

FEWEST_CLASSES = 100
"""Prototypes below which they do not tell what a domain looks like."""


@dataclass(frozen=True)
class Similarity:
    """How near data is to the teacher's own.

    Attributes:
        value: from 0 to 1, which is like the teacher's own data; None if no gauge could be read.
        gauge: the one that was: ``"batch-norm shift"``, ``"energy"``, ``"prototypes"`` or ``"none"``.
        farther_than: share of samples of the teacher's own data, as large, that are nearer, 0..1; None
            without a source card.
        because: a sentence.
        details: the figures behind it, as JSON.
    """

    value: float | None
    gauge: str
    farther_than: float | None
    because: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary; ``Similarity(**...)`` is its inverse."""
        return asdict(self)


def similarity(lesson: Lesson) -> Similarity:
    """How near the training items are to the teacher's own data, from at most 64 of them.

    Each gauge is brought to a value by one formula for all data; its round constants were set with the measures of real sets in view, never with accuracies:

    - batch-norm shift: ``1 / (1 + excess / 0.1)`` of its excess, in nats a channel and as the mean over
      layers, over that of as many images of the teacher's own domain at the nearest input size; without
      a source card, over what is usual for teachers' own domains.
    - energy: ``1 / (1 + lack / 1)``, where the z-scores of energy and largest probability against the
      source card's images are ``-lack`` in their mean.
    - prototypes: ``(s - c) / (8 - c)``, cut to 0..1, where the nearest one stands out by s standard
      deviations; K random directions do so by about ``c = sqrt(2 ln K)``.

    The sample is drawn by the items' digests and never by ``lesson.seed``: the same data gives the same
    answer. Nothing in the lesson or its cache is changed.

    Raises:
        TrainingError: the teacher gives logits that are not finite.

    Example:
        ``similarity(lesson).because``
    """
    from tutelage.advisor.look import look

    seen = look(lesson)
    if seen is None:
        return Similarity(None, "none", None, "how near the data is was not measured: no item can be read")  # fmt: skip
    own, spec = lesson.teacher.card, lesson.activations.spec
    card = source_card(own, spec)
    details = {"size": spec.size, **facts(seen, card, own.owners)}
    usual = usual_shift(seen.items, spec.size / own.spec.size)
    return replace(measured(seen, card, usual), details=details)


def measured(seen: Seen, card: SourceCard | None, usual: float | None = None) -> Similarity:
    """By the first gauge that can be read; without one, why not.

    Args:
        card: the teacher's source card, if there is one.
        usual: see ``source_cards.usual_shift``.
    """
    gauges = (
        partial(by_shift, seen, card), partial(by_energy, seen, card),
        partial(by_shift_alone, seen, usual), partial(by_prototypes, seen),
    )  # fmt: skip
    whys = []
    for gauge in gauges:
        found = gauge()
        if isinstance(found, Similarity):
            return found
        whys.append(found)
    told = f"how near the data is cannot be told of this teacher: {'; '.join(dict.fromkeys(whys))}"
    return Similarity(None, "none", None, told)


def by_shift(seen: Seen, card: SourceCard | None) -> Similarity | str:
    """Batch-norm shift against a source card, or why not."""
    if card is None:
        return "there is no source card of it"
    reference = card.of(seen.items).shift
    if reference is None or not seen.shifts:
        return "it has no batch norm"
    if seen.items < FEWEST_ITEMS:
        return f"{seen.items} items are too few for statistics of batch norm"
    told = f"it moves the teacher's batch norms by {seen.shift:.2f} nats a channel, where as many of its own items move them by {reference.mean:.2f}"
    farther = reference.share_below(seen.shift)
    return _told(_nearness(seen.shift, reference.mean), "batch-norm shift", farther, card, told)


def by_shift_alone(seen: Seen, usual: float | None) -> Similarity | str:
    """Batch-norm shift against that of other teachers' own data, or why not.

    Seen on networks whose source card was left out: EfficientNet-lite1 and 2.
    """
    if usual is None or not seen.shifts:
        return "it has no batch norm"
    if seen.items < FEWEST_ITEMS:
        return f"{seen.items} items are too few for statistics of batch norm"
    told = f"it moves the teacher's batch norms by {seen.shift:.2f} nats a channel, where a teacher's own items usually move them by {usual:.2f}"
    return _told(_nearness(seen.shift, usual), "batch-norm shift", None, None, told)


def _nearness(shift: float, own: float) -> float:
    return 1 / (1 + max(0.0, shift - own) / HALF_SHIFT)


def by_energy(seen: Seen, card: SourceCard | None) -> Similarity | str:
    """How sure the teacher's classifier is against a source card, or why not.

    A coarser gauge: to some networks handwriting is strange and energetic (SqueezeNet).
    """
    if card is None:
        return "there is no source card of it"
    if seen.energy is None or seen.max_probability is None:
        return "it has no classes of its own"
    sure = card.sureness(seen.energy, seen.max_probability)
    value = 1 / (1 + max(0.0, -sure) / HALF_SURE)
    farther = 1 - card.of(seen.items).sureness.share_below(sure)
    told = f"the teacher's classifier is {abs(sure):.1f} standard deviations {'less' if sure < 0 else 'more'} sure than on its own items"
    return _told(value, "energy", farther, card, told)


def by_prototypes(seen: Seen) -> Similarity | str:
    """Distance to the classifier's prototypes, which needs no source card, or why not; the coarsest gauge."""
    if seen.energy is None:
        return "it has no classes of its own"
    if seen.standing_out is None:
        return "its classifier is not linear on its features"
    if seen.classes < FEWEST_CLASSES:
        return f"its {seen.classes} classes are too few to tell what its own data looks like"
    chance = math.sqrt(2 * math.log(seen.classes))
    value = min(1.0, max(0.0, (seen.standing_out - chance) / (OWN - chance)))
    told = f"the nearest of the teacher's {seen.classes} classes stands out by {seen.standing_out:.1f} standard deviations, by chance by {chance:.1f}, on its own items by about {OWN:.0f}"
    return _told(value, "prototypes", None, None, told)


def _told(value: float, gauge: str, farther: float | None, card: SourceCard | None, told: str) -> Similarity:  # fmt: skip
    """The sentence: how near, to what, and by which measure."""
    word = "near" if value >= 2 / 3 else "some way from" if value >= 1 / 3 else "far from"
    domain = card.domain if card else "what the teacher learned on"
    than = "" if farther is None else f", farther than {farther:.0%} of samples of its own"
    return Similarity(value, gauge, farther, f"the data is {word} {domain} (similarity {value:.2f}{than}): {told}")  # fmt: skip


def facts(seen: Seen, card: SourceCard | None, owners: Mapping[str, str]) -> dict[str, Any]:
    """Everything that was measured on the way, whichever gauge was taken.

    Args:
        owners: see ``Card``.
    """
    found: dict[str, Any] = {"items": seen.items}
    if seen.shifts:
        found |= {"shift": seen.shift, "layers": dict(seen.shifts)}
        if card is not None and (reference := card.of(seen.items)).shift is not None:
            found |= {"own_shift": reference.shift.mean, "stages": _excess(seen, reference, owners)}
    if seen.energy is not None and seen.max_probability is not None:
        sure = seen.energy, seen.max_probability
        found |= {"energy": sure[0], "max_probability": sure[1]}
        if card is not None:
            names = ("energy_z", "max_probability_z")
            found |= dict(zip(names, card.z_scores(*sure), strict=True))
    if seen.distance is not None:
        found |= {"prototype_distance": seen.distance, "standing_out": seen.standing_out}
    return found


def _excess(seen: Seen, reference: Reference, owners: Mapping[str, str]) -> dict[str, float]:
    """By how much each stage's layers are shifted beyond the same layers on the teacher's own data."""
    excess: dict[str, list[float]] = defaultdict(list)
    for layer, shift in seen.shifts.items():
        stage = owners.get(f"{layer}.running_mean", "")
        excess[stage].append(shift - reference.layers.get(layer, 0.0))
    return {stage: float(np.mean(values)) for stage, values in excess.items()}
