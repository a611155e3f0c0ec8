"""Advice alone: what would be done, why, and what it would cost; written down and put on a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.errors import DataError
from tutelage.files import write_json, write_text
from tutelage.network.decision import FreezeDecision
from tutelage.report import charts
from tutelage.report.page import page
from tutelage.report.results import cost_of_stages
from tutelage.run import Run
from tutelage.training import Lesson


@dataclass(frozen=True)
class Advised:
    """What ``advise`` hands over.

    Attributes:
        decision: the cut, its reasons and the evidence.
        run: its run folder.
        results: the object that ``advise --json`` prints.
    """

    decision: FreezeDecision
    run: Path
    results: Mapping[str, Any]


def tell_advice(lesson: Lesson, decision: FreezeDecision, run: Run) -> Advised:
    """Write ``results.json`` and ``advice.html``.

    Raises:
        DataError: there is no evidence.
    """
    if not decision.facts:
        raise DataError(
            "no-evidence", given="no class has two training items", expected="at least two items of some class",
            next="Add items; until then: tutelage fit DATA --mode deep",
        )  # fmt: skip
    results = {
        "schema": 1, "run": str(run.folder), "teacher": lesson.teacher.card.name, "mode": decision.mode,
        "cut": decision.cut_json(), "because": list(decision.because),
        "expected": decision.facts["expected"], "similarity": decision.facts["similarity"],
        "table": [dict(row) for row in decision.evidence], "evidence": decision.facts["evidence"],
        "gradient_ratio": dict(decision.facts["gradient_ratio"]),
        "teachers": [dict(row) for row in lesson.chosen.table],
        "images": len(lesson.parts.train), "classes": len(lesson.classes), "engine": str(lesson.activations.engine),
        "seconds": {"total": round(sum(run.seconds.values()), 4), **{k: round(v, 4) for k, v in run.seconds.items()}},
        "warnings": list(lesson.dropped), "scores": list(decision.facts.get("scores", ())),
    }  # fmt: skip
    write_json(run.folder / "results.json", results)
    write_text(run.folder / "advice.html", _page(results, lesson))
    run.log({"done": True})
    return Advised(decision, run.folder, results)


def _page(results: Mapping[str, Any], lesson: Lesson) -> str:
    stages = cost_of_stages(lesson.teacher.card, int(results["cut"]["index"]))
    drawn = charts.depth(stages, results["evidence"]["readings"], results["expected"]["accuracy"])
    title = f"How deep to freeze {results['teacher']}"
    return page("advice.html.jinja", title, results=results, stages=stages, drawn=drawn)
