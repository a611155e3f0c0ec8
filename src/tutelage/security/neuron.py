"""Single-neuron probe (Rezaei and Liu, ICLR 2020): junk that a student is sure about, made without any item.

From a blank window one feature of the teacher is driven as high as it goes. A linear head saturates, so that junk gets
a confident class; walking over neurons reaches one class after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tutelage.modality import InputSpec
from tutelage.modality.perturb import Perturb
from tutelage.security.crafted import Arrays, crafted
from tutelage.security.eye import Eye
from tutelage.security.pursuit import Pursuit, pursue
from tutelage.teachers import Teacher

SURE = 0.95
"""Confidence from which junk counts."""


def junk(teacher: Teacher, spec: InputSpec, perturb: Perturb, like: npt.NDArray[Any], *, neurons: int, steps: int, seed: int, device: str = "cpu") -> npt.NDArray[Any]:  # fmt: skip
    """Windows of junk (neurons, ...) shaped ``like`` a window, one a neuron, of as many as there are; from the cache, if they are there."""
    neurons = min(neurons, teacher.card.width)
    facts = {"teacher": teacher.card.weights_digest, "spec": spec.as_json(), "goal": "junk", "neurons": neurons, "steps": steps, "seed": seed}  # fmt: skip
    return crafted(facts, lambda: _make(Eye(teacher, spec, len(teacher.card.stages), device=device), teacher.card.width, perturb, like, neurons, steps, seed))["windows"]  # fmt: skip


def _make(eye: Eye, width: int, perturb: Perturb, like: npt.NDArray[Any], neurons: int, steps: int, seed: int) -> Arrays:  # fmt: skip
    chosen = np.random.default_rng(seed).permutation(width)[:neurons]
    middle = (perturb.low + perturb.high) / 2
    blank = np.full((neurons, *like.shape), middle).astype(like.dtype)

    def losses(values: Tensor, rows: slice) -> Tensor:
        features = eye(values)
        picked = torch.from_numpy(chosen[rows])
        driven: Tensor = -features[torch.arange(len(features)), picked]
        return driven

    whole = (perturb.high - perturb.low) / 2
    how = Pursuit(steps, start=0.1)
    return {"windows": pursue(losses, blank, whole, perturb, how, seed, device=eye.device)}


def sure_share(probabilities: npt.NDArray[np.float64]) -> tuple[int, int]:
    """How many rows (N, C) are answered with confidence, and how many classes they reach."""
    sure = probabilities.max(1) >= SURE
    return int(sure.sum()), len(set(probabilities[sure].argmax(1).tolist()))
