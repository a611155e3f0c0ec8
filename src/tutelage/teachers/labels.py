"""What a teacher calls its own classes."""

from __future__ import annotations

from collections import Counter

from tutelage.teachers.card import Card

IMAGENET = {
    1000: "imagenet-1k", 11221: "imagenet-21k-miil", 11821: "imagenet-12k",
    21841: "imagenet-22k", 21842: "imagenet-22k-ms", 21843: "imagenet-21k-goog",
}  # fmt: skip
"""Number of labels -> timm's name of the set, for networks that were trained on ImageNet."""


def class_names(card: Card) -> tuple[str, ...]:
    """Names of a teacher's classes, in the order of its logits; ``teacher 17`` where nobody says.

    Names that ImageNet gives twice (``crane``) carry their WordNet number.
    """
    known = IMAGENET.get(card.labels) if "imagenet" in card.trained_on.lower() else None
    if known is None:
        return tuple(f"teacher {i}" for i in range(card.labels))
    from timm.data import ImageNetInfo

    info = ImageNetInfo(known)
    names = [info.index_to_description(i).split(",")[0] for i in range(card.labels)]
    often = Counter(names)
    return tuple(
        f"{name} ({info.index_to_label_name(i)})" if often[name] > 1 else name
        for i, name in enumerate(names)
    )
