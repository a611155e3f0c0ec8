"""All training numbers, computed by a rule from (n, classes, cut): no dial to turn.

Sources: LP-FT (Kumar et al., ICLR 2022) for starting from the fitted head with held batch norm;
BiT-HyperRule (Kolesnikov et al., ECCV 2020) for a schedule that depends on n only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tutelage.network.decision import Mode
from tutelage.teachers.tuning import USUAL

FASTER = 10.0
"""LoRA's rate over that of tuning the weights themselves (Hu et al., ICLR 2022, tables 9 and 11: 10 and more)."""


@dataclass(frozen=True)
class Recipe:
    """The numbers of one training run.

    Attributes:
        mode: deep, mid, full or scratch.
        views: rows an image has in the cache: the plain one and views - 1 random ones.
        epochs: passes over the training images; 0 where only the head is fitted.
        batch: images a step.
        learning_rate: AdamW's peak, after a warm-up of a tenth of the steps, then a cosine to zero.
        weight_decay: AdamW's.
        stage_decay: factor on the learning rate from one stage to the one before it.
        validation: share of the training groups that tuning keeps aside to be judged on.
        rank: of LoRA's narrow maps; 0 where the weights themselves are tuned.
    """

    mode: Mode
    views: int
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    stage_decay: float
    validation: float
    rank: int = 0

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return {key: value for key, value in vars(self).items() if key != "rank" or value}


def views_for(n: int, classes: int) -> int:
    """1 view at >= 50 images a class, 2 at 11-49, 4 at <= 10."""
    each = n / max(1, classes)
    return 1 if each >= 50 else 2 if each > 10 else 4


def recipe_for(mode: Mode, n: int, classes: int, *, rate: float = USUAL, random_views: bool = True, rank: int = 0) -> Recipe:  # fmt: skip
    """The recipe for n training images of some classes.

    Args:
        rate: what the teacher's family of networks is tuned at, see ``teachers.tuning``.
        random_views: whether an item has any beside the plain one.
        rank: of LoRA, if the tail is tuned so.
    """
    views, least = (views_for(n, classes), 2) if random_views else (1, 1)
    if mode == "deep":
        return Recipe(mode, views, 0, 0, 0.0, 0.0, 1.0, 0.0)
    epochs = epochs_for(n) if mode == "mid" else min(12, epochs_for(n))
    if mode == "scratch":
        return Recipe(mode, max(least, views), 3 * epochs, 32, 1e-3 * rate / USUAL, 0.05, 1.0, 0.15)
    decay, rate = 1.0 if mode == "mid" else 0.8, FASTER * rate if rank else rate
    return Recipe(mode, max(least, views), epochs, 32, rate, 0.05, decay, 0.15, rank)


def epochs_for(n: int) -> int:
    """20 for few images, falling to 12 from 500 on, and below that from 2,000 on; at least 4."""
    return max(4, min(20, max(12, round(6_000 / max(1, n))), round(24_000 / max(1, n))))
