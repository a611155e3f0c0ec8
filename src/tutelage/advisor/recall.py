"""What was found out about a lesson, kept: ``fit`` does not compute again what ``advise`` computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tutelage.errors import ArtefactError
from tutelage.files import cache_root, digest_json, read_json, write_json
from tutelage.training.lesson import Lesson

VERSION = 2
"""Raised whenever the same items would give other evidence."""


def recall(lesson: Lesson, what: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What is kept under the digest of everything it depends on, or else made now and kept.

    Args:
        what: a name for it.
        make: computes it, as JSON.
    """
    place = cache_root() / "evidence" / f"{_key(lesson)}.{what}.json"
    try:
        known: dict[str, Any] = read_json(place)
    except (OSError, ArtefactError):
        known = make()  # not there, or damaged: it is made again
        write_json(place, known)
    return known


def _key(lesson: Lesson) -> str:
    """Digest of the extractor and of every training item's content, label and group."""
    checked = lesson.checked
    indices = lesson.readable(lesson.depth, lesson.parts.train)
    labels = lesson.labels(indices)
    rows = sorted([checked.digests[i], label, checked.groups[i]] for i, label in zip(indices, labels, strict=True))  # fmt: skip
    extractor = lesson.activations.extractor(lesson.depth).digest
    return digest_json([VERSION, extractor, lesson.views, list(lesson.classes), rows])
