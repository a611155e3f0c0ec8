"""Distance to prototypes: how far features lie from the classes that the teacher knows.

A row of a linear classifier is a prototype of its class (Qi et al., "Low-Shot Learning with Imprinted
Weights", CVPR 2018, section 3.1), so no picture of the teacher's own is needed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tutelage.network.stages import Network

Floats = npt.NDArray[np.float64]

TINY = 1e-12
SAME = 1e-4
"""Relative difference up to which a classifier counts as its one linear layer."""


def prototype_distance(features: npt.ArrayLike, prototypes: npt.ArrayLike) -> Floats:
    """``min_k 1 - cos(x, w_k)`` of each item (N,), in [0, 2]; 0 is on a prototype.

    Its mean is the earth mover's distance to the teacher's classes, with cosine in the place of length,
    by which Cui et al., "Large Scale Fine-Grained Categorization and Domain-Specific Transfer Learning",
    CVPR 2018 (arXiv 1806.06193), section 4.1, tell how near two data sets are, when every class may
    take as much as it likes.

    Args:
        features: x (N, D).
        prototypes: w (K, D).

    Example:
        >>> prototype_distance([[2.0, 0.0], [0.0, -1.0]], [[1.0, 0.0], [0.0, 1.0]]).tolist()
        [0.0, 1.0]
    """
    return np.asarray(1 - cosines(features, prototypes).max(axis=1))


def standing_out(features: npt.ArrayLike, prototypes: npt.ArrayLike) -> Floats:
    """By how many standard deviations the nearest prototype is nearer than the mean one, of each item (N,).

    ``(max_k c_k - mean_k c_k) / sd_k c_k`` with the cosines c: unlike the distance it means much the same
    at any width D. K random directions stand out by about ``sqrt(2 ln K)``.
    """
    table = cosines(features, prototypes)
    spread = np.maximum(table.std(axis=1), TINY)
    return np.asarray((table.max(axis=1) - table.mean(axis=1)) / spread)


def cosines(features: npt.ArrayLike, prototypes: npt.ArrayLike) -> Floats:
    """Of features (N, D) and prototypes (K, D) -> (N, K); of a vector of zeros it is 0."""
    return np.asarray(_unit(features) @ _unit(prototypes).T)


def _unit(vectors: npt.ArrayLike) -> Floats:
    rows = np.asarray(vectors, dtype=np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY))


def class_prototypes(network: Network) -> Floats | None:
    """The rows (K, D) of a classifier that is linear on the pooled feature; None where it is not.

    It is believed by what it answers: to features drawn at random, the same as its one linear layer.
    """
    classifier = network.classifier
    if classifier is None or network.classifier_cut not in (None, len(network.stages)):
        return None
    linear = [part for part in classifier.modules() if isinstance(part, nn.Linear)]
    if len(linear) != 1 or not _is(classifier, linear[0]):
        return None
    return np.asarray(linear[0].weight.detach().cpu().double().numpy())


@torch.no_grad()
def _is(classifier: nn.Module, linear: nn.Linear) -> bool:
    drawn = torch.randn(4, linear.in_features, generator=torch.Generator().manual_seed(0))
    drawn = 10 * drawn.abs().to(linear.weight)  # as after a rectifier, and of no particular length
    try:
        answer, alone = classifier(drawn), linear(drawn)
    except (RuntimeError, ValueError, IndexError, TypeError):
        return False  # it reads something else than one vector an item
    near = SAME * float(alone.abs().max())
    return answer.shape == alone.shape and float((answer - alone).abs().max()) <= near
