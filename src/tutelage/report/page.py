"""One self-contained page that tells the story of a run: data and a template, nothing else.

The same results and pictures always give the same page. It opens offline and sends nothing anywhere: its policy
allows pictures that are in it and its own style, by hash, and no script at all.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from tutelage.report import charts
from tutelage.report.audit_charts import audit_charts, harden_charts
from tutelage.report.cases import named
from tutelage.report.ledger import as_rows
from tutelage.report.lineage import environment
from tutelage.report.thumbnails import Pictures
from tutelage.report.view_charts import along_depth

CELL = 12
"""Pictures behind a cell of the confusion matrix."""

MATRIX = 16
"""Classes up to which the whole matrix is shown; of more the most mixed pairs are."""

PAIRS = 20

TOLD_FIRST = 4
"""Warnings that are seen without unfolding the rest."""


def page(template: str, title: str, **told: Any) -> str:
    """A page of this room, by the name of its template; texts are escaped.

    Args:
        title: of the document.
        told: what the template names.
    """
    style = files("tutelage.report").joinpath("templates", "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return environment().get_template(template).render(title=title, style=style, policy=policy, **told)  # fmt: skip


def render(results: Mapping[str, Any], pictures: Pictures, beside: Mapping[str, Any] = {}) -> str:
    """The page of a fit as HTML.

    Args:
        results: what ``fit --json`` tells.
        pictures: of the items that it names.
        beside: other runs about the same student, by verb: ``{"results", "pictures"}`` each.
    """
    metrics, evidence = results["metrics"], (results["advice"] or {}).get("evidence")
    mixed = _mixed(results)
    return page(
        "report.html.jinja", f"{results['teacher']} taught {len(results['classes'])} classes",
        results=results, pictures=pictures, beside=beside, short=_short(results), told_first=TOLD_FIRST, verdict=verdict(results), evidence=evidence, mixed=mixed,
        matrix=_matrix(metrics, mixed) if metrics else None, cost=as_rows(results["cost"]) if results["cost"] else (),
        drawn={
            "depth": _depth(results, evidence), "timeline": _timeline(results),
            "reliability": charts.reliability(metrics["reliability"], metrics["ece"]) if metrics else None,
            "coverage": charts.coverage(metrics["coverage"]) if metrics else None,
            "arms": _arms(beside.get("compare")),
            "atlas": along_depth(beside["view"]["results"]) if beside.get("view") else None,
        },
        charts={**_of(beside, "audit", audit_charts), **_of(beside, "harden", harden_charts)}, sections=_sections(results, beside),
    )  # fmt: skip


def verdict(results: Mapping[str, Any]) -> str:
    """The run in a sentence.

    Example:
        >>> verdict({"test": {"low": 0.861, "high": 0.899}})
        'Of 100 new ones like these, expect 86 to 90 to be told right.'
    """
    test = results["test"]
    if test is None:
        return "How good it is on new data is not known: there was no test part."
    low, high = math.floor(100 * test["low"]), math.ceil(100 * test["high"])
    return f"Of 100 new ones like these, expect {low} to {high} to be told right."


def _short(results: Mapping[str, Any]) -> Callable[[str], str]:
    """Names without the folders that all of them share."""
    names = named(results)
    folders = [name.split("/")[:-1] for name in names]
    shared = 0
    while folders and all(len(f) > shared and f[shared] == folders[0][shared] for f in folders):
        shared += 1
    return lambda name: "/".join(name.split("/")[shared:]) or name


def _depth(results: Mapping[str, Any], evidence: Mapping[str, Any] | None) -> Any:
    chosen = [row["expected"] for row in results["evidence"] if row["chosen"]]
    return charts.depth(results["stages"], evidence["readings"], chosen[0] if chosen else None) if evidence else None  # fmt: skip


def _timeline(results: Mapping[str, Any]) -> Any:
    spent = {name: s for name, s in results["seconds"].items() if name != "total"}
    return charts.timeline(spent) if any(spent.values()) else None


def _arms(compared: Mapping[str, Any] | None) -> Any:
    return charts.intervals(arms(compared["results"]), "Accuracy of each arm") if compared else None


def arms(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The arms of a comparison, as ``charts.intervals`` wants them."""
    return [
        {**arm, "name": arm["mode"], "control": arm["mode"] == "scratch",
         "runs": [run["accuracy"] for run in arm["runs"]] if arm["seeds"] > 1 else []}
        for arm in told["arms"]
    ]  # fmt: skip


def _mixed(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Wrong answers by what they are and what they were taken for, the most frequent pair first."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in (results.get("cases") or {}).get("wrong", ()):
        groups.setdefault((row["label"], row["told"]), []).append(row)
    listed = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [
        {"id": f"mixed-{at}", "label": label, "told": told, "count": len(rows), "rows": rows[:CELL]}
        for at, ((label, told), rows) in enumerate(listed[:PAIRS])
    ]  # fmt: skip


def _matrix(metrics: Mapping[str, Any], mixed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The confusion matrix with a link where pictures are behind a cell; ``rows`` is empty for many classes."""
    names, links = list(metrics["per_class"]), {(m["label"], m["told"]): m["id"] for m in mixed}
    whole = metrics["confusion"] if len(names) <= MATRIX else []
    rows = [
        {"label": names[t], "cells": [_cell(count, sum(row), t == p, links.get((names[t], names[p]))) for p, count in enumerate(row)]}
        for t, row in enumerate(whole) if sum(row)
    ]  # fmt: skip
    return {"names": names, "rows": rows}


def _cell(count: int, of: int, right: bool, link: str | None) -> dict[str, Any]:
    """Four depths of colour by the share of the row, so that no style attribute is needed."""
    share = count / of
    depth = 0 if not count else 1 if share < 0.1 else 2 if share < 0.5 else 3
    return {"count": count, "class": f"{'right' if right else 'wrong'}-{depth}", "link": link}


def _of(beside: Mapping[str, Any], verb: str, draw: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Mapping[str, Any]:  # fmt: skip
    return draw(beside[verb]["results"]) if verb in beside else {}


def _sections(results: Mapping[str, Any], beside: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the page has, for its table of contents."""
    told = results.get("cases") or {}
    listed = [
        ("depth", "How deep", True), ("classes", "Class by class", results["metrics"]),
        ("cases", "Hard cases", told.get("wrong") or told.get("hard")), ("labels", "Labels to check", told.get("suspects")),
        ("trust", "Trust", results["metrics"]), ("findings", "Data", True), ("compare", "Against scratch", True),
        ("atlas", "What it sees", beside.get("view")), ("audit", "Weaknesses", True), ("harden", "Hardened", beside.get("harden")), ("cost", "Cost", True), ("lineage", "Lineage", True),
    ]  # fmt: skip
    return [(name, title) for name, title, there in listed if there]
