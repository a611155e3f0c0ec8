"""Keeping a teacher on this machine: the law proved, weights as safetensors, the completed card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from tutelage.errors import TeacherError
from tutelage.files import digest_file, lock, write_arrays, write_json
from tutelage.modality import InputSpec
from tutelage.network.profile import StageProfile, profile
from tutelage.network.proof import faults, smallest
from tutelage.network.stages import Activation, Network, all_finite
from tutelage.teachers.blueprint import read_blueprint
from tutelage.teachers.card import Card, StageFacts
from tutelage.teachers.kept import folder_of

PROBES = 8
"""Inputs used to see how large activations get: seeded noise, flat grey, black and white."""


Make = Callable[[str], tuple[Network, torch.Tensor]]
"""Architecture -> network with its weights, and what its module answered to the probes as built."""


def keep(network: Network, facts: Card, batch: Activation) -> Card:
    """Write weights and card; the card is written last, so a killed write is not believed.

    Args:
        network: with its weights, in eval mode.
        facts: the card so far.
        batch: ``PROBES`` prepared inputs, at cut 0.

    Raises:
        TeacherError: a weight is NaN or infinite.
    """
    if not all_finite(network.model):
        raise TeacherError(
            "not-finite", given=f"NaN or infinity in the weights of {facts.name}",
            expected="finite weights", next="Get the weight file again from its publisher.",
        )  # fmt: skip
    folder = folder_of(facts)
    with lock(folder.with_suffix(".lock")):
        tensors = {name: t.numpy() for name, t in network.model.state_dict().items()}
        write_arrays(folder / "weights.safetensors", tensors)
        card = _complete(facts, network, batch, digest_file(folder / "weights.safetensors"))
        write_json(folder / "card.json", card.as_json())
    return card


def proved(facts: Card, make: Make, pixels: torch.Tensor) -> tuple[Card, Network]:  # fmt: skip
    """A network that keeps the law of the cut, and its card; one stage only where it cannot be cut.

    Args:
        pixels: prepared probes ``(N, C, H, W)``.

    Raises:
        TeacherError: not even its features can be had; says why it cannot be cut and why that failed.
    """
    try:
        network, answer = make(facts.architecture)
        broken = faults(network, pixels, answer)
    except TeacherError as error:
        if error.kind not in ("untraceable", "not-a-cut"):
            raise
        broken = [error.given]
    if broken:
        facts, network = _features_only(facts, make, broken, pixels)
    spec = replace(facts.spec, smallest=smallest(network, pixels[:1]))
    return replace(facts, spec=spec, labels=_labels(network, pixels[:1])), network


def _features_only(facts: Card, make: Make, broken: list[str], pixels: torch.Tensor) -> tuple[Card, Network]:  # fmt: skip
    blueprint = replace(read_blueprint(facts.architecture), cuts="none")
    note = f"it cannot be cut ({'; '.join(broken[:3])}): features only"
    network, answer = make(str(blueprint))
    if left := faults(network, pixels, answer):
        raise TeacherError(
            "no-law", given=f"{facts.name}: {note}; and as features: {'; '.join(left)}",
            expected="a network that gives the same answer to the same input",
            next="Give its stages yourself: see docs/guides/teachers.md",
        )  # fmt: skip
    return replace(facts, architecture=str(blueprint), notes=(*facts.notes, note)), network


@torch.no_grad()
def _labels(network: Network, pixels: torch.Tensor) -> int:
    return 0 if network.classifier is None else int(network.logits({"x": pixels}).shape[-1])


def _complete(facts: Card, network: Network, batch: Activation, digest: str) -> Card:
    first = {name: tensor[:1] for name, tensor in batch.items()}
    profiles = profile(network, first)
    peaks = _peaks(network, batch)
    stages = tuple(_facts(p, peak) for p, peak in zip(profiles, peaks, strict=True))
    return replace(facts, owners=network.owners(), weights_digest=digest, stages=stages)


def _facts(profiled: StageProfile, peak: float) -> StageFacts:
    return StageFacts(profiled.name, profiled.shape, profiled.parameters, profiled.macs, peak)


@torch.no_grad()
def _peaks(network: Network, activation: Activation) -> list[float]:
    peaks = []
    for stage in network.stages:
        activation = stage.module(activation)
        peaks.append(max(float(t.abs().max()) for t in activation.values()))
    return peaks


def probe_pixels(spec: InputSpec) -> dict[str, Any]:
    """``PROBES`` images as ``collate`` gives them, the same on every machine: uint8 (8, H, W, C)."""
    shape = (PROBES - 3, spec.size, spec.size, spec.channels)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    flat = [np.full(shape[1:], level, np.uint8) for level in (0, 128, 255)]
    return {"x": torch.from_numpy(np.concatenate([noise, np.stack(flat)]))}
