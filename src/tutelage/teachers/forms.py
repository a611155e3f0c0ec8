"""What a teacher looks at, and how its inputs are made ready: by who builds its network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tutelage.modality import InputSpec, Modality
from tutelage.modality.images import IMAGES, images_of
from tutelage.modality.text import TEXTS, texts_of
from tutelage.modality.text_tokens import Tokens
from tutelage.teachers.blueprint import Blueprint, read_blueprint
from tutelage.teachers.card import Card

if TYPE_CHECKING:
    from torch import nn

    from tutelage.network.stages import Network

Arrays = dict[str, npt.NDArray[Any]]

PLACES = 32
"""Tokens of a blank text."""


@dataclass(frozen=True)
class Form:
    """Everything about a teacher but its card and tensors; see ``zoo.Teacher``."""

    modality: Modality
    build: Callable[[], Network]
    prepare: Callable[[InputSpec], nn.Module]
    blank: Callable[[InputSpec], Arrays]


def form_of(card: Card, tensors: Callable[[], dict[str, Any]], own: Callable[[], Any] | None = None) -> Form:  # fmt: skip
    """The form of a teacher with this card.

    Args:
        tensors: reads its tensors; a tokenizer is among those of an encoder of text.
        own: makes the network, where no library does.
    """
    if kind_of(card) != TEXTS.family:
        return Form(images_of(card.spec.channels), partial(build, card, own), prepare_pixels, blank_pixels)  # fmt: skip
    blueprint = read_blueprint(card.architecture)
    tokens = Tokens(lambda: tensors()["tokenizer"].tobytes(), str(blueprint.args["tokenizer"]["sha256"]))  # fmt: skip
    return Form(texts_of(tokens, card.spec.size), partial(_encoder, blueprint, tensors), prepare_tokens, blank_tokens)  # fmt: skip


def kind_of(card: Card) -> str:
    """What a teacher of this card looks at: the family of its modality."""
    texts = card.architecture.partition(":")[0] == "transformers"
    return TEXTS.family if texts else IMAGES.family


def build(card: Card, own: Callable[[], Any] | None = None) -> Network:
    """The untrained network of a card: see ``architectures.build``.

    Args:
        own: makes it, where no library does.
    """
    from tutelage.teachers import architectures

    return architectures.build(card.architecture, card.spec, own)


def prepare_pixels(spec: InputSpec) -> nn.Module:
    """The first step of every image network: see ``prepare.PreparePixels``."""
    from tutelage.teachers.prepare import PreparePixels

    return PreparePixels(spec)


def blank_pixels(spec: InputSpec) -> Arrays:
    """One black image, as the image modality collates it: uint8 (1, H, W, C)."""
    return {"x": np.zeros((1, spec.size, spec.size, spec.channels), np.uint8)}


def _encoder(blueprint: Blueprint, tensors: Callable[[], dict[str, Any]]) -> Network:
    """The untrained encoder with its tokenizer, which nothing trains."""
    import torch

    from tutelage.teachers import encoders

    network = encoders.build(blueprint)
    held: Any = network.model
    held.tokenizer.copy_(torch.from_numpy(tensors()["tokenizer"].copy()))
    return network


def prepare_tokens(spec: InputSpec) -> nn.Module:
    """Nothing: tokens are what the first stage reads."""
    from tutelage.network.stages import Slice

    return Slice([])


def blank_tokens(spec: InputSpec) -> Arrays:
    """One text of ``PLACES`` equal tokens, as the modality of texts collates it: (1, T)."""
    places = min(PLACES, spec.size)
    return {"x": np.ones((1, places), np.int32), "mask": np.ones((1, places), np.uint8)}
