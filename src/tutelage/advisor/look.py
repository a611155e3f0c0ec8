"""A look: what a teacher sees in a sample of the user's data, in one run of eager PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tutelage.advisor.bn_shift import shifts, watched
from tutelage.advisor.energy import energy, max_probability, summary
from tutelage.advisor.prototypes import class_prototypes, prototype_distance, standing_out
from tutelage.advisor.sample import prepared, sample
from tutelage.network.stages import Activation, Network
from tutelage.training.lesson import Lesson

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """What was seen, as means over the sample.

    Attributes:
        items: n, the size of the sample.
        shifts: of each layer, see ``bn_shift``; empty for a network without batch norm.
        energy, max_probability: of the teacher's own classes; None without a classifier.
        classes: K, the number of prototypes; 0 where the classifier is not linear on the features.
        distance: see ``prototype_distance``; None without prototypes.
        standing_out: see ``prototypes.standing_out``; None without prototypes.
    """

    items: int
    shifts: Mapping[str, float]
    energy: float | None = None
    max_probability: float | None = None
    classes: int = 0
    distance: float | None = None
    standing_out: float | None = None

    @property
    def shift(self) -> float:
        """The mean over layers, in nats a channel."""
        return float(np.mean(list(self.shifts.values())))


def look(lesson: Lesson) -> Seen | None:
    """Run a sample of the training items through the teacher; None if none of them can be read."""
    network = lesson.teacher.network
    logits, features = [], []
    with watched(network.model) as layers, torch.no_grad():
        for _, activation in prepared(lesson, sample(lesson)):
            answer, pooled = _answers(network, activation)
            logits += answer
            features.append(pooled)
    if not features:
        return None
    rows = np.concatenate(features)
    sure = _sure(np.concatenate(logits)) if logits else {}
    return Seen(len(rows), shifts(layers) or {}, **sure, **_near(rows, class_prototypes(network)))


def _answers(network: Network, activation: Activation) -> tuple[list[Floats], Floats]:
    """Logits (if there is a classifier) as ``network.logits`` gives them, and pooled features, of one run."""
    cut = len(network.stages) if network.classifier_cut is None else network.classifier_cut
    middle = network.trunk(cut)(activation)
    features: Floats = network.tail(cut)(middle)["x"].double().numpy()
    if network.classifier is None:
        return [], features
    return [network.classifier(middle["x"]).double().numpy()], features


def _sure(logits: Floats) -> dict[str, Any]:
    return {
        "energy": summary(energy(logits))["mean"],
        "max_probability": summary(max_probability(logits))["mean"],
    }


def _near(features: Floats, prototypes: Floats | None) -> dict[str, Any]:
    if prototypes is None:
        return {}
    return {
        "classes": len(prototypes),
        "distance": float(prototype_distance(features, prototypes).mean()),
        "standing_out": float(standing_out(features, prototypes).mean()),
    }
