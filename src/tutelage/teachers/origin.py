"""What a source of teachers hands over: the facts known before anything is built, and how to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tutelage.teachers.card import Card


@dataclass(frozen=True)
class Asked:
    """What a user fixed about the teacher.

    Attributes:
        name: ``auto``; a name of the catalogue; ``hf:OWNER/REPO@REVISION``; a weight file; or
            ``FILE.py:FUNCTION``, which runs the user's own code.
        weights: a weight file for it, instead of the published one.
        arch: the architecture of a weight file.
        card: a JSON file with facts of a weight file (licence, spec, ...); ``FILE.card.json`` beside
            the weights is found by itself.
        allow_licence: take it whatever its licence.
        channels: of the images.
    """

    name: str = "auto"
    weights: str | None = None
    arch: str | None = None
    card: str | None = None
    allow_licence: bool = False
    channels: int = 3


@dataclass(frozen=True)
class Origin:
    """Where a teacher's weights come from.

    Attributes:
        facts: the card so far: name, digest, source, licence, architecture, spec.
        read: model -> its tensors, under its names, verified; called only if it is not kept yet.
        own: makes the network, where no library does: a module, or a ``Network`` with its stages.
        files: what belongs to the weights beside them: name -> bytes; called only if it is not kept yet.
    """

    facts: Card
    read: Callable[[Any], dict[str, Any]]
    own: Callable[[], Any] | None = None
    files: Callable[[], Mapping[str, bytes]] = dict
