"""Tuning: the tail under its fitted head, on cached activations, with a validation part kept aside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tutelage.data import Parts, carve_validation
from tutelage.errors import TrainingError
from tutelage.files import digest_json
from tutelage.heads.choose import class_weights
from tutelage.heads.linear import LinearHead
from tutelage.network.decision import FreezeDecision
from tutelage.network.fold import fold_held
from tutelage.network.stages import Network, Stage
from tutelage.network.taps import Tapped
from tutelage.runtime import Runtime
from tutelage.training.head import fit_head
from tutelage.training.lesson import Lesson
from tutelage.training.loop import (
    Examples,
    HeadModule,
    Pupil,
    Schedule,
    as_activation,
    logits_of,
    tune,
)
from tutelage.training.lora import trained_in, with_lora
from tutelage.training.pace import remember_rate
from tutelage.training.recipe import Recipe

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tuned:
    """What tuning gave.

    Attributes:
        network: its tail trained, its trunk untouched.
        head: the trained head, at temperature 1.
        reads: the stages that it reads beside the last.
        train, validation: the items of the two parts.
        history: one record an epoch.
        before, after: logits (V, C) of the validation items by the first head and by what came back.
        trainable: parameters that were trained.
    """

    network: Network
    head: LinearHead
    reads: tuple[int, ...]
    train: tuple[int, ...]
    validation: tuple[int, ...]
    history: tuple[dict[str, Any], ...]
    before: Floats
    after: Floats
    trainable: int = 0


def tune_tail(lesson: Lesson, decision: FreezeDecision, recipe: Recipe, runtime: Runtime, deadline: float) -> Tuned:  # fmt: skip
    """Train the stages after the cut, under the head that was fitted on their frozen output.

    Raises:
        TrainingError: no item can be kept aside to judge it on.
    """
    inner = _with_validation(lesson.parts, lesson, recipe)
    cut = decision.frozen
    train = lesson.readable(cut, inner.train, recipe.views)
    validation = lesson.readable(cut, inner.val, recipe.views)
    head, reads = _first_head(lesson, decision, inner)
    network = _network(lesson, decision)
    prepare = None if cut else lesson.teacher.prepare(lesson.activations.spec)
    judged = _examples(lesson, cut, validation, recipe.views)
    tail = Tapped([stage.module for stage in network.stages[cut:]], reads, cut, prepare)
    pupil = Pupil(tail, HeadModule(head), reads)
    held = decision.mode != "scratch"
    fold_in = with_lora(tail, recipe.rank, lesson.seed) if recipe.rank else _nothing
    trainable = trained_in(pupil)
    unfold = fold_held(pupil.tail.eval(), as_activation(judged.rows.read(0, 2))) if held else _nothing  # fmt: skip
    schedule = Schedule(
        recipe, lesson.seed, class_shares(lesson, train), hold=held,
        groups=rate_groups(network.stages[cut:], pupil, recipe.stage_decay), checkpoint=lesson.run.folder / "checkpoint.safetensors",
        deadline=deadline, identity=_identity(lesson, decision, recipe, train),
    )  # fmt: skip
    history: list[dict[str, Any]] = []
    with lesson.run.phase("tune"):
        for record in tune(pupil, _examples(lesson, cut, train, recipe.views), judged, schedule, runtime):  # fmt: skip
            lesson.run.log(record)
            history.append(dict(record))
        after = logits_of(pupil, judged, runtime)
    pupil.cpu()
    unfold()
    fold_in()
    remember_rate(lesson, cut, len(train), history if math.isinf(deadline) else [])
    network.model.eval()
    before = head.logits(lesson.features(validation, reads))
    return Tuned(
        network, pupil.head.linear_head(), reads, train, validation, tuple(history), before, after, trainable,
    )  # fmt: skip


def _nothing() -> None:
    """Where nothing was folded."""


def _with_validation(parts: Parts, lesson: Lesson, recipe: Recipe) -> Parts:
    """The source's own validation part, else one carved off the training groups."""
    inner = parts if parts.val else carve_validation(parts, lesson.checked, recipe.validation)
    if inner.val:
        return inner
    raise TrainingError(
        "nothing-to-judge", given=f"{len(parts.train)} training items of which none can be kept aside to judge tuning on",
        expected="two items (or groups) in at least one class", next="Give more items, or fit a head alone with: --mode deep",
    )  # fmt: skip


def _first_head(lesson: Lesson, decision: FreezeDecision, inner: Parts) -> tuple[LinearHead, tuple[int, ...]]:  # fmt: skip
    """LP-FT: the head fitted on frozen features; for scratch, zeros and a standard deviation of 0.01."""
    if decision.mode != "scratch":
        choice = fit_head(lesson, inner.train)
        return choice.head, choice.reads
    width, classes = lesson.teacher.card.width, len(lesson.classes)
    weight = np.random.default_rng(lesson.seed).normal(0, 0.01, (width, classes))
    return LinearHead("scratch", weight, np.zeros(classes), np.zeros(width), np.ones(width), False, 1.0, 0.0), ()  # fmt: skip


def _network(lesson: Lesson, decision: FreezeDecision) -> Network:
    if decision.mode != "scratch":
        network = lesson.teacher.fresh()
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(lesson.seed)
            network = lesson.teacher.build()
    network.trunk(decision.frozen).requires_grad_(False)
    return network


def rate_groups(tail: Sequence[Stage], pupil: Pupil, decay: float) -> list[dict[str, Any]]:
    """One group a stage: each has ``decay`` times the rate of the stage after it; the head last."""
    shares = [decay ** (len(tail) - 1 - i) for i in range(len(tail))]
    groups = [{"params": list(stage.module.parameters()), "share": s} for stage, s in zip(tail, shares, strict=True)]  # fmt: skip
    head = {"params": list(pupil.head.parameters()), "share": 1.0}
    return [{**g, "lr": 0.0} for g in [*groups, head] if g["params"]]


def class_shares(lesson: Lesson, indices: Sequence[int]) -> Any:
    """Weight of each class in the loss: the mean weight of its items, as the head has them."""
    targets = lesson.task.targets(lesson.labels(indices), lesson.classes)
    weights = class_weights(targets)
    present = np.maximum(targets.sum(0), 1)
    return np.where(targets.sum(0) > 0, (targets * weights[:, None]).sum(0) / present, 1.0)


def _examples(lesson: Lesson, cut: int, indices: Sequence[int], views: int) -> Examples:
    return Examples(lesson.activations.gather(cut, indices, views), lesson.truth(indices), views)


def _identity(
    lesson: Lesson, decision: FreezeDecision, recipe: Recipe, train: Sequence[int]
) -> str:
    digests = [lesson.checked.digests[i] for i in train]
    taught = [lesson.labels(train), list(lesson.classes)]
    extractor = lesson.activations.extractor(decision.frozen).digest
    return digest_json([extractor, decision.mode, recipe.as_json(), lesson.seed, digests, taught])
