"""What a user may fix about a fit; everything else follows by rule. Written to ``args.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tutelage.data import Checked, Parts
from tutelage.errors import DataError, UsageError
from tutelage.features.choice import named
from tutelage.run import Run
from tutelage.teachers import Asked
from tutelage.teachers.permission import require_named

RANK = 8
"""Width of LoRA's narrow maps."""

FINISH = 0.12
"""Share of a time limit that is kept to save, to report, and to be late in."""


@dataclass(frozen=True)
class FitOptions:
    """The dials of ``fit``.

    Attributes:
        teacher: name; ``auto`` is the embedded teacher. It, ``weights``, ``arch``, ``card``,
            ``allow_licence`` and ``channels`` are what ``teachers.Asked`` says.
        teachers: several to measure and choose from, ``auto`` or names with commas between; see
            ``advisor.shortlist``.
        freeze: ``auto``, ``all``, ``none``, a number of stages, or a stage's name.
        mode: deep, mid, full, scratch, or None.
        seed: of training only.
        split_seed: of the split only.
        test: another source whose items are the test part.
        companion: another source whose items only teach (``--with``); copies of the test stay out.
        channels: of an image, 3 for RGB pictures.
        group_by: a table's column, or a regex whose first group names the group of a path.
        test_share: share of the groups that test, where the source has no parts of its own.
        per_class_train: take this many items a class to train on, the rest to test on.
        train_share: of the training items of each class, the rest is set aside; the test stays.
        time_limit: seconds for the whole fit, or None.
        device: ``auto``, ``cpu``, ``cuda``, ...
        engine: what runs the frozen stages: ``auto``, or one of ``features.choice.NAMES``.
        near_duplicates: look for near-copies, which a split must not tear apart; exact ones are always found.
        keep_classes: the student still knows its teacher's classes; its layers then stay frozen.
        lora: tune narrow maps beside the tail's linear ones instead of these (see ``training.lora``).
        strict: stop at a leak between the parts instead of leaving its items out.
    """

    teacher: str = "auto"
    freeze: str = "auto"
    mode: str | None = None
    seed: int = 0
    split_seed: int = 0
    test: str | None = None
    group_by: str | None = None
    test_share: float = 0.2
    per_class_train: int | None = None
    time_limit: float | None = None
    device: str = "auto"
    strict: bool = False
    companion: str | None = None
    channels: int = 3
    weights: str | None = None
    arch: str | None = None
    card: str | None = None
    allow_licence: bool = False
    keep_classes: bool = False
    train_share: float = 1.0
    teachers: str | None = None
    engine: str = "auto"
    near_duplicates: bool = True
    lora: bool = False

    @property
    def asked(self) -> Asked:
        """What is fixed about the teacher."""
        return Asked(self.teacher, self.weights, self.arch, self.card, self.allow_licence, self.channels)  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, and an engine that there is not."""
        if self.engine != "auto":
            named(self.engine, "cpu")
        if self.lora and (self.mode in ("deep", "scratch") or self.freeze == "all"):
            raise UsageError(
                "contradiction", given=f"--lora with --mode {self.mode or 'deep'}: no pretrained tail is tuned", expected="mode mid or full, or neither",
                next="Leave out one of the two.",
            )  # fmt: skip
        tunes = self.mode not in (None, "deep") or self.freeze not in ("auto", "all")
        if self.keep_classes and tunes:
            raise UsageError(
                "contradiction", given=f"--keep-classes with --mode {self.mode or self.freeze}: tuned layers forget the teacher's classes",
                expected="frozen layers", next="Leave out --mode and --freeze (deep is then taken), or leave out --keep-classes.",
            )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary; ``FitOptions(**value)`` is its inverse."""
        return asdict(self)

    def deadline(self, run: Run) -> float:
        """When the work must have ended, on the clock of ``time.monotonic``; some is kept to finish in."""
        return math.inf if self.time_limit is None else run.started + (1 - FINISH) * self.time_limit


def read_options(told: Mapping[str, Any]) -> FitOptions:
    """Options as a run's ``args.json`` has them; see ``teachers.permission``.

    Raises:
        UsageError: they name code that nobody named on this machine.
    """
    require_named(told.get("teacher"), told.get("teachers"))
    return FitOptions(**told)


def require(options: FitOptions, checked: Checked, parts: Parts) -> None:
    """What ``--strict`` refuses.

    Raises:
        DataError: items of the training part are also in the test part.
    """
    leaks = [f for f in (*checked.findings, *parts.findings) if f.kind == "leak"]
    if options.strict and leaks:
        named = ", ".join(name for finding in leaks[:5] for name in finding.where)
        raise DataError(
            "leak", given=f"{len(leaks)} training items are also in the test part: {named}",
            expected="parts without a common item", next="Remove them, or leave out --strict: they are then left out of training.",
        )  # fmt: skip
