"""What each stage tells: what a linear head reads from each stage, every item judged without itself.

Ridge heads on the pooled output of one stage, or of all stages side by side, each feature on its own
scale; exact leave-one-group-out at every penalty, the best by log-loss. Middle stages that read more than
the last one mean that the teacher's last stages are about something else (Head2Toe: Evci et al.,
ICML 2022); then tuning them pays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.evaluation.metrics import wilson
from tutelage.heads import ridge
from tutelage.heads.candidate import Candidate, answerable_items, best_of, penalties
from tutelage.heads.choose import as_left_out
from tutelage.heads.coordinates import coordinates
from tutelage.heads.eigen import threads_for
from tutelage.heads.rows import ArrayRows, TrainingRows
from tutelage.heads.scaling import fit_scaling

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]

ALL = "all stages"


@dataclass(frozen=True)
class Reading:
    """One stage's head.

    Attributes:
        stage: its name, or ``all stages``.
        accuracy: left out, of ``items`` items.
        items: that could be judged.
        log_loss: of the same, in nats.
        fitted: accuracy on the items that it was fitted on.
    """

    stage: str
    accuracy: float
    items: int
    log_loss: float
    fitted: float

    @property
    def gap(self) -> float:
        """Variance gap: resubstitution minus leave-one-out accuracy."""
        return self.fitted - self.accuracy

    def row(self) -> dict[str, Any]:
        """For tables and JSON."""
        low, high = wilson(self.accuracy * self.items, self.items)
        return {**vars(self), "low": low, "high": high}


def read_stages(stages: Mapping[str, Features], facts: TrainingRows) -> tuple[Reading, ...]:
    """A reading for each stage and one for all of them.

    Args:
        stages: name -> pooled features (R, D_k), in order.
        facts: the same rows' targets, groups and weights (its own features are not looked at).
    """
    readings = [_read(name, table, facts) for name, table in stages.items()]
    return tuple(readings) if len(readings) < 2 else (*readings, _read(ALL, side_by_side(list(stages.values())), facts))  # fmt: skip


def side_by_side(tables: Sequence[Features]) -> Features:
    """All features of all stages (R, sum of D_k), each stage with the same total variance."""
    parts = []
    for table in tables:
        spread = table.std(0)
        parts.append((table - table.mean(0)) / np.where(spread > 0, spread, 1) / np.sqrt(table.shape[1]))  # fmt: skip
    return np.concatenate(parts, axis=1).astype(np.float32)


def _read(name: str, table: Features, facts: TrainingRows) -> Reading:
    found = left_out_head(table, facts, each=name != ALL)
    logits = found.head.logits(table[facts.scored])
    fitted = float((logits.argmax(1) == facts.truth[facts.scored]).mean())
    return Reading(name, float(found.correct.mean()), len(found.correct), found.log_loss, fitted)


def left_out_head(table: Features, facts: TrainingRows, *, each: bool = True) -> Candidate:
    """Ridge on a table (R, D) at its best penalty, judged on left-out items.

    Args:
        each: scale every feature by its own deviation; else all by one.
    """
    rows = TrainingRows(ArrayRows(table), facts.targets, facts.groups, facts.scored, facts.weights)
    judging, _ = as_left_out(rows)
    with threads_for(*table.shape):
        within = coordinates(judging, fit_scaling(judging.rows, judging.weights, each=each, normalise=False))  # fmt: skip
        path = ridge.path(judging, within.scaling, penalties(within), within=within)
        return best_of(path, judging.truth[judging.scored], answerable_items(judging))
