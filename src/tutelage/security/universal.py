"""Universal perturbation from low layers (L4A; Ban and Dong, NeurIPS 2022): one pattern for every item.

It makes the activations of an early stage large. Early stages move least when a student is tuned, and the pattern
is made from the teacher and random patterns alone, without any item of the task (their L4A_ugs).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tutelage.modality import InputSpec
from tutelage.modality.perturb import Perturb
from tutelage.security.crafted import Arrays, crafted
from tutelage.security.eye import Eye
from tutelage.teachers import Teacher

EARLY = 0.2
"""Share of the teacher's work up to the stage whose activations are driven, at most."""
DRAWN = 16


def early_cut(teacher: Teacher) -> int:
    """The last stage that does at most ``EARLY`` of the work, at least the first."""
    return max((k for k in range(1, len(teacher.card.stages)) if teacher.card.share(k) <= EARLY), default=1)  # fmt: skip


def universal(teacher: Teacher, spec: InputSpec, perturb: Perturb, shape: tuple[int, ...], budget: float, *, steps: int, seed: int, device: str = "cpu") -> npt.NDArray[np.float32]:  # fmt: skip
    """The pattern, shaped as a window, of magnitude at most ``budget``; from the cache, if it is there."""
    facts = {"teacher": teacher.card.weights_digest, "spec": spec.as_json(), "goal": "universal", "budget": budget, "steps": steps, "seed": seed}  # fmt: skip
    return crafted(facts, lambda: _make(Eye(teacher, spec, early_cut(teacher), device=device), perturb, shape, budget, steps, seed))["pattern"]  # fmt: skip


def _make(eye: Eye, perturb: Perturb, shape: tuple[int, ...], budget: float, steps: int, seed: int) -> Arrays:  # fmt: skip
    rng = torch.Generator().manual_seed(seed)
    pattern = budget * (2 * torch.rand(shape, generator=rng) - 1)
    velocity = torch.zeros(shape)
    for _ in range(steps):
        at = pattern.clone().requires_grad_(True)
        items = _drawn(shape, perturb, rng)
        activity = (eye((items + at).clamp(perturb.low, perturb.high)) ** 2).sum(1).mean()
        (slope,) = torch.autograd.grad(activity, at)
        velocity = 0.9 * velocity + slope / slope.abs().mean().clamp_min(1e-20)
        pattern = (pattern + 4 * budget / steps * velocity.sign()).clamp(-budget, budget)
    return {"pattern": pattern.numpy()}


def _drawn(shape: tuple[int, ...], perturb: Perturb, rng: torch.Generator) -> Any:
    """Random items: values around a random mean of 0.4 to 0.6 of the scale, deviation 0.05 to 0.1."""
    reach, ones = perturb.high - perturb.low, (1,) * len(shape)
    mean = 0.4 + 0.2 * torch.rand((DRAWN, *ones), generator=rng)
    spread = 0.05 + 0.05 * torch.rand((DRAWN, *ones), generator=rng)
    values = mean + spread * torch.randn((DRAWN, *shape), generator=rng)
    return (perturb.low + reach * values).clamp(perturb.low, perturb.high)
