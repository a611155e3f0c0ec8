"""An encoder's published files -> a teacher that is kept: weights made to fit, the law of the cut proved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tutelage.errors import TeacherError
from tutelage.modality.text_tokens import Tokens, collate
from tutelage.network.proof import faults
from tutelage.network.stages import Activation, Network
from tutelage.teachers import encoders
from tutelage.teachers.blueprint import Blueprint, read_blueprint
from tutelage.teachers.card import Card
from tutelage.teachers.keep import keep
from tutelage.teachers.origin import Origin
from tutelage.teachers.reading import fitted

SENTENCES = (
    "The quick brown fox jumps over the lazy dog while the rain falls on the hills and everybody waits for the train that never comes on time.",
    "What a film!", "I lost my card yesterday and need a new one.", "Who invented the telephone?", "no",
    "1234567890 + 42 = ?", "An unmitigated disaster from start to finish, badly acted and worse written.",
    "Win a free prize now, call 0800 123 456!",
)  # fmt: skip
"""What a network is looked at with when it is kept; the first has more tokens than ``PLACES``."""

PLACES = 32
"""Tokens of the text that the costs on a card are for."""

AFTER = re.compile(r"^(cls|pooler|lm_head|vocab_\w+|classifier|predictions|discriminator_predictions|generator_\w+|score|qa_outputs)\.|position_ids$|token_type_ids$")  # fmt: skip
"""Tensors of what was trained on top of an encoder, and counters that are no weights."""


def convert(origin: Origin, facts: Card) -> Card:
    """Build an encoder, read its weights, prove the law, keep it; its completed card."""
    tokens = tokens_of(origin, facts)
    batch = {n: torch.from_numpy(a) for n, a in probes(tokens, facts).items()}
    blueprint = read_blueprint(facts.architecture)
    network, broken = _loaded(origin, facts, blueprint, batch)
    if broken:
        note = f"it cannot be cut ({'; '.join(broken[:3])}): features only"
        blueprint = replace(blueprint, cuts="none")
        facts = replace(facts, architecture=str(blueprint), notes=(*facts.notes, note))
        network, left = _loaded(origin, facts, blueprint, batch)
        if left:
            raise TeacherError(
                "no-law", given=f"{facts.name}: {note}; and as features: {'; '.join(left)}",
                expected="a network that gives the same answer to the same input", next="Take another teacher.",
            )  # fmt: skip
    return keep(network, facts, batch)


def tokens_of(origin: Origin, facts: Card) -> Tokens:
    """The tokenizer of an origin whose files are at hand."""
    raw = bytes(origin.files()[encoders.TOKENIZER])
    return Tokens(lambda: raw, str(read_blueprint(facts.architecture).args[encoders.TOKENIZER]["sha256"]))  # fmt: skip


def probes(tokens: Tokens, facts: Card) -> dict[str, Any]:
    """The sentences as ``collate`` gives them: (8, T), T at most ``PLACES``."""
    spec = replace(facts.spec, size=min(PLACES, facts.spec.size))
    return collate([tokens.augment(sentence, spec, None) for sentence in SENTENCES])


def _loaded(origin: Origin, facts: Card, blueprint: Blueprint, batch: Activation) -> tuple[Network, list[str]]:  # fmt: skip
    """The network with its weights, and where it breaks the law or differs from its library's own answer."""
    network = encoders.build(blueprint)
    model: Any = network.model
    files = origin.files()
    given = {
        **renamed(origin.read(model), model),
        encoders.TOKENIZER: _bytes(files[encoders.TOKENIZER]),
    }
    model.load_state_dict(fitted(given, model, facts.name, blueprint.name), strict=True)
    return network, [*faults(network, batch), *_strange(network, batch)]


@torch.no_grad()
def _strange(network: Network, batch: Activation) -> list[str]:
    model: Any = network.model
    padding = int(getattr(model.config, "pad_token_id", 0) or 0)
    mask = batch["mask"] > 0
    ids = batch["x"].long().masked_fill(~mask, padding)
    own = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    ours = network.slice(0, len(network.stages) - 1)(batch)["x"]
    return (
        [] if torch.equal(ours[mask], own[mask]) else ["its layers in turn are not its own answer"]
    )


def renamed(tensors: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    """Tensors under the names of the bare encoder, without what was trained on top of it."""
    wanted, prefix = set(model.state_dict()), f"{model.base_model_prefix}."
    found = {}
    for name, tensor in tensors.items():
        bare = name.removeprefix(prefix) if name.startswith(prefix) else name
        bare = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", bare)
        bare = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", bare)
        if bare in wanted or not AFTER.search(bare):
            found[bare] = tensor
    return found


def _bytes(raw: bytes) -> Tensor:
    return torch.from_numpy(np.frombuffer(bytes(raw), np.uint8).copy())
