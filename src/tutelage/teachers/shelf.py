"""What teachers there are and what is known of each: for ``tutelage teachers``, without PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tutelage.modality import Modality
from tutelage.teachers.card import Card
from tutelage.teachers.catalogue import Entry, search
from tutelage.teachers.embedded import EMBEDDED
from tutelage.teachers.forms import kind_of
from tutelage.teachers.kept import kept_cards
from tutelage.teachers.minilm import FETCHED
from tutelage.teachers.published import Line


@dataclass(frozen=True)
class Row:
    """One teacher, as a table shows it.

    Attributes:
        name: what ``--teacher`` takes.
        parameters: scalars, the old classifier among them.
        gmacs: thousand million multiply-accumulates an image, at ``size`` pixels; None if unknown.
        top1: published accuracy on ImageNet-1k in percent, and ``top1_source`` who says so.
        cached: whether it is on this machine, ready to be used offline.
        modality: what it looks at.
    """

    name: str
    source: str
    licence: str
    parameters: int
    gmacs: float | None
    size: int
    top1: float | None
    top1_source: str
    cached: bool
    modality: str = "images"

    def as_json(self) -> dict[str, Any]:
        """A row of ``teachers --json``."""
        plain = {k: v for k, v in vars(self).items() if k != "size"}
        return {**plain, "input": self.size}


def shelf(*, max_gmacs: float | None = None, licence: str | None = None, text: str | None = None, cached: bool = False, modality: Modality | None = None) -> list[Row]:  # fmt: skip
    """Teachers that fit some wishes: embedded ones, the catalogue, and what else is kept here.

    Args:
        max_gmacs: at most so much work an image.
        licence: only of this one, e.g. ``apache-2.0``.
        text: a part of the name.
        cached: only those on this machine.
        modality: only those that look at such data.
    """
    here = {card.name: card for card in kept_cards()}
    rows = list(_embedded(here))
    known = {row.name for row in rows}
    rows += [_of_entry(entry, entry.name in here) for entry in search() if entry.name not in known]
    known |= {row.name for row in rows}
    rows += [_of_card(card, True) for name, card in here.items() if name not in known]
    kind = modality.family if modality else None
    return [
        row
        for row in rows
        if _fits(row, max_gmacs, licence, text, cached) and kind in (None, row.modality)
    ]


def _embedded(here: dict[str, Card]) -> Iterator[Row]:
    """Embedded and fetched teachers; what is not known of one before its first use, its published twin tells."""
    for name, fetched in FETCHED.items():
        yield _of_card(here.get(name, fetched(Line()).facts), name in here)
    for name, origin in EMBEDDED.items():
        facts = origin().facts
        row = _of_card(here.get(name, facts), True)
        twin = next(iter(search(text=facts.architecture)), None)
        yield row if twin is None else replace(row, parameters=twin.parameters, gmacs=twin.gmacs)


def _of_card(card: Card, cached: bool) -> Row:
    gmacs = card.macs / 1e9 if card.stages else None
    return Row(
        card.name, card.source, card.licence, card.parameters, gmacs, card.spec.size,
        card.top1, card.top1_source, cached, kind_of(card),
    )  # fmt: skip


def _of_entry(entry: Entry, cached: bool) -> Row:
    return Row(
        entry.name, entry.source, entry.licence or "not stated", entry.parameters, entry.gmacs,
        entry.spec.size, entry.top1, entry.top1_source, cached,
    )  # fmt: skip


def _fits(row: Row, max_gmacs: float | None, licence: str | None, text: str | None, cached: bool) -> bool:  # fmt: skip
    return (
        (max_gmacs is None or (row.gmacs is not None and row.gmacs <= max_gmacs))
        and (licence is None or row.licence.lower() == licence.lower())
        and (text is None or text.lower() in row.name.lower())
        and (row.cached or not cached)
    )
