"""Where teachers are kept: one folder a weight file, safetensors and card, verified at every load.

Free of PyTorch, so that a fit whose activations are in the cache never imports it.
"""

from __future__ import annotations

from pathlib import Path

from tutelage.errors import ArtefactError
from tutelage.files import cache_root, digest_file, read_json
from tutelage.teachers.card import Card


def folder_of(name: str, digest: str) -> Path:
    """The folder of one weight file."""
    return cache_root() / "teachers" / f"{name}-{digest[:16]}"


def kept(name: str, digest: str) -> Card | None:
    """The card of a teacher that is on this machine whole, else None."""
    folder = folder_of(name, digest)
    if not (folder / "card.json").exists():
        return None
    try:
        card = Card.from_json(read_json(folder / "card.json"))
        sound = digest_file(folder / "weights.safetensors") == card.weights_digest
    except (ArtefactError, OSError, KeyError, TypeError):
        return None  # damaged: it is made again from the pinned source
    return card if sound and card.digest == digest else None
