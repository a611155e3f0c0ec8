"""A card: the frozen facts of one weight file, which travel with it and with every student."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from tutelage.modality import InputSpec


@dataclass(frozen=True)
class StageFacts:
    """What is known of one stage at the card's input size (see ``network.profile``)."""

    name: str
    shape: tuple[int, ...]
    parameters: int
    macs: int
    peak: float
    """Largest magnitude seen leaving the stage on the card's probe inputs."""

    @property
    def width(self) -> int:
        """Values a place: D of a map (D, H, W), of a sequence (T, D) and of a vector (D,)."""
        return self.shape[-1] if len(self.shape) == 2 else self.shape[0]


@dataclass(frozen=True)
class Card:
    """Facts of a weight file.

    Attributes:
        name: what ``--teacher`` takes.
        digest: full sha256 of the published weight file.
        source: where it comes from, e.g. ``pypi:NAME==VERSION``.
        licence: SPDX name, or what the publisher says.
        architecture: who builds the network, e.g. ``timm:tf_efficientnet_lite0``.
        trained_on: the data it learned from.
        revision: the commit of the repository that the file came from, if it has one.
        notes: what was found out when it was kept, e.g. why it cannot be cut.
        top1, top1_source: published accuracy in percent on that data's validation set, and who says so.
        spec: its own preprocessing.
        labels: number of classes of its old classifier.
        stages: facts of every stage, in order.
        owners: tensor name on disk -> stage, ``classifier`` or ``dropped``.
        weights_digest: sha256 of our safetensors copy.
    """

    name: str
    digest: str
    source: str
    licence: str
    architecture: str
    trained_on: str
    spec: InputSpec
    labels: int
    stages: tuple[StageFacts, ...]
    owners: Mapping[str, str]
    weights_digest: str
    top1: float | None = None
    top1_source: str = ""
    revision: str = ""
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """D: the length of the feature vector."""
        return self.stages[-1].shape[-1]

    @property
    def names(self) -> tuple[str, ...]:
        """Stage names, in order."""
        return tuple(stage.name for stage in self.stages)

    @property
    def parameters(self) -> int:
        """Scalars in the backbone."""
        return sum(stage.parameters for stage in self.stages)

    @property
    def macs(self) -> int:
        """Multiply-accumulates an image at the card's input size."""
        return sum(stage.macs for stage in self.stages)

    def share(self, cut: int) -> float:
        """Share of the multiply-accumulates that the trunk does when cut there."""
        return sum(stage.macs for stage in self.stages[:cut]) / max(1, self.macs)

    def activation_dtype(self, cut: int) -> str:
        """Numpy dtype in which activations at a cut are kept: fp16, or fp32 where the range asks for it.

        fp16 ends at 65,504; a factor of 16 over what the probe inputs showed is the safety margin.
        """
        return "<f2" if cut == 0 or self.stages[cut - 1].peak < 65504 / 16 else "<f4"

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary; ``Card.from_json`` is its inverse."""
        return {**asdict(self), "spec": self.spec.as_json()}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Card:
        """The inverse of ``as_json``."""
        stages = tuple(StageFacts(**{**s, "shape": tuple(s["shape"])}) for s in value["stages"])
        spec, notes = InputSpec.from_json(value["spec"]), tuple(value.get("notes", ()))
        return Card(**{**value, "spec": spec, "stages": stages, "notes": notes})


def builder_version(architecture: str) -> str:
    """Version of the library that builds an architecture, e.g. ``timm 1.0.31``; empty for a user's own."""
    source = architecture.split(":", 1)[0]
    return (
        f"{source} {version(source)}" if source in ("timm", "torchvision", "transformers") else ""
    )
