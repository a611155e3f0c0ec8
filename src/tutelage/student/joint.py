"""A student that still knows its teacher's classes beside the new ones (``--keep-classes``).

Nobody has the teacher's training images, so the two heads are not trained together. The reject
rule, fitted on the new classes alone, says how foreign an item is to them; from that

    P(new) = 1 / (1 + exp(score - threshold)),

one standard deviation beyond the threshold being odds of e, and the joint probabilities are
``P(new) p(c | new)`` and ``(1 - P(new)) p(k | old)``. A foreign item that the old classifier cannot
place either may thus still be called new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import TeacherError
from tutelage.teachers import Teacher
from tutelage.teachers.labels import class_names

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OldClasses:
    """The teacher's own classifier, kept.

    Attributes:
        weight: (D, K).
        bias: (K,).
    """

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    def probabilities(self, features: npt.NDArray[np.floating]) -> Floats:
        """What the teacher says (N, K), from features (N, D)."""
        logits = features.astype(np.float64) @ self.weight + self.bias
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: Floats = raised / raised.sum(axis=1, keepdims=True)
        return shares

    def as_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Named arrays; ``from_arrays`` is the inverse."""
        return {"weight": self.weight, "bias": self.bias}

    @staticmethod
    def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> OldClasses | None:
        """The inverse of ``as_arrays``; None where there are none."""
        return OldClasses(arrays["weight"], arrays["bias"]) if arrays else None


def joint(new: Floats, old: Floats, score: Floats, threshold: float) -> Floats:
    """Probabilities over new and old classes together (N, C + K).

    Args:
        new: (N, C) of the student's own head.
        old: (N, K) of the teacher's classifier.
        score: (N,) how foreign each item is to the new classes, in standard deviations.
        threshold: of the reject rule.
    """
    share = 1 / (1 + np.exp(np.clip(score - threshold, -50, 50)))[:, None]
    return np.concatenate([share * new, (1 - share) * old], axis=1)


def old_classes(teacher: Teacher) -> OldClasses:
    """The teacher's classifier, if it is one linear map of the features.

    Raises:
        TeacherError: it has none, or another kind.
    """
    card = teacher.card
    names = sorted(name for name, owner in card.owners.items() if owner == "classifier")
    tensors = teacher.tensors() if names else {}
    kernels = [n for n in names if tensors[n].ndim == 2 and tensors[n].shape[1] == card.width]
    if len(kernels) != 1 or len(names) > 2:
        raise TeacherError(
            "no-linear-classifier", given=f"--keep-classes with {card.name}, whose classifier is no linear map of its {card.width} features",
            expected="a teacher with one linear last layer", next="Leave out --keep-classes, or take another: --teacher efficientnet_lite0",
        )  # fmt: skip
    bias = next((tensors[n] for n in names if n not in kernels), np.zeros(card.labels))
    return OldClasses(tensors[kernels[0]].T.astype(np.float32), bias.astype(np.float32))


def old_labels(teacher: Teacher, new: Sequence[str]) -> tuple[str, ...]:
    """Names of the teacher's classes; one that a new class has already is marked as the teacher's."""
    taken = set(new)
    return tuple(f"{name} (teacher)" if name in taken else name for name in class_names(teacher.card))  # fmt: skip
