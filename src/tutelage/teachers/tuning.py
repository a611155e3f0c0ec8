"""At which rate a family of networks is tuned."""

from __future__ import annotations

from tutelage.teachers.card import Card

RATES = {"transformers": 1e-4}
"""Source of an architecture -> AdamW's peak rate; encoders of text diverge at a convolutional network's (Devlin et
al., NAACL 2019, take 2e-5 to 5e-5 for networks five times as large)."""

USUAL = 3e-4


def tuning_rate(card: Card) -> float:
    """AdamW's peak rate for the teacher of a card."""
    return RATES.get(card.architecture.partition(":")[0], USUAL)
