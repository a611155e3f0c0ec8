"""The linear head: what every way of fitting ends as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import ArtefactError
from tutelage.evaluation.calibration import softmax
from tutelage.heads.scaling import Scaling

Floats = npt.NDArray[np.float64]

NEVER = -1e9
"""Logit of a class that had no training row."""

FIELDS = ("kind", "weight", "bias", "shift", "scale", "normalise", "temperature", "penalty")


@dataclass(frozen=True)
class LinearHead:
    """Logits ``z @ weight + bias`` of scaled features ``z``; probabilities ``softmax(logits / T)``.

    Attributes:
        kind: how it was fitted: ``"nearest mean"``, ``"ridge"``, ``"lda"``, ``"logistic"``...
        weight: (D, C).
        bias: (C,).
        shift, scale, normalise: see ``Scaling``; ``z = (x - shift) * scale``.
        temperature: T, fitted on logits of items that were left out.
        penalty: what it was fitted with.
    """

    kind: str
    weight: Floats
    bias: Floats
    shift: Floats
    scale: Floats
    normalise: bool = False
    temperature: float = 1.0
    penalty: float = 0.0

    @property
    def scaling(self) -> Scaling:
        """How it scales features."""
        return Scaling(self.shift, self.scale, self.normalise)

    def logits(self, features: npt.NDArray[np.floating]) -> Floats:
        """Features (N, D) -> logits (N, C), before the temperature."""
        scores: Floats = self.scaling.apply(features) @ self.weight + self.bias
        return scores

    def probabilities(self, features: npt.NDArray[np.floating]) -> Floats:
        """Features (N, D) -> calibrated probabilities (N, C)."""
        return softmax(self.logits(features) / self.temperature)

    def as_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Named arrays for a safetensors file; ``from_arrays`` is the inverse, bit for bit."""
        numbers = {name: np.asarray(getattr(self, name), dtype=np.float64) for name in FIELDS[1:]}
        return {**numbers, "kind": np.frombuffer(self.kind.encode(), np.uint8).copy()}

    @staticmethod
    def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> LinearHead:
        """The inverse of ``as_arrays``.

        Raises:
            ArtefactError: arrays are missing.
        """
        missing = sorted(set(FIELDS) - set(arrays))
        if missing:
            raise ArtefactError(
                "damaged-head", given=f"a head without {', '.join(missing)}", expected=", ".join(FIELDS),
                next="Restore the student from a copy, or make it again with: tutelage fit DATA",
            )  # fmt: skip
        return LinearHead(
            kind=bytes(arrays["kind"]).decode(),
            weight=arrays["weight"], bias=arrays["bias"], shift=arrays["shift"], scale=arrays["scale"],
            normalise=bool(arrays["normalise"]), temperature=float(arrays["temperature"]),
            penalty=float(arrays["penalty"]),
        )  # fmt: skip


def linear_head(kind: str, weight: Floats, bias: Floats, scaling: Scaling, penalty: float = 0.0) -> LinearHead:  # fmt: skip
    """A head of that weight (D, C) and bias (C,) on features scaled so, at temperature 1.

    The bias of a class that cannot win is brought from minus infinity to a finite ``NEVER``.
    """
    return LinearHead(
        kind=kind, weight=weight, bias=np.maximum(bias, NEVER), penalty=float(penalty),
        shift=scaling.shift, scale=scaling.scale, normalise=scaling.normalise,
    )  # fmt: skip
