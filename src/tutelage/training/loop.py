"""The loop: from a fitted head, tune the tail on cached activations; yields records.

It knows the runtime, not the place; printing, progress and the log are consumers of its records.
The best epoch is kept against the best so far, and epoch 0, the frozen head itself, is in the race:
the student is never worse than its own head on the validation part.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tutelage.errors import TrainingError
from tutelage.evaluation.calibration import fit_temperature, log_softmax
from tutelage.features.cache import Gathered
from tutelage.heads.linear import LinearHead
from tutelage.network.stages import Activation, channels_last, hold_statistics
from tutelage.runtime import Runtime, keep_freed_memory
from tutelage.training.checkpoint import load_checkpoint, save_checkpoint
from tutelage.training.recipe import Recipe

Record = Mapping[str, Any]


class HeadModule(nn.Module):
    """A linear head whose weight and bias can be trained; its scaling stays as it was fitted."""

    shift: Tensor
    scale: Tensor

    def __init__(self, head: LinearHead) -> None:
        super().__init__()
        self.kind, self.normalise, self.penalty = head.kind, head.normalise, head.penalty
        self.register_buffer("shift", torch.tensor(head.shift, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(head.scale, dtype=torch.float32))
        calm = 1.0 / head.temperature
        self.weight = nn.Parameter(torch.tensor(head.weight * calm, dtype=torch.float32))
        self.bias = nn.Parameter(torch.tensor(head.bias * calm, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, D) -> logits (N, C)."""
        x = (x - self.shift) * self.scale
        x = nn.functional.normalize(x, dim=1) if self.normalise else x
        return x @ self.weight + self.bias

    def linear_head(self) -> LinearHead:
        """The head as a record, at temperature 1."""
        arrays = {n: t.detach().cpu().double().numpy() for n, t in self.state_dict().items()}
        return LinearHead(kind=f"tuned {self.kind}", normalise=self.normalise, temperature=1.0, penalty=self.penalty, **arrays)  # fmt: skip


class Pupil(nn.Module):
    """What is trained: the tail (with what prepares its input) under the head."""

    def __init__(self, tail: nn.Module, head: HeadModule) -> None:
        super().__init__()
        self.tail, self.head = tail, head

    def forward(self, activation: Activation) -> Tensor:
        """Activation at the cut -> logits (N, C)."""
        logits: Tensor = self.head(self.tail(activation)["x"])
        return logits


@dataclass(frozen=True)
class Examples:
    """Rows at the cut with their truth: ``rows`` holds ``views`` rows an example, plain view first."""

    rows: Gathered
    truth: npt.NDArray[np.int64]
    views: int = 1

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True)
class Schedule:
    """Everything that the loop needs beside the pupil and its examples."""

    recipe: Recipe
    seed: int
    class_weights: npt.NDArray[np.float64]
    hold: bool
    groups: list[dict[str, Any]]
    checkpoint: Path | None = None
    deadline: float = math.inf
    identity: str = ""


@dataclass
class Race:
    """The state of a run between epochs: the best so far, and what it was measured by."""

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf
    first_accuracy: float = 0.0
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


def tune(pupil: Pupil, train: Examples, validation: Examples, schedule: Schedule, runtime: Runtime) -> Iterator[Record]:  # fmt: skip
    """Train; yields one record an epoch, the last weights restored to the best epoch's.

    Raises:
        TrainingError: the loss stopped being finite.
    """
    keep_freed_memory()
    runtime.prepare(pupil)
    channels_last(pupil)
    optimiser = torch.optim.AdamW(schedule.groups, weight_decay=schedule.recipe.weight_decay)
    race = Race()
    if not load_checkpoint(schedule.checkpoint, schedule.identity, pupil, optimiser, race):
        _judge(pupil, validation, race, runtime, math.nan)
        yield race.history[-1]
    while not _over(race, schedule):
        started = time.monotonic()
        race.epoch += 1
        loss = _epoch(pupil, train, optimiser, race.epoch, schedule, runtime)
        if loss is None:
            yield {"stopped": f"the time limit ended tuning in epoch {race.epoch}"}
            break
        _judge(pupil, validation, race, runtime, loss)
        save_checkpoint(schedule.checkpoint, schedule.identity, pupil, optimiser, race)
        seconds = time.monotonic() - started
        yield {
            **race.history[-1],
            "seconds": seconds,
            "left": seconds * (schedule.recipe.epochs - race.epoch),
        }
    pupil.load_state_dict(race.best)
    yield {
        "best_epoch": race.best_epoch,
        "epochs": race.epoch,
        "validation_log_loss": race.best_loss,
    }


