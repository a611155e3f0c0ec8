"""Transferability scores as columns, for those who want them; the decision does not look at them."""

from __future__ import annotations

from typing import Any

from tutelage.advisor.evidence import looked_at, stage_features
from tutelage.advisor.hscore import hscore
from tutelage.advisor.logme import logme
from tutelage.advisor.nleep import nleep
from tutelage.training.lesson import Lesson


def stage_scores(lesson: Lesson) -> list[dict[str, Any]]:
    """LogME, NLEEP and H-score (shrunk) of each tapped stage."""
    indices = looked_at(lesson)
    truth = lesson.truth(indices)
    return [
        {"stage": name, "logme": logme(table, truth), "nleep": nleep(table, truth), "hscore": hscore(table, truth)}
        for name, table in stage_features(lesson, indices).items()
    ]  # fmt: skip
