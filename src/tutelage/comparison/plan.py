"""The plan: which arms, which seeds, and the time that each run may take."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.comparison.attempt import Attempt
from tutelage.comparison.original import Original
from tutelage.errors import UsageError
from tutelage.network.decision import MODES, Mode

LEAST_SECONDS = 10.0
"""No derived budget is smaller: below it, starting up would decide what scratch reaches."""

SHARES = (0.25, 0.5)
"""Of the training items, for scratch's learning curve."""


@dataclass(frozen=True)
class Plan:
    """What is run.

    Attributes:
        original: the fit that is compared.
        modes: the arms, in the order deep, mid, full, scratch; the original's own is always one.
        seeds: of training; ``deep``, which has no randomness, runs with the first only.
        time_limit: seconds a run, as the user or the original's ``--time-limit`` fixed it, or None.
        curve: whether scratch also learns from a quarter and a half of the training items.
    """

    original: Original
    modes: tuple[Mode, ...]
    seeds: tuple[int, ...]
    time_limit: float | None
    curve: bool

    @property
    def transfers(self) -> tuple[Mode, ...]:
        """The arms that start from the teacher."""
        return tuple(mode for mode in self.modes if mode != "scratch")

    def seeds_of(self, mode: Mode) -> tuple[int, ...]:
        """The seeds of an arm."""
        return self.seeds[:1] if mode == "deep" else self.seeds

    def as_json(self) -> dict[str, Any]:
        """What ``args.json`` keeps; ``make_plan`` takes it back."""
        return {"modes": list(self.modes), "seeds": len(self.seeds), "seed": self.seeds[0], "time_limit": self.time_limit, "curve": self.curve}  # fmt: skip


def make_plan(original: Original, modes: Sequence[str], seeds: int, seed: int | None, time_limit: float | None, curve: bool) -> Plan:  # fmt: skip
    """The plan for what was asked.

    Raises:
        UsageError: an unknown mode, no seed, or a curve without scratch.
    """
    unknown = [mode for mode in modes if mode not in MODES]
    if unknown or not modes:
        near = [difflib.get_close_matches(mode, MODES, 1, 0.4)[:1] for mode in unknown]
        meant = ",".join(dict.fromkeys([*(m for m in modes if m in MODES), *(n[0] for n in near if n)]))  # fmt: skip
        raise UsageError(
            "no-such-mode", given=f"--modes {','.join(modes) or '(empty)'}", expected="some of deep,mid,full,scratch",
            next=f"Try: --modes {meant or 'deep,mid,full,scratch'}",
        )  # fmt: skip
    if seeds < 1:
        raise UsageError("no-seed", given=f"--seeds {seeds}", expected="at least 1", next="Type: --seeds 3")  # fmt: skip
    if curve and "scratch" not in modes:
        raise UsageError(
            "contradiction", given="--curve without the arm scratch, whose curve it is", expected="scratch among the modes",
            next=f"Type: --modes {','.join(modes)},scratch --curve",
        )  # fmt: skip
    wanted = tuple(mode for mode in MODES if mode in modes or mode == original.mode)
    first = original.options.seed if seed is None else seed
    limit = original.options.time_limit if time_limit is None else time_limit
    return Plan(original, wanted, tuple(range(first, first + seeds)), limit, curve)


def budget(plan: Plan, transfers: Sequence[Attempt]) -> tuple[float, str]:
    """Seconds that each run of scratch may take, and why: as much as the dearest transfer run took."""
    if plan.time_limit is not None:
        return plan.time_limit, f"every run, scratch's too, had the time limit of {plan.time_limit:g} s"  # fmt: skip
    spent = [attempt.seconds for attempt in transfers]
    if plan.original.mode != "scratch":
        spent.append(float(plan.original.results["seconds"]["total"]))
    longest = max(spent, default=0.0)
    if longest < LEAST_SECONDS:
        return LEAST_SECONDS, f"each run of scratch had {LEAST_SECONDS:g} s; the dearest transfer run took {longest:.1f} s"  # fmt: skip
    return longest, f"each run of scratch had {longest:.1f} s, as much as the dearest transfer run took"  # fmt: skip
