"""The loop: from a fitted head, tune the tail on cached activations; yields records.

It knows the runtime, not the place; printing, progress and the log are consumers of its records.
The last weights are what comes back: the rate falls to zero over the whole schedule, and an epoch picked
by a few validation items was worse than that on every set it was tried on. Whether they beat the frozen
head, which is epoch 0, is the guard's question (``training.guard``).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
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
from tutelage.network.taps import joined
from tutelage.runtime import Runtime, keep_freed_memory
from tutelage.training.checkpoint import Keeper
from tutelage.training.recipe import Recipe

Record = Mapping[str, Any]

NEAR = 16
"""Batches among which ragged rows are sorted by length."""

WARM = 0.1
"""Share of the schedule in which the rate rises."""


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
        return self.scaled(x) @ self.weight + self.bias

    def scaled(self, x: Tensor) -> Tensor:
        """Features as the head sees them: shifted, scaled, and brought to length one if it does so."""
        x = (x - self.shift) * self.scale
        return nn.functional.normalize(x, dim=1) if self.normalise else x

    def linear_head(self) -> LinearHead:
        """The head as a record, at temperature 1."""
        arrays = {n: t.detach().cpu().double().numpy() for n, t in self.state_dict().items()}
        return LinearHead(kind=f"tuned {self.kind}", normalise=self.normalise, temperature=1.0, penalty=self.penalty, **arrays)  # fmt: skip


class Pupil(nn.Module):
    """What is trained: the tail (with what prepares its input) under the head.

    Args:
        tail: gives the features, and taps where the head reads some.
        head: on what it reads, side by side.
        reads: the stages that it reads beside the last.
    """

    def __init__(self, tail: nn.Module, head: HeadModule, reads: Sequence[int] = ()) -> None:
        super().__init__()
        self.tail, self.head, self.reads = tail, head, tuple(reads)

    def forward(self, activation: Activation) -> Tensor:
        """Activation at the cut -> logits (N, C)."""
        logits: Tensor = self.head(joined(self.tail(activation), self.reads))
        return logits


@dataclass(frozen=True)
class Examples:
    """Rows at the cut with their truth: ``rows`` holds ``views`` rows an example, plain view first."""

    rows: Gathered
    truth: npt.NDArray[np.int64]
    views: int = 1

    def __len__(self) -> int:
        return len(self.truth)

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64] | None:
        """Places of each example's plain view (N,); None where all have the same."""
        lengths = self.rows.lengths()
        return None if lengths is None else lengths[:: self.views]

    def steps(self, order: npt.NDArray[np.int64], size: int) -> list[npt.NDArray[np.int64]]:
        """Batches of an order of the examples (N,); of ragged ones, like lengths together.

        A batch is padded to its longest row, so within each ``NEAR`` batches of the order rows are sorted by
        length; the batches then come in the order of their first example.
        """
        if self.lengths is None:
            return _cut(order, size)
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        found: list[npt.NDArray[np.int64]] = []
        for start in range(0, len(order), NEAR * size):
            some = order[start : start + NEAR * size]
            some = some[np.argsort(self.lengths[some], kind="stable")]
            found += sorted(_cut(some, size), key=lambda batch: int(place[batch].min()))
        return found


def _cut(order: npt.NDArray[np.int64], size: int) -> list[npt.NDArray[np.int64]]:
    """Batches of an order; a single example left over joins the batch before: a batch norm cannot see one alone."""
    ends = list(range(size, len(order), size))
    if ends and len(order) - ends[-1] == 1:
        ends.pop()
    return np.split(order, ends)


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
    """The state of a run between epochs."""

    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


def tune(pupil: Pupil, train: Examples, validation: Examples, schedule: Schedule, runtime: Runtime) -> Iterator[Record]:  # fmt: skip
    """Train to the end of the schedule; yields one record an epoch.

    Where the deadline comes sooner, the rate falls with the time instead, and ends with it.

    Raises:
        TrainingError: the loss stopped being finite.
    """
    keep_freed_memory()
    runtime.prepare(pupil)
    channels_last(pupil)
    optimiser = torch.optim.AdamW(schedule.groups, weight_decay=schedule.recipe.weight_decay)
    race, keeper = Race(), Keeper(schedule.checkpoint, schedule.identity)
    if not keeper.load(pupil, optimiser, race):
        _judge(pupil, validation, race, runtime, math.nan)
        yield race.history[-1]
    clock = Clock(time.monotonic(), schedule.deadline)
    while race.epoch < schedule.recipe.epochs and not clock.over:
        started = time.monotonic()
        race.epoch += 1
        loss = _epoch(pupil, train, optimiser, race.epoch, schedule, runtime, clock)
        _judge(pupil, validation, race, runtime, loss)
        keeper.save(pupil, optimiser, race)
        seconds = time.monotonic() - started
        yield {**race.history[-1], "seconds": seconds, "left": seconds * (schedule.recipe.epochs - race.epoch)}  # fmt: skip
    if race.epoch < schedule.recipe.epochs:
        yield {"stopped": f"the time limit ended tuning after {race.epoch} of {schedule.recipe.epochs} epochs"}  # fmt: skip


