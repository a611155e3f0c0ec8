"""Controls: what the same budget does without this teacher. Only what exceeds them is inherited.

noise            every value moved by the whole budget, up or down at random; or as many edits as it allows, at random
control teacher  the same attack crafted on an unrelated network
another student  the same crafted windows shown to a student that is not of this teacher (from scratch, say)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tutelage.errors import UsageError
from tutelage.files import digest_json
from tutelage.modality import InputSpec
from tutelage.modality.perturb import Perturb, batch_of
from tutelage.network.stages import Activation, hold
from tutelage.teachers import Asked, Teacher, load_teacher
from tutelage.teachers.defaults import default_for
from tutelage.teachers.embedded import DEFAULT
from tutelage.training.loop import as_activation

REDRAWN = "re-initialised"


@dataclass(frozen=True)
class Control:
    """A network that has nothing to do with the student.

    Attributes:
        teacher: the network.
        because: why it is the control, in a sentence.
    """

    teacher: Teacher
    because: str


def choose_control(teacher: Teacher, asked: str | Teacher | None, items: npt.NDArray[Any], spec: InputSpec, seed: int) -> Control:  # fmt: skip
    """The control teacher: the one asked for, else the embedded one, else the same architecture re-initialised.

    Args:
        teacher: of the student.
        asked: a name, or a teacher.
        items: windows (N, ...) on which a re-initialised network's statistics are set.
        spec: of the windows.
        seed: of a re-initialised network.

    Raises:
        UsageError: the asked one is the student's own teacher.
    """
    if asked is not None:
        named = asked if isinstance(asked, Teacher) else load_teacher(Asked(asked, allow_licence=True, channels=spec.channels), teacher.modality)  # fmt: skip
        if named.card.digest == teacher.card.digest:
            raise UsageError(
                "own-control", given=f"--control {named.card.name}, which is the student's own teacher",
                expected="another network", next="Leave out --control, or name another teacher: tutelage teachers",
            )  # fmt: skip
        return Control(named, f"{named.card.name} was named as the control")
    other = None if teacher.card.name == DEFAULT else _embedded(teacher)
    if other is not None:
        return Control(other, f"{other.card.name} is another network for the same kind of items")
    return Control(redrawn(teacher, items, spec, seed), f"{teacher.card.name} with random weights: no other network was named (--control)")  # fmt: skip


def _embedded(teacher: Teacher) -> Teacher | None:
    """The embedded teacher, where it looks at the same items."""
    if default_for(teacher.modality) != DEFAULT:
        return None
    other = load_teacher()
    same = other.modality is teacher.modality and other.card.digest != teacher.card.digest
    return other if same else None


def redrawn(teacher: Teacher, windows: npt.NDArray[Any], spec: InputSpec, seed: int) -> Teacher:
    """The same architecture with random weights, its normalisation statistics set on some windows."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = teacher.build()
        _settle_statistics(network.model, network.trunk(len(network.stages)), teacher.prepare(spec), as_activation(batch_of(np.ascontiguousarray(windows[:64]), teacher.modality, spec)))  # fmt: skip
    hold(network.model)
    tensors = {name: t.numpy() for name, t in network.model.state_dict().items()}
    named = f"{REDRAWN} {teacher.card.name}"
    card = replace(
        teacher.card, name=named, digest=digest_json([REDRAWN, teacher.card.digest, seed]),
        weights_digest=digest_json([REDRAWN, teacher.card.weights_digest, seed, spec.as_json(), len(windows)]),
    )  # fmt: skip
    return replace(teacher, card=card, tensors=lambda: tensors)


@torch.no_grad()
def _settle_statistics(model: nn.Module, backbone: nn.Module, prepare: nn.Module, batch: Activation) -> None:  # fmt: skip
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
    model.train()
    backbone(prepare(batch))
    model.eval()


def spec_for(teacher: Teacher, spec: InputSpec) -> InputSpec:
    """The student's windows with another teacher's own normalisation."""
    own = teacher.card.spec
    return replace(spec, mean=own.mean, std=own.std, padding=own.padding)


def noise(windows: npt.NDArray[Any], budget: float, perturb: Perturb, seed: int) -> npt.NDArray[Any]:  # fmt: skip
    """Windows with every value moved by the whole budget, up or down at random; else as the modality spends it at random."""
    if perturb.noise is not None:
        rng = np.random.default_rng(seed)
        return np.stack([perturb.noise(window, budget, rng) for window in windows])
    signs = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), windows.shape)
    return perturb.settle(windows + signs * budget, windows, budget)
