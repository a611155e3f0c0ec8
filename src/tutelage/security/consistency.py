"""The remedy's training: an item and its crafted twin must be seen alike, and both as their class.

``loss = CE(item) + CE(twin) + pull |S(twin) - S(item)|^2 + push max(0, cap - |S(item) - T(item)|)^2``

with features as the head scales them, per stage that it reads. All stages learn, under held normalisation
statistics; the head starts as it was fitted (LP-FT). ``cap`` is the mean distance between classes, so that it needs no dial.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
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


def tune_consistently(pupil: Pupil, twins: Twins, remedy: Remedy, groups: list[dict[str, Any]], weights: npt.NDArray[np.float64], seed: int, runtime: Runtime) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Train to the end of the schedule; yields a record an epoch.

    Args:
        pupil: from windows (its tail prepares them) to logits.
        twins: the items.
        remedy: the numbers.
        groups: parameters with ``share`` of the rate.
        weights: of each class in the loss.
        seed: of order, views and choice of twins.
        runtime: where the pupil is trained, and stays.

    Raises:
        TrainingError: the loss stopped being finite.
    """
    keep_freed_memory()
    channels_last(runtime.prepare(pupil))
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    away = _Away(pupil, twins, runtime) if remedy.push else None
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
            total += _step(pupil, twins, chosen, remedy, optimiser, weights, rng, away, runtime)
        yield {"epoch": epoch, "left": remedy.epochs - epoch, **dict(zip(("item", "twin", "apart"), (total / steps).tolist(), strict=True))}  # fmt: skip


def _step(pupil: Pupil, twins: Twins, chosen: npt.NDArray[np.int64], remedy: Remedy, optimiser: torch.optim.Optimizer, weights: npt.NDArray[np.float64], rng: np.random.Generator, away: _Away | None, runtime: Runtime) -> npt.NDArray[np.float64]:  # fmt: skip
    view = rng.integers(0, len(twins.plain), len(chosen))
    which = rng.integers(0, len(twins.crafted), len(chosen))
    items = np.concatenate([twins.plain[view, chosen], twins.plain[0, chosen], twins.crafted[which, chosen]])  # fmt: skip
    items = items[len(chosen) :] if (view == 0).all() else items
    features = _features(pupil, items, runtime)
    logits = features @ pupil.head.weight + pupil.head.bias
    truth = torch.from_numpy(np.tile(twins.truth[chosen], len(items) // len(chosen))).to(
        runtime.device
    )
    each = nn.functional.cross_entropy(logits, truth, weight=torch.tensor(weights, dtype=torch.float32, device=runtime.device), reduction="none")  # fmt: skip
    many = len(chosen)
    plain, twin = each[:-many].mean(), each[-many:].mean()
    apart = ((features[-many:] - features[-2 * many : -many].detach()) ** 2).sum(1).mean() / (len(pupil.reads) + 1)  # fmt: skip
    loss = plain + twin + remedy.pull * apart
    if away is not None:
        loss = loss + remedy.push * away.lack(features[-2 * many : -many], chosen)
    if not torch.isfinite(loss):
        raise TrainingError("diverged", given=f"the loss became {float(loss)} while hardening", expected="a finite loss", next="Report the data set's shape.")  # fmt: skip
    optimiser.zero_grad(set_to_none=True)
    runtime.backward(loss)
    optimiser.step()
    return np.array([float(plain.detach()), float(twin.detach()), float(apart.detach())])


def _features(pupil: Pupil, items: npt.NDArray[Any], runtime: Runtime) -> Tensor:
    """Windows (N, ...) -> features (N, D) as the head scales them."""
    seen = pupil.tail({"x": as_values(items).to(runtime.device)})
    return pupil.head.scaled(joined(seen, pupil.reads))


class _Away:
    """The hinge: how much a batch lacks to be as far from the teacher as classes are from each other."""

    def __init__(self, pupil: Pupil, twins: Twins, runtime: Runtime) -> None:
        with torch.no_grad():
            windows = twins.plain[0]
            parts = [_features(pupil, windows[i : i + 32], runtime) for i in range(0, len(windows), 32)]  # fmt: skip
        self.before = torch.cat(parts)
        truth = torch.from_numpy(twins.truth).to(runtime.device)
        means = torch.stack(
            [self.before[truth == c].mean(0) for c in np.unique(twins.truth).tolist()]
        )
        self.cap = float(torch.pdist(means).mean())

    def lack(self, features: Tensor, chosen: npt.NDArray[np.int64]) -> Tensor:
        far = (features - self.before[torch.from_numpy(chosen).to(features.device)]).norm(dim=1)
        lacking: Tensor = ((self.cap - far).clamp_min(0) / self.cap).square().mean()
        return lacking