@dataclass(frozen=True)
class Clock:
    """How much of the time for tuning is spent."""

    started: float
    deadline: float

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return time.monotonic() > self.deadline

    @property
    def spent(self) -> float:
        """Share of the time, 0 without a deadline."""
        room = self.deadline - self.started
        return 0.0 if math.isinf(room) else min(1.0, (time.monotonic() - self.started) / max(1e-9, room))  # fmt: skip


def _epoch(pupil: Pupil, train: Examples, optimiser: torch.optim.Optimizer, epoch: int, schedule: Schedule, runtime: Runtime, clock: Clock) -> float:  # fmt: skip
    """Mean loss of one epoch, of what the deadline left of it."""
    pupil.train()
    if schedule.hold:
        hold_statistics(pupil)
    rng = np.random.default_rng([schedule.seed, epoch])
    order, views = rng.permutation(len(train)), rng.integers(0, train.views, len(train))
    weights = torch.tensor(schedule.class_weights, dtype=torch.float32, device=runtime.device)
    total, seen = 0.0, 0
    batches = train.steps(order, schedule.recipe.batch)
    steps = len(batches)
    with torch.random.fork_rng(devices=[]):  # dropout draws from the global stream: borrow it
        torch.manual_seed(schedule.seed * 1_000 + epoch)
        for step, chosen in enumerate(batches):
            if clock.over:
                break
            done = ((epoch - 1) * steps + step) / (schedule.recipe.epochs * steps)
            set_rate(optimiser, schedule.recipe.learning_rate, max(done, clock.spent))
            logits = pupil(_batch(train.rows, chosen * train.views + views[chosen], runtime))
            truth = torch.from_numpy(train.truth[chosen]).to(runtime.device)
            loss = nn.functional.cross_entropy(logits, truth, weight=weights)
            _finite(loss, epoch)
            optimiser.zero_grad(set_to_none=True)
            runtime.backward(loss)
            optimiser.step()
            total, seen = total + float(loss.detach()) * len(chosen), seen + len(chosen)
    return total / max(1, seen)


def _finite(loss: Tensor, epoch: int) -> None:
    if not torch.isfinite(loss):
        raise TrainingError(
            "diverged", given=f"the loss became {float(loss)} in epoch {epoch}", expected="a finite loss",
            next="Use --mode deep, which cannot diverge, and report the data set's shape.",
        )  # fmt: skip


def set_rate(optimiser: torch.optim.Optimizer, peak: float, done: float) -> None:
    """Warm-up over the first tenth, then a cosine to zero; each group has its own ``share`` of the peak rate."""
    now = (done + 0.01) / WARM if done < WARM - 0.01 else 0.5 * (1 + math.cos(math.pi * (done - WARM) / (1 - WARM)))  # fmt: skip
    for group in optimiser.param_groups:
        group["lr"] = peak * min(1.0, now) * group["share"]


def _batch(rows: Gathered, indices: npt.NDArray[np.int64], runtime: Runtime) -> Activation:
    return as_activation(rows.take(indices), runtime.device)


def as_activation(rows: Mapping[str, npt.NDArray[Any]], device: str = "cpu") -> Activation:
    """Rows of the cache as tensors; half precision becomes float32."""
    tensors = {name: torch.from_numpy(array).to(device) for name, array in rows.items()}
    return {name: t.float() if t.dtype == torch.float16 else t for name, t in tensors.items()}


def _judge(pupil: Pupil, validation: Examples, race: Race, runtime: Runtime, loss: float) -> None:
    """Score the plain views, the log-loss after the temperature that suits them."""
    logits = logits_of(pupil, validation, runtime)
    temperature = fit_temperature(logits, validation.truth)
    picked = log_softmax(logits / temperature)[np.arange(len(validation)), validation.truth]
    accuracy = float((logits.argmax(1) == validation.truth).mean())
    record = {"epoch": race.epoch, "loss": None if math.isnan(loss) else loss}
    race.history.append({**record, "validation_log_loss": float(-picked.mean()), "validation_accuracy": accuracy})  # fmt: skip


@torch.no_grad()
def logits_of(pupil: Pupil, examples: Examples, runtime: Runtime) -> npt.NDArray[np.float64]:
    """Logits (N, C) of the plain views, in eval mode."""
    pupil.eval()
    batches = examples.steps(np.arange(len(examples)), 64)
    parts = [runtime.gather(pupil(_batch(examples.rows, some * examples.views, runtime))) for some in batches]  # fmt: skip
    logits: npt.NDArray[np.float64] = torch.cat(parts).double().cpu().numpy()
    logits[np.concatenate(batches)] = logits.copy()
    return logits
