"""The choice between cuts: the cheapest within one standard error of the best that the budget allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.advisor.cost import Cost
from tutelage.advisor.expected import interval
from tutelage.advisor.gain import Gain


@dataclass(frozen=True)
class Option:
    """A cut with what it promises and what it costs.

    Attributes:
        cut: K.
        stage: the last frozen stage, or None.
        expected: accuracy on a test set.
        error: its standard error.
        gain: over the frozen head.
        cost: beyond the pass.
    """

    cut: int
    stage: str | None
    expected: float
    error: float
    gain: Gain
    cost: Cost

    def row(self, items: int, *, chosen: bool, why_not: str = "") -> dict[str, Any]:
        """A row of the table: what a test set of so many items is expected to show."""
        low, high = interval(self.expected, self.error, max(1, items))
        return {
            "cut": self.cut, "stage": self.stage, "expected": self.expected, "low": low, "high": high,
            **self.gain.row(), **self.cost.row(), "chosen": chosen, "why_not": why_not,
        }  # fmt: skip


def choose(options: Sequence[Option], budget: float = math.inf) -> tuple[Option, dict[int, str]]:
    """The chosen option, and for each other one why not.

    Of the options that the budget allows, the one with the largest expected gain is the best; the
    cheapest within one standard error of it is taken (Breiman et al. 1984, section 3.4.3), so that
    nothing is paid for that the evidence does not show.

    Args:
        options: the frozen head (largest cut) among them; it is always allowed.
        budget: seconds for tuning.
    """
    deepest = max(option.cut for option in options)
    allowed = [o for o in options if o.cut == deepest or o.cost.seconds <= budget]
    best = max(allowed, key=lambda o: (o.gain.mean, o.cut))
    close = [o for o in allowed if o.gain.mean >= best.gain.mean - best.gain.error]
    chosen = max(close, key=lambda o: o.cut)
    return chosen, {o.cut: _why_not(o, chosen, best, o in allowed, budget) for o in options if o is not chosen}  # fmt: skip


def _why_not(option: Option, chosen: Option, best: Option, allowed: bool, budget: float) -> str:
    more = option.gain.mean - chosen.gain.mean
    if not allowed:
        return f"about {option.cost.seconds:.0f} s do not fit into the {budget:.0f} s that are left"
    if option is best or more > 0:
        return f"{100 * more:+.1f} points expected for {option.cost.seconds:.0f} s: not more than the uncertainty of {100 * best.gain.error:.1f}"
    return f"{100 * more:+.1f} points expected"
