"""The one idea: a backbone is an ordered list of named stages, and a cut is a place in that list.

What crosses a cut is an activation, ``dict[str, Tensor]``; the main tensor is called ``"x"``.
The law of the cut: ``tail(trunk(x)) == backbone(x)`` exactly, in eval mode, at every cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from tutelage.errors import TeacherError

Activation = dict[str, Tensor]


class Through(nn.Module):
    """A stage made of modules that each take and give the main tensor; the rest travels along."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.modules_in_order = nn.ModuleList(modules)

    def forward(self, activation: Activation) -> Activation:
        """Activation -> activation."""
        x = activation["x"]
        for module in self.modules_in_order:
            x = module(x)
        return {**activation, "x": x}


class Copied(nn.Module):
    """A stage that would write into its input, given a copy: an activation is never changed."""

    def __init__(self, stage: nn.Module) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, activation: Activation) -> Activation:
        """Activation -> activation."""
        copies: Activation = self.stage({name: t.clone() for name, t in activation.items()})
        return copies


class Pool(nn.Module):
    """The mean over some axes: a map or tokens -> ``(N, D)``."""

    def __init__(self, axes: tuple[int, ...] = (2, 3)) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        """``(N, D, H, W)`` or ``(N, T, D)`` -> ``(N, D)``."""
        return x.mean(self.axes)


class Slice(nn.Module):
    """Consecutive stages as one module; empty slices are the identity."""

    def __init__(self, stages: Sequence[nn.Module]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)

    def forward(self, activation: Activation) -> Activation:
        """Activation -> activation."""
        for stage in self.stages:
            activation = stage(activation)
        return activation


@dataclass(frozen=True)
class Stage:
    """A named piece of a backbone: ``module`` maps activation to activation."""

    name: str
    module: nn.Module


@dataclass(frozen=True)
class Network:
    """A teacher's network, seen as stages.

    Attributes:
        model: the module as its library builds it; its ``state_dict`` names are the names on disk.
        stages: the backbone in order; the last one is pooling and gives ``(N, D)``.
        classifier: the teacher's old last layer -> ``(N, labels)``, or None.
        dropped: prefixes of parameters that transfer has no use for (an auxiliary head, say).
        classifier_cut: where the classifier begins; None stands for L, after pooling. SqueezeNet's
            reads the map before it.
    """

    model: nn.Module
    stages: tuple[Stage, ...]
    classifier: nn.Module | None = None
    dropped: tuple[str, ...] = field(default=())
    classifier_cut: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The stages' names, in order."""
        return tuple(stage.name for stage in self.stages)

    def slice(self, start: int, stop: int | None = None) -> Slice:
        """Stages ``start`` (inclusive) to ``stop`` (exclusive) as one module; parameters are shared."""
        return Slice([stage.module for stage in self.stages[start:stop]])

    def trunk(self, cut: int) -> Slice:
        """The first ``cut`` stages."""
        return self.slice(0, cut)

    def tail(self, cut: int) -> Slice:
        """Everything after the cut, without the classifier."""
        return self.slice(cut)

    def logits(self, activation: Activation) -> Tensor:
        """The teacher's own answer ``(N, labels)`` to an activation at cut 0.

        Raises:
            TeacherError: it has no classifier.
        """
        if self.classifier is None:
            raise TeacherError(
                "no-classifier", given="a teacher without classes of its own",
                expected="one with its old classifier", next="Leave out what asks for the teacher's classes.",
            )  # fmt: skip
        cut = len(self.stages) if self.classifier_cut is None else self.classifier_cut
        answer: Tensor = self.classifier(self.trunk(cut)(activation)["x"])
        return answer

    def owners(self) -> dict[str, str]:
        """Name on disk of every parameter and buffer -> stage, ``"classifier"`` or ``"dropped"``.

        Raises:
            TeacherError: a tensor belongs to no place, or to two.
        """
        places = [*((s.name, s.module) for s in self.stages)]
        if self.classifier is not None:
            places.append(("classifier", self.classifier))
        place_of: dict[int, str] = {}
        for place, module in places:
            for tensor in _tensors(module):
                if place_of.setdefault(id(tensor), place) != place:
                    raise _unowned(f"one tensor in both {place_of[id(tensor)]} and {place}")
        return {name: self._owner(name, tensor, place_of) for name, tensor in _named(self.model)}

    def _owner(self, name: str, tensor: Tensor, place_of: dict[int, str]) -> str:
        if id(tensor) in place_of:
            return place_of[id(tensor)]
        if name.startswith(self.dropped) and self.dropped:
            return "dropped"
        raise _unowned(f"{name} in no stage")


def _named(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    kept = module.state_dict(keep_vars=True)
    yield from kept.items()


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.state_dict(keep_vars=True).values()


def shared_places(modules: Sequence[nn.Module]) -> tuple[int, int] | None:
    """The first two modules of a sequence that share a tensor; None if no two do."""
    place_of: dict[int, int] = {}
    for place, module in enumerate(modules):
        for tensor in _tensors(module):
            first = place_of.setdefault(id(tensor), place)
            if first != place:
                return first, place
    return None


def unused(model: nn.Module, places: Sequence[nn.Module]) -> tuple[str, ...]:
    """Names of a model's tensors that none of the places has, e.g. an auxiliary head's."""
    owned = {id(tensor) for place in places for tensor in _tensors(place)}
    return tuple(name for name, tensor in _named(model) if id(tensor) not in owned)


def _unowned(what: str) -> TeacherError:
    return TeacherError(
        "broken-adapter", given=f"the network's adapter leaves {what}",
        expected="every parameter in exactly one stage, the classifier or the dropped ones",
        next="Mend the adapter's list of stages in teachers/.",
    )  # fmt: skip


def hold(module: nn.Module) -> nn.Module:
    """Freeze: no gradients *and* normalisation statistics and dropout held still (eval mode)."""
    module.eval()
    return module.requires_grad_(False)


def hold_statistics(module: nn.Module) -> nn.Module:
    """Put every normalisation layer that keeps running statistics into eval mode; the rest stays."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._NormBase):
            part.eval()
    return module


def channels_last(module: nn.Module) -> nn.Module:
    """Lay kernels of convolutions out channels-last, in place; tensors of other ranks stay."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.to(memory_format=torch.channels_last)
    return module


def copied(module: nn.Module, device: str = "cpu") -> nn.Module:
    """A copy of one's own, channels-last on a device; the original stays where others look for it."""
    return channels_last(deepcopy(module).to(device))


def count_parameters(module: nn.Module) -> int:
    """Number of scalars in the parameters (buffers are not parameters)."""
    return sum(parameter.numel() for parameter in module.parameters())


def all_finite(module: nn.Module) -> bool:
    """Are all parameters and floating-point buffers finite?"""
    tensors = (t for t in module.state_dict().values() if t.is_floating_point())
    return all(bool(torch.isfinite(t).all()) for t in tensors)
