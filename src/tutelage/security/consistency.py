"""The remedy's training: an item and its crafted twin must be seen alike, and both as their class.

``loss = CE(item) + CE(twin) + pull |S(twin) - P(item)|^2 + hold |S(item) - P(item)|^2 + push max(0, 1 - |S(item) - P(item)| / cap)^2``

with features as the head scales them, P those of the parent, squares in units of how items differ from their mean.
All stages learn, under held normalisation statistics; the head starts as it was fitted (LP-FT). ``cap`` is the mean
distance between classes, so that it needs no dial. With ``hold`` it is FARE's loss (Schlarmann et al., ICML 2024), on twins
that are crafted once on the teacher.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tutelage.errors import TrainingError
from tutelage.network.stages import channels_last, hold_statistics
from tutelage.network.taps import joined
from tutelage.runtime import Runtime, keep_freed_memory
from tutelage.security.eye import as_values
from tutelage.security.remedies import Remedy
from tutelage.security.twins import Twins
from tutelage.training.loop import Pupil, set_rate

BATCH = 16
"""Items a step; each brings its twin."""


def tune_consistently(pupil: Pupil, twins: Twins, remedy: Remedy, groups: list[dict[str, Any]], weights: npt.NDArray[np.float64], seed: int, parent: Parent, runtime: Runtime) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Train to the end of the schedule; yields a record an epoch.

    Args:
        pupil: from windows (its tail prepares them) to logits.
        twins: the items.
        remedy: the numbers.
        groups: parameters with ``share`` of the rate.
        weights: of each class in the loss.
        seed: of order, views and choice of twins.
        parent: what it said before.
        runtime: where the pupil is trained, and stays.

    Raises:
        TrainingError: the loss stopped being finite.
    """
    keep_freed_memory()
    channels_last(runtime.prepare(pupil))
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = math.ceil(len(twins.truth) / BATCH)
    for epoch in range(1, remedy.epochs + 1):
        rng = np.random.default_rng([seed, epoch])
        order, total = rng.permutation(len(twins.truth)), np.zeros(3)
        hold_statistics(pupil.eval())
        for step in range(steps):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            set_rate(
                optimiser,
                remedy.learning_rate,
                ((epoch - 1) * steps + step) / (remedy.epochs * steps),
            )
            total += _step(pupil, twins, chosen, remedy, optimiser, weights, rng, parent, runtime)
        yield {"epoch": epoch, "left": remedy.epochs - epoch, **dict(zip(("item", "twin", "apart"), (total / steps).tolist(), strict=True))}  # fmt: skip


def _step(pupil: Pupil, twins: Twins, chosen: npt.NDArray[np.int64], remedy: Remedy, optimiser: torch.optim.Optimizer, weights: npt.NDArray[np.float64], rng: np.random.Generator, parent: Parent, runtime: Runtime) -> npt.NDArray[np.float64]:  # fmt: skip
    which, many = rng.integers(0, len(twins.crafted), len(chosen)), len(chosen)
    view = twins.seen[which]
    items = np.concatenate([twins.plain[view, chosen], twins.crafted[which, chosen]])
    features = _features(pupil, items, runtime)
    logits = features @ pupil.head.weight + pupil.head.bias
    truth = torch.from_numpy(np.tile(twins.truth[chosen], 2)).to(runtime.device)
    each = nn.functional.cross_entropy(logits, truth, weight=torch.tensor(weights, dtype=torch.float32, device=runtime.device), reduction="none")  # fmt: skip
    plain, twin = each[:many].mean(), each[many:].mean()
    before = parent.features[view, chosen].to(runtime.device)
    held, apart = (((part - before) ** 2).sum(1).mean() / parent.spread for part in (features[:many], features[many:]))  # fmt: skip
    loss = plain + twin + remedy.pull * apart + remedy.hold * held
    if remedy.push:
        far = (features[:many] - before).norm(dim=1)
        loss = loss + remedy.push * (1 - far / parent.cap).clamp_min(0).square().mean()
    if not torch.isfinite(loss):
        raise TrainingError("diverged", given=f"the loss became {float(loss)} while hardening", expected="a finite loss", next="Report the data set's shape.")  # fmt: skip
    optimiser.zero_grad(set_to_none=True)
    runtime.backward(loss)
    optimiser.step()
    return np.array([float(plain.detach()), float(twin.detach()), float(apart.detach())])


def _features(pupil: Pupil, items: npt.NDArray[Any], runtime: Runtime) -> Tensor:
    """Windows (N, ...) -> features (N, D) as the head scales them."""
    return pupil.head.scaled(_read(pupil, items, runtime))


def _read(pupil: Pupil, items: npt.NDArray[Any], runtime: Runtime) -> Tensor:
    """Windows (N, ...) -> features (N, D) as the head reads them."""
    return joined(pupil.tail({"x": as_values(items).to(runtime.device)}), pupil.reads)


@torch.no_grad()
def read_all(pupil: Pupil, windows: npt.NDArray[Any], runtime: Runtime) -> Tensor:
    """Windows (N, ...) -> features (N, D) as the head reads them, a few at a time, where the pupil is."""
    starts = range(0, len(windows), 2 * BATCH)
    return torch.cat([_read(pupil, windows[i : i + 2 * BATCH], runtime) for i in starts])


@dataclass(frozen=True)
class Parent:
    """What the pupil said before it was touched.

    Attributes:
        features: (V, N, D) of the views, as the head scales them.
        spread: mean squared distance of items from their mean.
        cap: mean distance between the means of classes.
    """

    features: Tensor
    spread: float
    cap: float

    @classmethod
    @torch.no_grad()
    def of(cls, pupil: Pupil, twins: Twins, runtime: Runtime) -> Parent:
        """Of a pupil where it is."""
        views = [pupil.head.scaled(read_all(pupil, rows, runtime)).cpu() for rows in twins.plain]
        features, truth = torch.stack(views), torch.from_numpy(twins.truth)
        means = torch.stack([features[0][truth == c].mean(0) for c in np.unique(twins.truth)])
        spread = ((features[0] - features[0].mean(0)) ** 2).sum(1).mean()
        return cls(features, float(spread), float(torch.pdist(means).mean()))
