"""Whose student is it? Label-only fingerprints of candidate teachers (Chen et al., USENIX Security 2022).

For each candidate and each probe item a window is made from grey whose features (at the last stage, and pooled on the way, as heads may read them) are, to that candidate, those of the
probe. To a student of that teacher the two are the same, so it answers both with the same label; to a student of
another teacher the window is noise. The candidate with whom it agrees most beyond chance is named. Answers that are
most frequent on noise tell nothing and are left out (their "supporting set").

The flat-output test of Wang et al. (USENIX Security 2018, section 6) is beside it: a window that takes the
features of a candidate to their middle leaves only biases to a head of its own student, so that its answer is
flat (a low Gini coefficient).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from tutelage.files import digest_arrays
from tutelage.modality import InputSpec
from tutelage.modality.perturb import Perturb
from tutelage.security.control import spec_for
from tutelage.security.crafted import Arrays, crafted
from tutelage.security.eye import Eye
from tutelage.security.pursuit import Pursuit, pursue
from tutelage.teachers import Teacher
from tutelage.teachers.cuts import tapped

STEPS = 60

Ask = Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]
"""Windows (N, ...) -> probabilities (N, C); only the label is used, but for the Gini coefficient."""


@dataclass(frozen=True)
class Fingerprint:
    """How one candidate fits a student.

    Attributes:
        teacher: the candidate's name.
        match: share of counted pairs that were answered alike.
        kappa: agreement over all pairs beyond chance (Cohen 1960): a student that gives most windows one label agrees with
            everybody often. It is what ranks.
        counted: pairs that could tell something.
        gini: of the answers to flat windows, mean; 0 is flat.
    """

    teacher: str
    match: float
    kappa: float
    counted: int
    gini: float

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return dict(vars(self))


def fingerprints(candidates: Sequence[Teacher], probes: npt.NDArray[Any], spec: InputSpec, perturb: Perturb, ask: Ask, *, seed: int, steps: int = STEPS, device: str = "cpu") -> list[Fingerprint]:  # fmt: skip
    """Candidates by how well they fit, the best first.

    Args:
        candidates: teachers.
        probes: natural windows (P, ...), the query pairs.
        spec: the student's.
        perturb: of the modality.
        ask: the student.
        seed: of the starts.
        steps: gradients a window.
        device: where candidates are differentiated.
    """
    told = ask(probes).argmax(1)
    found = [_of(c, probes, told, spec, perturb, ask, seed, steps, device) for c in candidates]
    return sorted(found, key=lambda f: (-f.kappa, -f.match, f.gini, f.teacher))


def _of(candidate: Teacher, probes: npt.NDArray[Any], told: npt.NDArray[np.int64], spec: InputSpec, perturb: Perturb, ask: Ask, seed: int, steps: int, device: str) -> Fingerprint:  # fmt: skip
    made = doubles(candidate, probes, spec, perturb, seed=seed, steps=steps, device=device)
    answers = ask(made["windows"])
    labels = answers.argmax(1)
    blank = np.bincount(ask(made["start"]).argmax(1), minlength=answers.shape[1]).argmax()
    counts = (told != blank) if (told != blank).sum() >= 4 else np.ones(len(told), bool)
    flat = float(np.mean([gini(row) for row in ask(made["flat"])]))
    return Fingerprint(candidate.card.name, float((labels == told)[counts].mean()), round(kappa(labels, told), 6), int(counts.sum()), round(flat, 6))  # fmt: skip


def doubles(candidate: Teacher, probes: npt.NDArray[Any], spec: InputSpec, perturb: Perturb, *, seed: int, steps: int = STEPS, device: str = "cpu") -> Arrays:  # fmt: skip
    """Windows from grey with the features of the probes, two with middling features, and the starts; cached.

    Returns:
        ``windows`` (P, ...), ``flat`` (2, ...), ``start`` (P, ...).
    """
    own = spec_for(candidate, spec)
    facts = {
        "teacher": candidate.card.weights_digest, "spec": own.as_json(), "goal": "doubles", "steps": steps, "seed": seed,
        "probes": digest_arrays({"probes": probes}),
    }  # fmt: skip
    return crafted(facts, lambda: _made(candidate, probes, own, perturb, seed, steps, device))


def _made(candidate: Teacher, probes: npt.NDArray[Any], spec: InputSpec, perturb: Perturb, seed: int, steps: int, device: str) -> Arrays:  # fmt: skip
    eye = Eye(candidate, spec, len(candidate.card.stages), tapped(candidate.card), device).calibrate(probes)  # fmt: skip
    rng = np.random.default_rng(seed)
    reach = (perturb.high - perturb.low) / 2
    grey = np.full(probes.shape, perturb.low + reach)
    start = perturb.settle(grey + rng.uniform(-0.05, 0.05, probes.shape) * reach, grey.astype(probes.dtype), reach)  # fmt: skip
    how = Pursuit(steps, momentum=0.75, stride=3.0)
    looks = eye.look(probes)
    middle = looks.mean(0, keepdim=True).expand(2, -1)
    return {
        "windows": pursue(_towards(eye, looks), start, reach, perturb, how, seed, device=device),
        "flat": pursue(_towards(eye, middle), start[:2], reach, perturb, how, seed, device=device), "start": start,
    }  # fmt: skip


def _towards(eye: Eye, aim: Tensor) -> Callable[[Tensor, slice], Tensor]:
    return lambda values, rows: ((eye(values) - aim[rows]) ** 2).sum(1)


def kappa(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> float:
    """Cohen's kappa of two labellings (P,): 1 is full agreement, 0 what their shares of labels give by chance.

    Example:
        >>> kappa(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
        0.5
        >>> kappa(np.array([0, 0, 0]), np.array([0, 0, 0]))
        0.0
    """
    many = int(max(one.max(), other.max())) + 1
    shares = [np.bincount(labels, minlength=many) / len(labels) for labels in (one, other)]
    chance = float(shares[0] @ shares[1])
    return 0.0 if chance >= 1 else (float((one == other).mean()) - chance) / (1 - chance)


def gini(shares: npt.NDArray[np.floating]) -> float:
    """Gini coefficient of a distribution (C,): 0 is flat, 1 - 1/C is one class alone.

    Example:
        >>> gini(np.array([0.25, 0.25, 0.25, 0.25]))
        0.0
    """
    ranked = np.sort(np.asarray(shares, dtype=np.float64))
    count = len(ranked)
    total = ranked.sum()
    if total <= 0:
        return 0.0
    ranks = np.arange(1, count + 1)
    return float((2 * ranks - count - 1) @ ranked / (count * total))
