"""Remedies: ways to mend inherited vulnerability, in the order in which they are tried.

Where a trunk is frozen, no new head can help: to an adversary who matches what the trunk gives, every head is the same.
So each remedy changes the features, or what reaches the trunk.

consistency    crafted twins of the training items must be seen as the parent sees the items, and so must the items (as FARE,
               Schlarmann et al., ICML 2024, but on sets crafted once on the teacher)
distance       beside it, features are pushed away from the teacher's (Wang et al., USENIX Security 2018, section 6.2)
restoring      where edits can be undone, they are, and the head is fitted on what is then read (Pruthi et al., ACL 2019)
slice          the weights that the task uses least are reset first (ReMoS, Zhang et al., ICSE 2022)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tutelage.network.decision import Mode


@dataclass(frozen=True)
class Remedy:
    """One way, with its numbers.

    Attributes:
        name: for people and for the recipe.
        because: why it is tried here, in a sentence.
        epochs: passes over the training items, each with one crafted twin.
        learning_rate: AdamW's peak.
        stage_decay: factor on the rate from one stage to the one before it.
        pull: weight of the distance between a twin's features and those that the parent has of its item.
        hold: weight of the distance between an item's features and those that the parent has of it.
        push: weight of the hinge on the distance from the teacher's features; 0 leaves it out.
        reset: share of each convolution's weights that is set to zero first; 0 leaves it out.
        restore: whether what was done to an item is undone before it is read; the trunk then stays, and only the head is fitted.
        views: of each training item with random edits, the plain one included, where only the head is fitted.
    """

    name: str
    because: str
    epochs: int
    learning_rate: float
    stage_decay: float
    pull: float
    hold: float = 0.0
    push: float = 0.0
    reset: float = 0.0
    restore: bool = False
    views: int = 1

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return dict(vars(self))


CONSISTENCY = Remedy("consistency", "crafted twins must be seen as the parent sees the items that they were made of", 10, 5e-4, 0.9, 1.0, hold=1.0)  # fmt: skip
DISTANCE = Remedy("consistency and distance", "features also leave those of the teacher", 14, 7e-4, 0.9, 1.0, push=0.2)  # fmt: skip
SLICE = Remedy("slice and consistency", "weights that the task does not use are reset, and with them what they carried over", 10, 5e-4, 0.9, 1.0, hold=1.0, reset=0.05)  # fmt: skip
"""The numbers of ``CONSISTENCY`` were chosen on pacs_cartoon among thirteen; see docs/adr/0014."""

VIEWS = Remedy(
    "edited views", "views with random edits teach the head what they do", 0, 0.0, 1.0, 0.0, views=4
)
RESTORING = Remedy(
    "restoring", "what was edited is undone before it is read", 0, 0.0, 1.0, 0.0, restore=True
)
BOTH = Remedy("restoring and edited views", "views with random edits, restored, teach the head what is left of them", 0, 0.0, 1.0, 0.0, restore=True, views=4)  # fmt: skip

SEARCHED: tuple[Remedy, ...] = (RESTORING, BOTH, VIEWS)
"""Where items are searched and not moved by gradients: the ladder of frozen students."""

LADDERS: dict[Mode, tuple[Remedy, ...]] = {
    "deep": (CONSISTENCY, DISTANCE, SLICE),
    "mid": (CONSISTENCY, DISTANCE, SLICE),
    "full": (SLICE, CONSISTENCY, DISTANCE),
    "scratch": (CONSISTENCY,),
}
"""Mode of the student -> remedies in the order tried, until one meets the bar."""
