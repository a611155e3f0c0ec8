"""The reject rule: a score for "none of these", and where to draw the line.

Two opinions, each in standard deviations from what left-out training items get:

- distance: squared Mahalanobis distance to the nearest class mean with one shared covariance (Lee et al.,
  NeurIPS 2018, equation 2), shrunk by OAS (Chen et al., IEEE TSP 58, 2010, equation 23), on features
  of one scale and length one;
- energy: ``-log sum exp(logits / T)`` (Liu et al., NeurIPS 2020, equation 4).

``score = max(distance, energy)``; higher is more foreign. Either may raise a suspicion, neither can calm
the other's: logits of a linear head grow with the distance along its weights, so that far images can have lower
energy than the student's own (seen with a student of ultrasound images: AUROC of energy alone 0.1). The
threshold keeps 95 % of training items, each scored with its whole group left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import ArtefactError
from tutelage.heads import lda
from tutelage.heads.coordinates import Coordinates, coordinates
from tutelage.heads.eigen import threads_for
from tutelage.heads.groups import whole_groups
from tutelage.heads.linear import LinearHead
from tutelage.heads.rows import TrainingRows
from tutelage.heads.scaling import Scaling, fit_scaling
from tutelage.heads.statistics import Statistics

Floats = npt.NDArray[np.float64]

KEPT = 0.95
"""Share of left-out training items that the threshold accepts."""
FAINT = 1e-3
"""Directions whose scatter is below this part of the shrinkage count as having none."""
NEVER = 1e30


@dataclass(frozen=True)
class RejectRule:
    """A fitted reject rule.

    The squared distance of scaled features z to a class mean m is ``level (|z - m|^2 - |(z - m) factor|^2)``.

    Attributes:
        shift, scale: (D,) how features are scaled, before they are brought to length one.
        means: (C, D) of the classes that have rows, in scaled features.
        factor: (D, r) float32.
        level: one over the variance in directions that the training rows do not span.
        temperature: of the energy.
        centre, spread: (2,) mean and deviation of distance and energy on left-out items.
        threshold: higher scores are rejected.
    """

    shift: Floats
    scale: Floats
    means: Floats
    factor: npt.NDArray[np.float32]
    level: float
    temperature: float
    centre: Floats
    spread: Floats
    threshold: float

    def score(self, features: npt.NDArray[np.floating], logits: npt.NDArray[np.floating]) -> Floats:
        """How foreign some items are (N,); above ``threshold`` they are probably none of the classes.

        Args:
            features: (N, D or more), as the head gets them.
            logits: (N, C), what the head says of them, before its temperature.
        """
        return _combined(self.distance(features), energy(logits, self.temperature), self.centre, self.spread)  # fmt: skip

    def distance(self, features: npt.NDArray[np.floating]) -> Floats:
        """Squared Mahalanobis distance (N,) to the nearest class mean, by the last columns.

        The rule looks at what it was fitted on, the last stage; a head may read other stages before it.
        """
        scaled = self.scaled(features)
        plain = _squares(scaled, self.means)
        spanned = _squares(scaled @ self.factor, self.means @ self.factor)
        nearest: Floats = (self.level * (plain - spanned)).min(axis=1)
        return np.maximum(nearest, 0.0)

    def scaled(self, features: npt.NDArray[np.floating]) -> Floats:
        """Features (N, D or more) as the rule looks at them (N, D)."""
        own = features[:, features.shape[1] - len(self.shift) :]
        return Scaling(self.shift, self.scale, normalise=True).apply(own)

    def as_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Named arrays for a safetensors file; ``from_arrays`` is the inverse, bit for bit."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @staticmethod
    def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> RejectRule:
        """The inverse of ``as_arrays``.

        Raises:
            ArtefactError: arrays are missing.
        """
        names = [field.name for field in fields(RejectRule)]
        missing = sorted(set(names) - set(arrays))
        if missing:
            raise ArtefactError(
                "damaged-reject-rule", given=f"a reject rule without {', '.join(missing)}", expected=", ".join(names),
                next="Restore the student from a copy, or make it again with: tutelage fit DATA",
            )  # fmt: skip
        numbers = ("level", "temperature", "threshold")
        kept: dict[str, Any] = {n: float(arrays[n]) if n in numbers else arrays[n] for n in names}
        return RejectRule(**kept)

    @staticmethod
    def blank(head: LinearHead) -> RejectRule:
        """A rule that rejects nothing, for a student whose own is not fitted yet."""
        width = len(head.shift)
        return RejectRule(
            shift=head.shift, scale=np.zeros(width), means=np.zeros((1, width)), factor=np.zeros((width, 1), np.float32),
            level=0.0, temperature=head.temperature, centre=np.zeros(2), spread=np.ones(2), threshold=NEVER,
        )  # fmt: skip


def fit_reject(
    data: TrainingRows, head: LinearHead, *,
    left_out: npt.NDArray[np.floating] | None = None, left_out_logits: npt.NDArray[np.floating] | None = None,
) -> RejectRule:  # fmt: skip
    """Fit the rule on training rows, its scales and threshold on items left out.

    Args:
        data: rows (R, D) with one-hot targets.
        head: the head that ships.
        left_out: (M, D or more) features, as the head gets them, of native items that are not in ``data``, if there are such; else the
            scored rows of ``data`` are judged, each without its group.
        left_out_logits: (S, C) of the scored rows, as in ``HeadChoice``. Without them the energy of the
            training rows is used as the head sees them, which is a little too calm.

    Raises:
        TrainingError: a feature is not finite.
        DataError: the targets are not one-hot.
    """
    with threads_for(*data.rows.shape):
        within = coordinates(data, fit_scaling(data.rows, data.weights, each=False, normalise=True))
        penalty = shrinkage(within.statistics, data.rows.shape[1])
        solution = lda.solve_within(within.statistics, np.array([penalty]))
        rule = _fitted(within, solution, penalty, head)
        if left_out is not None:
            return _placed(rule, rule.distance(left_out), energy(head.logits(left_out), head.temperature))  # fmt: skip
        logits = _own_logits(data, head) if left_out_logits is None else np.asarray(left_out_logits)
        return _placed(rule, _left_out_distance(within, solution), energy(logits, head.temperature))


def energy(logits: npt.NDArray[np.floating], temperature: float) -> Floats:
    """``-log sum exp(logits / temperature)`` (N,)."""
    heated = np.asarray(logits, dtype=np.float64) / temperature
    top = heated.max(axis=1)
    return np.asarray(-top - np.log(np.exp(heated - top[:, None]).sum(axis=1)))


def shrinkage(statistics: Statistics, width: int) -> float:
    """OAS (Chen et al. 2010, equation 23, D so large that 1 - 2 / D is 1), as a penalty on the scatter.

    Shrinking covariance S towards ``tr(S) / D`` by rho is, up to a common factor, adding
    ``rho / (1 - rho) tr(S) / D`` to it.

    Args:
        statistics: of rows in coordinates that span them.
        width: D, of the space that they lie in.
    """
    covariance, many = statistics.within / statistics.total, statistics.total
    trace, square = float(np.trace(covariance)), float(np.square(covariance).sum())
    level = trace / width
    rest = (many + 1) * (square - trace**2 / width)
    share = (square + trace**2) / rest if rest > 0 else 1.0
    share = min(max(share, 0.01), 0.99)
    apart = float(np.trace(statistics.outer)) / statistics.total / width
    return statistics.total * max(share / (1 - share) * level, 1e-3 * apart, 1e-12)


def _fitted(within: Coordinates, solution: lda.LdaSolution, penalty: float, head: LinearHead) -> RejectRule:  # fmt: skip
    """The rule before it is placed; ``(S + p)^-1 = (1 - V s / (s + p) V') / p`` for scatter ``S = V s V'``."""
    stats, scaling = within.statistics, within.scaling
    kept = np.clip(1.0 - penalty * solution.shrink[0], 0.0, None)
    wide = kept > FAINT
    factor = within.lift(solution.vectors[:, wide] * np.sqrt(kept[wide]))
    means = within.lift(stats.means[stats.count > 0].T).T
    return RejectRule(
        shift=scaling.shift, scale=scaling.scale, means=np.ascontiguousarray(means), factor=factor.astype(np.float32),
        level=stats.total / penalty, temperature=head.temperature, centre=np.zeros(2), spread=np.ones(2), threshold=NEVER,
    )  # fmt: skip


def _placed(rule: RejectRule, distance: Floats, heat: Floats) -> RejectRule:
    """The rule with its scales and threshold from left-out items."""
    known = np.isfinite(distance)
    if not known.any():
        return rule
    pair = np.stack([distance[known], heat[known]])
    centre, spread = pair.mean(1), pair.std(1)
    spread = np.where(spread > 1e-9 * (1 + np.abs(centre)), spread, 1.0)
    scores = _combined(pair[0], pair[1], centre, spread)
    threshold = float(np.quantile(scores, KEPT, method="higher"))
    return replace(rule, centre=centre, spread=spread, threshold=threshold)


def _combined(distance: Floats, heat: Floats, centre: Floats, spread: Floats) -> Floats:
    far, hot = (distance - centre[0]) / spread[0], (heat - centre[1]) / spread[1]
    return np.asarray(np.maximum(far, hot))


def _left_out_distance(within: Coordinates, solution: lda.LdaSolution) -> Floats:
    """Distance (S,) of the scored rows, each without its group; infinite if no class is left."""
    data = within.data
    found, place = np.full(int(data.scored.sum()), np.inf), data.place
    for batch in whole_groups(data):
        turned = (within.of(batch) @ solution.vectors).reshape(*batch.index.shape, -1)
        targets, weights = data.targets[batch.index], data.weights[batch.index]
        if (weights.sum(1) < solution.statistics.total).all():
            nearest = solution.distances(turned, targets, weights, slice(0, 1))[0].min(-1)
            scored = data.scored[batch.index]
            found[place[batch.index[scored]]] = nearest[scored]
    return found


def _own_logits(data: TrainingRows, head: LinearHead) -> Floats:
    return np.concatenate([head.logits(block) for block in data.rows])[data.scored]


def _squares(points: Floats, means: Floats) -> Floats:
    """Squared distances (N, C)."""
    lengths = np.square(points).sum(1)[:, None] + np.square(means).sum(1)
    return np.asarray(lengths - 2 * points @ means.T)
