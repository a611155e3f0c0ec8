"""Where to cut, in the user's words and ours, and why. No PyTorch in here.

A cut is K = the number of frozen stages, 0..L. deep <=> K = L, mid <=> 0 < K < L, full <=> K = 0;
scratch has no cut.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tutelage.errors import UsageError

Mode = Literal["deep", "mid", "full", "scratch"]
MODES: tuple[Mode, ...] = ("deep", "mid", "full", "scratch")


@dataclass(frozen=True)
class FreezeDecision:
    """The chosen cut with its receipt.

    Attributes:
        mode: deep, mid, full or scratch.
        cut: number of frozen stages, 0..L; None for scratch.
        stages: names of all L stages, in order.
        because: sentences that say why.
        evidence: rows that were weighed, one per cut in contention.
        asked: whether the user fixed it (then nothing was weighed).
        facts: what the choice rests on: expected accuracy, similarity, evidence.
        prior: expected gain of tuning and its standard deviation, in accuracy, for the guard; None
            where nothing was expected.
    """

    mode: Mode
    cut: int | None
    stages: tuple[str, ...]
    because: tuple[str, ...]
    evidence: tuple[Mapping[str, Any], ...] = field(default=())
    asked: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    prior: tuple[float, float] | None = None

    @property
    def frozen(self) -> int:
        """Number of frozen stages; 0 for scratch, which freezes nothing."""
        return self.cut or 0

    @property
    def stage(self) -> str | None:
        """Name of the last frozen stage."""
        return self.stages[self.cut - 1] if self.cut else None

    def cut_json(self) -> dict[str, Any] | None:
        """``{"index": K, "stage": name or null}``; None for scratch."""
        return None if self.cut is None else {"index": self.cut, "stage": self.stage}


def mode_of(cut: int, length: int) -> Mode:
    """The mode that a cut K of L stages is."""
    return "full" if cut == 0 else "deep" if cut == length else "mid"


def parse_freeze(text: str, stages: Sequence[str]) -> int:
    """``all``, ``none``, a number of stages, or the name of the last stage to freeze -> K.

    Raises:
        UsageError: nothing of that name; the nearest names are suggested.
    """
    length = len(stages)
    if text in ("all", "none"):
        return length if text == "all" else 0
    if text.isdigit():
        if int(text) <= length:
            return int(text)
        raise UsageError(
            "no-such-cut", given=f"--freeze {text}", expected=f"a number from 0 to {length}",
            next=f"Use --freeze all to freeze all {length} stages.",
        )  # fmt: skip
    if text in stages:
        return list(stages).index(text) + 1
    near = difflib.get_close_matches(text, stages, 1)
    raise UsageError(
        "no-such-stage", given=f"--freeze {text}", next=f"Try: --freeze {near[0] if near else 'auto'}",
        expected="auto, all, none, a number of stages, or one of " + ", ".join(stages),
    )  # fmt: skip


def asked_cut(
    freeze: str, mode: str | None, stages: Sequence[str]
) -> tuple[Mode, int | None] | None:
    """What the user fixed with ``--freeze`` and ``--mode``; None leaves it to the advisor.

    ``--mode mid`` alone leaves the interior cut to the advisor: it returns ``("mid", None)``.

    Raises:
        UsageError: the two contradict each other; both corrected commands are printed.
    """
    if mode is not None and mode not in MODES:
        near = difflib.get_close_matches(mode, MODES, 1)
        raise UsageError(
            "no-such-mode", given=f"--mode {mode}", expected="deep, mid, full or scratch",
            next=f"Try: --mode {near[0] if near else 'deep'}",
        )  # fmt: skip
    if freeze == "auto":
        fixed: dict[str, tuple[Mode, int | None]] = {
            "deep": ("deep", len(stages)), "full": ("full", 0),
            "mid": ("mid", None), "scratch": ("scratch", None),
        }  # fmt: skip
        return fixed[mode] if mode else None
    cut = parse_freeze(freeze, stages)
    implied = mode_of(cut, len(stages))
    if mode in (None, implied):
        return implied, cut
    raise UsageError(
        "contradiction", given=f"--mode {mode} with --freeze {freeze}, which is mode {implied}",
        expected="one of the two, or two that agree", next=f"Type --mode {mode} or --freeze {freeze}.",
    )  # fmt: skip
