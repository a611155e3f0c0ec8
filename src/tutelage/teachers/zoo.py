"""The zoo: names -> teachers. A teacher is a card, a modality, and a network built when it is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from tutelage.errors import TeacherError, UsageError
from tutelage.files import digest_arrays, read_arrays
from tutelage.modality import InputSpec, Modality
from tutelage.teachers.blueprint import Blueprint, read_blueprint
from tutelage.teachers.card import Card
from tutelage.teachers.defaults import default_for
from tutelage.teachers.embedded import EMBEDDED
from tutelage.teachers.encoders_published import CONFIG, from_files, from_folder, held_encoder
from tutelage.teachers.forms import form_of, prepare_pixels
from tutelage.teachers.kept import folder_of, kept
from tutelage.teachers.local import OWN, from_code, from_file
from tutelage.teachers.minilm import FETCHED
from tutelage.teachers.origin import Asked, Origin
from tutelage.teachers.published import Line, from_hub, published, with_channels

if TYPE_CHECKING:
    from torch import nn

    from tutelage.network.stages import Activation, Network

WEIGHTS = (".safetensors", ".pth", ".pt", ".th", ".bin", ".ckpt")
"""Endings by which a weight file is told from a name."""


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

        network = self.fresh()
        hold(network.model)
        return network

    def fresh(self) -> Network:
        """Another copy of the network, whose weights may be trained.

        Raises:
            TeacherError: as ``network`` does; or its stages are no longer those of the card, because
                another version of its library builds it now.
        """
        network = self.build()
        load_tensors(network.model, self.tensors(), self.card.name)
        if network.names != self.card.names:
            raise TeacherError(
                "other-stages", given=f"{self.card.name} has stages {', '.join(network.names)} now", expected=", ".join(self.card.names),
                next="Install the library's version that the card was made with: see lineage.json.",
            )  # fmt: skip
        return network


def load_teacher(asked: str | Asked = "auto", modality: Modality | None = None, line: Line | None = None) -> Teacher:  # fmt: skip
    """A teacher, its weights verified against their pinned digest, the law of the cut proved.

    Args:
        asked: a name (``"auto"`` is the usual teacher for the modality), or more about it: see ``Asked``.
        modality: what the data is; a teacher of another modality is refused.
        line: how fetching is told.

    Raises:
        UsageError: no teacher of that name, or it does not look at such data.
        TeacherError: its weights are not the published ones, do not fit, or may not be used.
    """
    wanted = Asked(asked) if isinstance(asked, str) else asked
    wanted = replace(wanted, name=default_for(modality)) if wanted.name == "auto" else wanted
    teacher = open_teacher(origin_of(wanted, line or Line()), wanted.channels)
    if modality is not None and not looks_at(teacher, modality):
        raise wrong_modality(teacher.card.name, teacher.modality, modality)
    return teacher


def load_named(name: str, modality: Modality, channels: int = 3) -> Teacher:
    """The teacher that a file names (a student's card, say): somebody else wrote it, so no path is followed and no code run.

    Raises:
        TeacherError: it is not the name of a published teacher.
    """
    hub = name.startswith("hf:")
    outside = ("/" in name or "\\" in name) and not hub
    if outside or ".py" in name or name.endswith(WEIGHTS) or (Path(name) / CONFIG).is_file():
        raise TeacherError(
            "not-a-name", given=f"a file that names the teacher {name}", expected="the name of a published teacher",
            next="Give the teacher yourself: --teacher NAME",
        )  # fmt: skip
    return load_teacher(Asked(name, allow_licence=True, channels=channels), modality)


def at_hand(modality: Modality) -> Modality:
    """A modality as its usual teacher has it, if that one is on this machine: a look then counts what it will read."""
    name = default_for(modality)
    facts = FETCHED[name](Line()).facts if name in FETCHED else None
    card = kept(facts) if facts else None
    if facts is None or card is None:
        return modality
    weights = folder_of(facts) / "weights.safetensors"
    return assembled(card, lambda: read_arrays(weights)).modality


def wrong_modality(name: str, own: Modality, wanted: Modality) -> UsageError:
    """The one error for a teacher that does not look at such data."""
    return UsageError(
        "wrong-modality", given=f"teacher {name}, which looks at {own.family}", expected=f"a teacher for {wanted.family}",
        next=f"Leave --teacher out, or take: --teacher {default_for(wanted)}",
    )  # fmt: skip


def looks_at(teacher: Teacher, modality: Modality) -> bool:
    """Does a teacher look at such data? A modality that is bound to a teacher's tokenizer is still its family's."""
    own = teacher.modality
    return modality is own or (not modality.random_views and modality.family == own.family)


def origin_of(asked: Asked, line: Line) -> Origin:
    """Where a teacher comes from, by the form of its name."""
    name = default_for(None) if asked.name == "auto" else asked.name
    file, _, function = name.rpartition(":")
    if file.endswith(".py") or name.endswith(".py"):
        return from_code(asked if function and file else replace(asked, name=f"{name}:build"))
    if asked.weights or name.endswith(WEIGHTS):
        return from_file(asked)
    if name in EMBEDDED:
        return EMBEDDED[name]()
    if name in FETCHED:
        return FETCHED[name](line)
    if (Path(name) / CONFIG).is_file():
        return from_folder(asked)
    if name.startswith("hf:"):
        return held_encoder(name) or from_hub(asked, line, from_files)
    return published(asked, line)


def open_teacher(origin: Origin, channels: int = 3) -> Teacher:
    """A teacher of an origin: kept on this machine, or converted and kept now.

    Args:
        channels: of the images; a network of the user's own says it itself.
    """
    fixed = origin.own or origin.facts.spec.unit != "px"
    facts = origin.facts if fixed else with_channels(origin.facts, channels)
    if origin.own and channels not in (3, facts.spec.channels):
        raise UsageError(
            "contradiction", given=f"--channels {channels} for a network of {facts.spec.channels} channels",
            expected="one of the two", next="Leave out --channels.",
        )  # fmt: skip
    card = kept(facts) or _convert(origin, facts)
    weights = folder_of(facts) / "weights.safetensors"
    return assembled(card, lambda: read_arrays(weights), origin.own)


def assembled(card: Card, tensors: Callable[[], dict[str, Any]], own: Callable[[], Any] | None = None) -> Teacher:  # fmt: skip
    """A teacher of a complete card and its tensors; what it looks at follows from who builds its network.

    Args:
        tensors: reads them, by their names on disk.
        own: makes the network, where no library does.
    """
    form = form_of(card, tensors, own)
    return Teacher(card, form.modality, tensors, form.build, form.prepare, form.blank)


def _convert(origin: Origin, facts: Card) -> Card:
    if read_blueprint(facts.architecture).source == "transformers":
        from tutelage.teachers import encoders_keep

        return encoders_keep.convert(origin, facts)
    from tutelage.teachers import architectures, keep

    batch = prepare_pixels(facts.spec)(keep.probe_pixels(facts.spec))
    few = batch["x"][:2]
    make = partial(architectures.loaded, origin, facts.spec, few)
    card, network = keep.proved(facts, make, few)
    return keep.keep(network, card, batch)


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
    from tutelage.teachers import keep

    tensors = {name: t.numpy() for name, t in trained.model.state_dict().items()}
    named = replace(facts, digest=digest_arrays(tensors))
    card = kept(named) or keep.keep(trained, named, probes)
    weights = folder_of(named) / "weights.safetensors"
    return Teacher(card, modality, lambda: read_arrays(weights), build, prepare, blank)


def teacher_from_module(module: nn.Module, spec: InputSpec | None = None, *, name: str = "", licence: str = OWN) -> Teacher:  # fmt: skip
    """An ``nn.Module`` from ``(N, C, H, W)`` to logits as a teacher; its stages come from its graph.

    Args:
        module: with its weights; it is copied and left as it is.
        spec: what it looks at: 224 px RGB, normalised as for ImageNet, by default.
        name: of the teacher; its class's name by default.
        licence: of its weights.
    """
    import copy

    own, look = copy.deepcopy(module).cpu(), spec or InputSpec()
    facts = Card(
        name=name or type(module).__name__, source="python", licence=licence, spec=look,
        digest=digest_arrays({k: t.numpy() for k, t in own.state_dict().items()}),
        architecture=str(Blueprint("module", type(module).__name__)),
        trained_on="not stated", labels=0, stages=(), owners={}, weights_digest="",
    )  # fmt: skip
    return open_teacher(Origin(facts, lambda m: dict(m.state_dict()), lambda: copy.deepcopy(own)))


def load_tensors(model: nn.Module, tensors: dict[str, Any], name: str) -> None:
    """Load strictly: every tensor, by name and shape, or one error that lists all mismatches.

    Raises:
        TeacherError: names or shapes differ.
    """
    import torch

    from tutelage.teachers.reading import fitted

    given = {key: torch.as_tensor(value) for key, value in tensors.items()}
    model.load_state_dict(fitted(given, model, name), strict=True)
