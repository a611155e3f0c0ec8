"""How much is tried: three presets, each a page of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tutelage.errors import UsageError


@dataclass(frozen=True)
class Preset:
    """The numbers of one audit.

    Attributes:
        name: quick, standard or full.
        items: that are attacked.
        steps: gradients an item, of teacher-only attacks.
        budgets: which of the modality's budgets: all, or the graded one and one above.
        cuts: how many cuts beside the true one are tried, spread over the depth; 0 stands for all.
        curve_items: items at the cuts beside the true one.
        white_steps: gradients of the white-box reference.
        queries: of the Square attack.
        severities: of corruptions.
        corruptions: how many kinds; 0 stands for all.
        neurons: of the single-neuron probe.
        perceptual: items of the attack under a perceptual budget; 0 leaves it out.
        pairs: query pairs of a fingerprint.
        signs: how much is looked for backdoor signs: gradients a class; 0 leaves it out.
        indicative: whether a grade is only a range.
    """

    name: str
    items: int
    steps: int
    all_budgets: bool
    cuts: int
    curve_items: int
    white_steps: int
    queries: int
    severities: tuple[int, ...]
    corruptions: int
    neurons: int
    perceptual: int
    pairs: int
    signs: int
    indicative: bool

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return {**vars(self), "severities": list(self.severities)}


PRESETS = {
    "quick": Preset("quick", 32, 15, False, 1, 32, 10, 100, (1, 3, 5), 6, 8, 0, 8, 0, True),
    "standard": Preset(
        "standard", 200, 30, True, 4, 48, 20, 200, (1, 3, 5), 0, 24, 0, 12, 100, False
    ),
    "full": Preset(
        "full", 400, 40, True, 0, 128, 40, 500, (1, 2, 3, 4, 5), 0, 64, 64, 20, 300, False
    ),
}


def preset_named(name: str, items: int | None = None) -> Preset:
    """The preset of a name, perhaps with another number of items.

    Raises:
        UsageError: there is none of that name.
    """
    from dataclasses import replace

    if name not in PRESETS:
        raise UsageError("no-such-preset", given=f"--preset {name}", expected=", ".join(PRESETS), next="Type: --preset quick")  # fmt: skip
    found = PRESETS[name]
    if items is None:
        return found
    return replace(found, items=items, curve_items=min(items, found.curve_items))
