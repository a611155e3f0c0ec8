"""How a family of networks is tuned, and what that is known to win over a head on its frozen features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tutelage.teachers.card import Card

USUAL = 3e-4
"""AdamW's peak rate for convolutional networks."""


@dataclass(frozen=True)
class Habit:
    """What holds for a family.

    Attributes:
        rate: AdamW's peak learning rate.
        wins: kind of a cut (``late``, ``mid``, ``full``) -> share of what the frozen head gets wrong that tuning
            wins, where nothing tells how near the data is; empty where the advisor's own rule holds.
        error: standard error of the expected gain, in accuracy; 0 where the advisor's own holds.
    """

    rate: float = USUAL
    wins: Mapping[str, float] = field(default_factory=dict)
    error: float = 0.0


HABITS = {"transformers": Habit(1e-4, {"late": 0.15, "mid": 0.30, "full": 0.35}, 0.01)}
"""Source of an architecture -> its habit.

Encoders of text diverge at a convolutional network's rate (Devlin et al., NAACL 2019, take 2e-5 to 5e-5 for networks
five times as large as MiniLM). What tuning all of one wins over logistic regression on its frozen sentence vectors:
0.41 of the errors on SST-2 (Reimers and Gurevych, EMNLP 2019, table 5, against Devlin et al.), 0.65 on TREC (the same,
against Howard and Ruder, ACL 2018), 0.05 on banking77 (Casanueva et al., NLP4ConvAI 2020, table 3); half of that and
more where the first third stays frozen.
"""


def habit_of(card: Card) -> Habit:
    """The habit of the family that the teacher of a card belongs to."""
    return HABITS.get(card.architecture.partition(":")[0], Habit())
