"""What tuning is expected to add to the frozen head, with its uncertainty.

1. What the literature expects (``classical``): far from the teacher's data tuning wins a share of what the
   head gets wrong; near to it, it loses a little; with few images a class it loses much.
2. What our own grid of real data sets adds to that: for each of three kinds of cut a linear function of
   the same evidence, fitted to what the grid shows beyond 1. by Bayesian ridge regression (MacKay, Neural
   Computation 1992). ``gains.json`` holds the fits, how they were made and from what.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.advisor.evidence import Evidence
from tutelage.teachers import Card

Floats = npt.NDArray[np.float64]

FEATURES = ("one", "few", "many", "head-room x distance", "nearness")
ENOUGH = 20
"""Images a class from which a tail can be tuned without losing more than it wins (BSCD-FSL)."""

SHARE = {"late": 0.10, "mid": 0.20, "full": 0.20}
"""Of the head-room, what tuning wins where nothing is near: 18 to 32 % for whole networks at 20 and 50 images
a class on CropDiseases, EuroSAT and ISIC (Guo et al., ECCV 2020, table 2)."""
NEAR_COSTS = 0.02
"""What it loses on the teacher's own kind of data: 3 to 7 points on pets and dogs (Agostinelli et al., ECCV 2022)."""
FEW_COSTS = 0.03
"""What each halving of the images a class below ``ENOUGH`` costs."""


@dataclass(frozen=True)
class Gain:
    """The expected gain of a cut over the frozen head, in accuracy (0.01 is a point).

    Attributes:
        mean: expected.
        error: standard error of the expectation itself: what more experience would take away.
        spread: standard deviation of what one data set will really show.
    """

    mean: float
    error: float
    spread: float

    def row(self) -> dict[str, Any]:
        """For tables."""
        return {"gain": self.mean, "gain_error": self.error, "gain_spread": self.spread}


@dataclass(frozen=True)
class Fit:
    """A Bayesian linear fit: weights (F,), their covariance (F, F) and the noise around it."""

    weights: Floats
    covariance: Floats
    noise: float

    def gain(self, x: Floats) -> Gain:
        """Prediction at evidence x (F,)."""
        doubt = float(x @ self.covariance @ x)
        return Gain(float(x @ self.weights), math.sqrt(doubt), math.sqrt(doubt + self.noise**2))


NOTHING = Gain(0.0, 0.0, 0.0)


def kind_of(card: Card, cut: int) -> str:
    """``deep``, ``late``, ``mid`` or ``full``: cuts of different networks that are alike in what they tune."""
    share = card.share(cut)
    if cut in (0, len(card.stages)):
        return "full" if cut == 0 else "deep"
    return "mid" if share <= 0.6 else "late"


def described(evidence: Evidence, near: float | None) -> Floats:
    """The evidence as numbers (F,), in the order of ``FEATURES``.

    Args:
        evidence: of the task.
        near: similarity to the teacher's own data, 0..1; None counts as a half.
    """
    size = math.log2(evidence.each / ENOUGH)
    known = 0.5 if near is None else near
    return np.array([1.0, max(0.0, -size), max(0.0, size), evidence.headroom * (1 - known), known**2])  # fmt: skip


def classical(kind: str, x: Floats) -> float:
    """The gain that is expected before our own grid is asked, from evidence ``x`` (F,)."""
    _, few, _, room, near = (float(value) for value in x)
    return SHARE[kind] * room - NEAR_COSTS * near - FEW_COSTS * few


def expected_gains(evidence: Evidence, near: float | None, card: Card, cuts: Sequence[int], fits: Mapping[str, Fit] | None = None) -> dict[int, Gain]:  # fmt: skip
    """Cut -> what tuning after it is expected to add to the frozen head.

    No more than the head-room can be won.

    Args:
        evidence, near: see ``described``.
        card: of the teacher.
        cuts: K.
        fits: by kind of cut; those that are shipped if not given.
    """
    learned, x = fits or shipped(), described(evidence, near)
    found = {}
    for cut in cuts:
        kind = kind_of(card, cut)
        if kind == "deep":
            found[cut] = NOTHING
            continue
        beyond = learned[kind].gain(x)
        mean = min(classical(kind, x) + beyond.mean, evidence.headroom)
        found[cut] = Gain(mean, beyond.error, beyond.spread)
    return found


def learn(x: Floats, y: Floats, noise: Floats) -> Fit:
    """Bayesian ridge on evidence x (M, F) with y (M,), what was gained beyond ``classical``, each with its noise (M,).

    The weights' prior is ``N(0, s^2)`` with one s for all features on their own scale, free for the
    constant; s and the spread around the line are those of the greatest evidence on a grid.
    """
    scale = np.where(x.std(0) > 0, x.std(0), 1.0)
    z, best, found = x / scale, -math.inf, None
    for spread in (0.003, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06):
        for width in (0.003, 0.01, 0.02, 0.04, 0.08):
            prior = np.full(x.shape[1], width**2)
            prior[0] = 0.1**2
            variance = spread**2 + noise**2
            covariance = np.diag(variance) + (z * prior) @ z.T
            sign, logdet = np.linalg.slogdet(covariance)
            told = -0.5 * (logdet + y @ np.linalg.solve(covariance, y))
            if sign > 0 and told > best:
                best, found = told, (spread, prior, variance)
    assert found is not None
    spread, prior, variance = found
    after = np.linalg.inv(np.diag(1 / prior) + (z / variance[:, None]).T @ z)
    weights = after @ (z / variance[:, None]).T @ y
    return Fit(weights / scale, after / np.outer(scale, scale), spread)


def fits_json(fits: Mapping[str, Fit]) -> dict[str, Any]:
    """For ``gains.json``."""
    return {
        kind: {"weights": fit.weights.tolist(), "covariance": fit.covariance.tolist(), "noise": fit.noise}
        for kind, fit in fits.items()
    }  # fmt: skip


@lru_cache(maxsize=1)
def shipped() -> dict[str, Fit]:
    """The fits that come with the package."""
    told = json.loads((files("tutelage.advisor") / "gains.json").read_text(encoding="utf-8"))
    return {
        kind: Fit(np.array(one["weights"]), np.array(one["covariance"]), one["noise"])
        for kind, one in told["fits"].items()
    }
