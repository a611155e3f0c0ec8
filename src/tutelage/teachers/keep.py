"""Keeping a teacher on this machine: weights as safetensors and the completed card, written once."""

from __future__ import annotations

import numpy as np
import torch

from tutelage.errors import TeacherError
from tutelage.files import digest_file, lock, write_arrays, write_json
from tutelage.modality import InputSpec
from tutelage.network.profile import StageProfile, profile
from tutelage.network.stages import Activation, Network, all_finite
from tutelage.teachers.card import Card, StageFacts
from tutelage.teachers.kept import folder_of

PROBES = 8
"""Inputs used to see how large activations get: seeded noise, flat grey, black and white."""


def keep(network: Network, facts: Card, batch: Activation) -> Card:
    """Write weights and card; the card is written last, so a killed write is not believed.

    Raises:
        TeacherError: a weight is NaN or infinite.
    """
    if not all_finite(network.model):
        raise TeacherError(
            "not-finite", given=f"NaN or infinity in the weights of {facts.name}",
            expected="finite weights", next="Get the weight file again from its publisher.",
        )  # fmt: skip
    folder = folder_of(facts.name, facts.digest)
    with lock(folder.with_suffix(".lock")):
        tensors = {name: t.numpy() for name, t in network.model.state_dict().items()}
        write_arrays(folder / "weights.safetensors", tensors)
        card = _complete(facts, network, batch, digest_file(folder / "weights.safetensors"))
        write_json(folder / "card.json", card.as_json())
    return card


def _complete(facts: Card, network: Network, batch: Activation, digest: str) -> Card:
    first = {name: tensor[:1] for name, tensor in batch.items()}
    profiles = profile(network, first)
    peaks = _peaks(network, batch)
    stages = tuple(_facts(p, peak) for p, peak in zip(profiles, peaks, strict=True))
    known = {**facts.as_json(), "owners": network.owners(), "weights_digest": digest}
    return Card.from_json({**known, "stages": [vars(stage) for stage in stages]})


def _facts(profiled: StageProfile, peak: float) -> StageFacts:
    return StageFacts(profiled.name, profiled.shape, profiled.parameters, profiled.macs, peak)


@torch.no_grad()
def _peaks(network: Network, activation: Activation) -> list[float]:
    peaks = []
    for stage in network.stages:
        activation = stage.module(activation)
        peaks.append(max(float(t.abs().max()) for t in activation.values()))
    return peaks


def probe_pixels(spec: InputSpec) -> Activation:
    """``PROBES`` images as ``collate`` gives them, the same on every machine: uint8 (8, H, W, C)."""
    shape = (PROBES - 3, spec.size, spec.size, spec.channels)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    flat = [np.full(shape[1:], level, np.uint8) for level in (0, 128, 255)]
    return {"x": torch.from_numpy(np.concatenate([noise, np.stack(flat)]))}
