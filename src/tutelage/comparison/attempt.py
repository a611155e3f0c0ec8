"""One attempt: a fit of an arm with one seed, as its run folder tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.files import read_json
from tutelage.network.decision import Mode
from tutelage.report.items import read_items

Log = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Attempt:
    """What one fit of an arm gave.

    Attributes:
        arm: the mode that was asked for; where the guard stepped in, another one shipped.
        seed: of training.
        share: of the training items that it learned from.
        folder: of its run.
        results: its ``results.json``.
        judged: name of a test item -> whether it is right.
        log: the records of its ``log.jsonl``.
    """

    arm: Mode
    seed: int
    share: float
    folder: Path
    results: Mapping[str, Any]
    judged: Mapping[str, bool]
    log: Log

    @property
    def accuracy(self) -> float:
        """On the test items."""
        return float(self.results["test"]["accuracy"])

    @property
    def seconds(self) -> float:
        """By the clock, for all of it; of an older run, those of its phases."""
        ends = [record["at"] for record in self.log if "at" in record]
        return float(ends[-1] if ends else self.results["seconds"]["total"])

    @property
    def guarded(self) -> bool:
        """Whether tuning was thrown away and the frozen head shipped."""
        return self.arm in ("mid", "full") and self.results["mode"] == "deep"

    @property
    def stopped(self) -> str | None:
        """What the time limit cut off, as the log says it."""
        return next((str(record["stopped"]) for record in self.log if "stopped" in record), None)

    @property
    def interrupted(self) -> bool:
        """Whether it was resumed: its seconds are then those of its last part only."""
        return [record.get("phase") for record in self.log].count("split") > 1

    @property
    def cold(self) -> bool:
        """Whether it read its items itself, and did not find all features in the cache of an earlier run."""
        parts, decoded = self.results["split"], int(self.results["counters"]["decoded"])
        return bool(decoded >= parts["train"] + parts["test"])


def finished(folder: Path) -> bool:
    """Whether the fit in a run folder came to its end, with its test items judged."""
    return (folder / "results.json").exists() and bool(read_items(folder))


def read_attempt(folder: Path, arm: Mode, seed: int, share: float = 1.0) -> Attempt:
    """Read a finished run's folder."""
    results = read_json(folder / "results.json")
    return Attempt(arm, seed, share, folder, results, read_items(folder), read_log(folder))


def read_log(folder: Path) -> Log:
    """The records of a run; a last line that a kill cut off is passed over."""
    records = []
    for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records
