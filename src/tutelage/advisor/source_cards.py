"""Source cards: what a teacher's measures are on data of its own, so that others can be held against it.

``source_cards.json`` is written by ``tools/source_cards.py``. It holds means and quantiles over many
draws of n images, and nothing of any one image.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from tutelage.modality import InputSpec
from tutelage.teachers import Card

LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Of the quantiles."""

PREPARED = ("mean", "std", "interpolation", "padding", "channels")
"""What must be the same in two InputSpecs for their figures to be of one kind; size is looked up."""


@dataclass(frozen=True)
class Spread:
    """How a figure is spread over draws of n images: its quantiles are at ``LEVELS``."""

    mean: float
    sd: float
    quantiles: tuple[float, ...]

    def share_below(self, value: float) -> float:
        """Share of the draws whose figure is smaller, 0.01..0.99: no more is known beyond the quantiles."""
        return float(np.interp(value, self.quantiles, LEVELS))


@dataclass(frozen=True)
class Reference:
    """What n images of the teacher's own domain show, at one input size.

    Attributes:
        shift: batch-norm shift, the mean over layers, in nats; None for a teacher without batch norm.
        layers: mean batch-norm shift of each layer.
        sureness: see ``SourceCard.sureness``, the mean over the images.
    """

    shift: Spread | None
    layers: Mapping[str, float]
    sureness: Spread


@dataclass(frozen=True)
class SourceCard:
    """A teacher's figures at one input size.

    Attributes:
        domain: what its data is called, e.g. ``ImageNet-1k``.
        size: of the input in pixels; the known one that is nearest.
        energy, max_probability: (mean, sd) over single images.
        draws: n -> what n images show.
    """

    domain: str
    size: int
    energy: tuple[float, float]
    max_probability: tuple[float, float]
    draws: Mapping[int, Reference]

    def z_scores(self, energy: float, max_probability: float) -> tuple[float, float]:
        """Two means as distances from the domain's, in standard deviations of its images."""
        (e, e_sd), (p, p_sd) = self.energy, self.max_probability
        return (energy - e) / e_sd, (max_probability - p) / p_sd

    def sureness(self, energy: float, max_probability: float) -> float:
        """The mean of both z-scores: below 0, the classifier is less sure than of its own images."""
        return sum(self.z_scores(energy, max_probability)) / 2

    def of(self, n: int) -> Reference:
        """What n images show: between two known n, linear in 1/n, as the bias of a shift is."""
        known = sorted(self.draws)
        low = max((k for k in known if k <= n), default=known[0])
        high = min((k for k in known if k >= n), default=known[-1])
        if low >= high:
            return self.draws[low]
        share = (1 / low - 1 / n) / (1 / low - 1 / high)
        return _between(self.draws[low], self.draws[high], share)


def source_card(card: Card, spec: InputSpec) -> SourceCard | None:
    """The source card of a teacher at the known input size nearest to the spec's, or None.

    None is also the answer where the spec prepares inputs in another way than the source card's images
    were: a network sees another world through another mean, padding or number of channels.
    """
    entry = _entries()["cards"].get(card.digest)
    if entry is None:
        return None
    mine, its = spec.as_json(), entry["spec"]
    if any(mine[name] != its[name] for name in PREPARED):
        return None
    return _at(entry, spec.size)


def usual_shift(items: int, share: float) -> float | None:
    """The batch-norm shift of a teacher's own data as it usually is: the mean over all known teachers.

    For a teacher without a source card. Own data moves batch norms little, and most of that is the small
    sample (which is the same for all) and, where it applies, the smaller input.

    Args:
        items: n, the size of the sample.
        share: input size as a share of the teacher's own.
    """
    cards = [_at(entry, share * entry["size"]) for entry in _entries()["cards"].values()]
    known = [shift.mean for card in cards if (shift := card.of(items).shift) is not None]
    return float(np.mean(known)) if known else None


def _at(entry: Mapping[str, Any], size: float) -> SourceCard:
    """At the known size that is nearest."""
    nearest = min(map(int, entry["sizes"]), key=lambda known: (abs(known - size), known))
    return _card(entry["domain"], nearest, entry["sizes"][str(nearest)])


@lru_cache(maxsize=1)
def _entries() -> dict[str, Any]:
    text = resources.files("tutelage.advisor").joinpath("source_cards.json").read_text("utf-8")
    entries: dict[str, Any] = json.loads(text)
    return entries


def _card(domain: str, size: int, figures: Mapping[str, Any]) -> SourceCard:
    draws = {int(n): _reference(drawn) for n, drawn in figures["draws"].items()}
    energy, top = figures["energy"], figures["max_probability"]
    return SourceCard(domain, size, (energy["mean"], energy["sd"]), (top["mean"], top["sd"]), draws)


def _reference(drawn: Mapping[str, Any]) -> Reference:
    shift = drawn.get("shift")
    return Reference(_spread(shift) if shift else None, drawn.get("layers", {}), _spread(drawn["sureness"]))  # fmt: skip


def _spread(figures: Mapping[str, Any]) -> Spread:
    return Spread(figures["mean"], figures["sd"], tuple(figures["quantiles"]))


def _between(low: Reference, high: Reference, share: float) -> Reference:
    def mixed(a: float, b: float) -> float:
        return (1 - share) * a + share * b

    def spread(a: Spread, b: Spread) -> Spread:
        pairs = zip(a.quantiles, b.quantiles, strict=True)
        return Spread(
            mixed(a.mean, b.mean), mixed(a.sd, b.sd), tuple(mixed(*pair) for pair in pairs)
        )

    layers = {name: mixed(value, high.layers[name]) for name, value in low.layers.items()}
    shift = spread(low.shift, high.shift) if low.shift and high.shift else None
    return Reference(shift, layers, spread(low.sureness, high.sureness))
