"""What a teacher looks like inside, without its weights where they are not here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tutelage.teachers.blueprint import read_blueprint
from tutelage.teachers.card import Card, StageFacts
from tutelage.teachers.catalogue import find
from tutelage.teachers.embedded import DEFAULT, EMBEDDED
from tutelage.teachers.encoders_published import CONFIG
from tutelage.teachers.forms import blank_tokens, build, prepare_pixels
from tutelage.teachers.kept import kept_cards
from tutelage.teachers.minilm import FETCHED
from tutelage.teachers.published import Line, facts_of
from tutelage.teachers.zoo import load_teacher

if TYPE_CHECKING:
    from tutelage.network.profile import StageProfile


def described(name: str) -> tuple[Card, bool]:
    """A teacher's card with its stages, and whether its weights are on this machine.

    Where they are not, the network is built with the random values of its library: shapes, costs
    and cuts do not depend on the weights; the range of activations does and is then unknown.

    Raises:
        UsageError: no teacher of that name.
        TeacherError: the installed library does not have it, or it cannot be cut.
    """
    name = DEFAULT if name == "auto" else name
    if name in EMBEDDED:
        return load_teacher(name).card, True
    own = next((card for card in kept_cards() if card.name == name), None)
    if own is not None:
        return own, True
    if name in FETCHED:
        return _blank_encoder(FETCHED[name](Line()).facts), False
    if (Path(name) / CONFIG).is_file():
        return load_teacher(name).card, True
    entry = find(name)
    known = next((card for card in kept_cards() if card.name == entry.name), None)
    return (known, True) if known else (_blank(facts_of(entry)), False)


def _blank_encoder(facts: Card) -> Card:
    import torch

    from tutelage.network.profile import profile
    from tutelage.teachers import encoders

    network = encoders.build(read_blueprint(facts.architecture))
    first = {name: torch.from_numpy(a) for name, a in blank_tokens(facts.spec).items()}
    return replace(facts, stages=_stages(profile(network, first)), owners=network.owners())


def _stages(profiles: Iterable[StageProfile]) -> tuple[StageFacts, ...]:
    return tuple(StageFacts(p.name, p.shape, p.parameters, p.macs, 0.0) for p in profiles)


def _blank(facts: Card) -> Card:
    from tutelage.network.profile import profile
    from tutelage.network.proof import smallest
    from tutelage.teachers.keep import probe_pixels

    network = build(facts)
    batch = prepare_pixels(facts.spec)(probe_pixels(facts.spec))
    first = {key: tensor[:1] for key, tensor in batch.items()}
    stages = _stages(profile(network, first))
    spec = replace(facts.spec, smallest=smallest(network, first["x"]))
    return replace(facts, stages=stages, owners=network.owners(), spec=spec)