def _over(race: Race, schedule: Schedule) -> bool:
    waited = race.epoch - race.best_epoch
    return race.epoch >= schedule.recipe.epochs or waited >= schedule.recipe.patience


def _epoch(pupil: Pupil, train: Examples, optimiser: torch.optim.Optimizer, epoch: int, schedule: Schedule, runtime: Runtime) -> float | None:  # fmt: skip
    """Mean loss of one epoch; None if the deadline came first, and then the epoch does not count."""
    pupil.train()
    if schedule.hold:
        hold_statistics(pupil)
    rng = np.random.default_rng([schedule.seed, epoch])
    order, views = rng.permutation(len(train)), rng.integers(0, train.views, len(train))
    weights = torch.tensor(schedule.class_weights, dtype=torch.float32, device=runtime.device)
    size, total = schedule.recipe.batch, 0.0
    steps = math.ceil(len(train) / size)
    with torch.random.fork_rng(devices=[]):  # dropout draws from the global stream: borrow it
        torch.manual_seed(schedule.seed * 1_000 + epoch)
        for step in range(steps):
            if time.monotonic() > schedule.deadline:
                return None
            chosen = order[step * size : (step + 1) * size]
            _set_rate(optimiser, schedule.recipe, (epoch - 1) * steps + step, steps)
            logits = pupil(_batch(train.rows, chosen * train.views + views[chosen], runtime))
            truth = torch.from_numpy(train.truth[chosen]).to(runtime.device)
            loss = nn.functional.cross_entropy(logits, truth, weight=weights)
            _finite(loss, epoch)
            optimiser.zero_grad(set_to_none=True)
            runtime.backward(loss)
            optimiser.step()
            total += float(loss.detach()) * len(chosen)
    return total / len(train)


def _finite(loss: Tensor, epoch: int) -> None:
    if not torch.isfinite(loss):
        raise TrainingError(
            "diverged", given=f"the loss became {float(loss)} in epoch {epoch}", expected="a finite loss",
            next="Use --mode deep, which cannot diverge, and report the data set's shape.",
        )  # fmt: skip


def _set_rate(optimiser: torch.optim.Optimizer, recipe: Recipe, step: int, steps: int) -> None:
    """Warm-up over the first tenth, then a cosine to zero; each group has its own ``share``."""
    total = recipe.epochs * steps
    warm = max(1, total // 10)
    now = (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))  # fmt: skip
    for group in optimiser.param_groups:
        group["lr"] = recipe.learning_rate * now * group["share"]


def _batch(rows: Gathered, indices: npt.NDArray[np.int64], runtime: Runtime) -> Activation:
    taken = rows.take(indices)
    tensors = {name: torch.from_numpy(array).to(runtime.device) for name, array in taken.items()}
    return {name: t.float() if t.dtype == torch.float16 else t for name, t in tensors.items()}


def _judge(pupil: Pupil, validation: Examples, race: Race, runtime: Runtime, loss: float) -> None:
    """Score the plain view; the best is the lowest log-loss after a temperature, at no lost accuracy."""
    logits = _logits(pupil, validation, runtime)
    temperature = fit_temperature(logits, validation.truth)
    picked = log_softmax(logits / temperature)[np.arange(len(validation)), validation.truth]
    log_loss, accuracy = float(-picked.mean()), float((logits.argmax(1) == validation.truth).mean())
    if race.epoch == 0:
        race.first_accuracy = accuracy
    better = log_loss < race.best_loss and accuracy >= race.first_accuracy
    if better:
        race.best_loss, race.best_epoch = log_loss, race.epoch
        race.best = {name: t.detach().clone() for name, t in pupil.state_dict().items()}
    record = {"epoch": race.epoch, "loss": None if math.isnan(loss) else loss, "best": better}
    race.history.append(
        {**record, "validation_log_loss": log_loss, "validation_accuracy": accuracy}
    )


@torch.no_grad()
def _logits(pupil: Pupil, examples: Examples, runtime: Runtime) -> npt.NDArray[np.float64]:
    pupil.eval()
    plain = np.arange(len(examples)) * examples.views
    parts = [
        runtime.gather(pupil(_batch(examples.rows, plain[i : i + 64], runtime)))
        for i in range(0, len(plain), 64)
    ]
    return torch.cat(parts).double().cpu().numpy()
