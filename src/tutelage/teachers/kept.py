"""Where teachers are kept: one folder a weight file and way of building, verified at every load.

Free of PyTorch, so that a fit whose activations are in the cache never imports it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tutelage.errors import ArtefactError
from tutelage.files import cache_root, digest_file, digest_json, read_json
from tutelage.run import safe_name
from tutelage.teachers.card import Card


def folder_of(facts: Card) -> Path:
    """The folder of a weight file as one architecture with one preprocessing."""
    spec = {k: v for k, v in facts.spec.as_json().items() if k != "smallest"}
    key = digest_json([facts.digest, facts.architecture.partition("?cuts")[0], spec])
    return cache_root() / "teachers" / f"{safe_name(facts.name)}-{key[:16]}"


def kept(facts: Card) -> Card | None:
    """The completed card of a teacher that is on this machine whole, else None."""
    folder = folder_of(facts)
    if not (folder / "card.json").exists():
        return None
    try:
        card = Card.from_json(read_json(folder / "card.json"))
        sound = digest_file(folder / "weights.safetensors") == card.weights_digest
    except (ArtefactError, OSError, KeyError, TypeError):
        return None  # damaged: it is made again from the pinned source
    return card if sound and card.digest == facts.digest else None


def kept_cards() -> Iterator[Card]:
    """Cards of all teachers that are kept here; damaged ones are passed over."""
    for path in sorted((cache_root() / "teachers").glob("*/card.json")):
        try:
            yield Card.from_json(read_json(path))
        except (ArtefactError, KeyError, TypeError):
            continue
