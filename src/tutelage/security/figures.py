"""The figures: rows, gap, ratio, curve, grade; everything that ``audit --json`` tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from tutelage.evaluation.compare import paired_difference
from tutelage.evaluation.metrics import wilson
from tutelage.security.grade import GAP, GENERIC, GRADES, grade, rule
from tutelage.security.inquiry import Inquiry
from tutelage.security.reference import Reference
from tutelage.security.rows import THREATS, Row, worst
from tutelage.security.selftests import SelfTest, self_tests, strongest

FIRM = 100
"""Attacked items from which a grade is more than a range."""

OWASP = {
    "ML07": "transfer learning attack: rows T0 to T2",
    "ML10": "model poisoning: provenance, backdoor signs",
}


@dataclass(frozen=True)
class Findings:
    """What an audit found, before it is told.

    Attributes:
        teacher: rows T0 and T1.
        controls: rows of controls.
        reference: rows T3 and their evidence.
        accidents: rows of corruptions.
        labels: rows T2 and their control.
        beside: rows of the same crafted sets on another student.
        parts: sections of their own: inheritance, junk, provenance, fingerprints, backdoor.
    """

    teacher: Sequence[Row]
    controls: Sequence[Row]
    reference: Reference
    accidents: Sequence[Row]
    labels: Sequence[Row] = ()
    beside: Sequence[Row] = ()
    parts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> list[Row]:
        """All of them, in the order of the ladder."""
        return [
            *self.teacher,
            *self.labels,
            *self.controls,
            *self.beside,
            *self.reference.rows,
            *self.accidents,
        ]


def figures(inquiry: Inquiry, found: Findings) -> dict[str, Any]:
    """What ``audit --json`` tells, but for the seconds."""
    graded = inquiry.perturb.graded
    tests = self_tests(found.reference.evidence)
    gap, ratio = _gap(found, graded), _ratio(found, graded)
    student, card = inquiry.subject.student, inquiry.subject.teacher.card
    right = int(inquiry.right.sum())
    low, high = wilson(right, len(inquiry.items))
    return {
        "schema": 1, "student_digest": student.digest, "teacher_digest": card.digest, "teacher": card.name,
        "teacher_known": inquiry.subject.told, "mode": student.facts.mode,
        "cut": None if student.facts.cut is None else {"index": student.facts.cut, "stage": card.names[student.facts.cut - 1] if student.facts.cut else None},
        "stages": list(card.names), "reads": list(student.facts.reads), "preset": inquiry.preset.name, "seed": inquiry.seed,
        "items": {"attacked": right, "of": len(inquiry.items), "accuracy": right / max(1, len(inquiry.items)), "low": low, "high": high},
        "unit": inquiry.perturb.unit, "graded_budget": graded, "headline_cut": inquiry.headline,
        **_graded(inquiry, found, gap, tests),
        "rows": [row.as_json() for row in found.rows], "gap": gap, "ratio": ratio, "half_budget": _half(found.teacher),
        "curve": _curve(inquiry, found), "control": {"teacher": inquiry.control.teacher.card.name, "because": inquiry.control.because},
        "self_tests": [t.as_json() for t in tests], "threats": THREATS, "owasp": OWASP, **found.parts,
    }  # fmt: skip


def _gap(found: Findings, graded: float) -> dict[str, Any] | None:
    """Teacher-crafted minus control-crafted untargeted success, in points, paired by item."""
    own = worst(found.teacher, targeted=False, budget=graded)
    others = [r for r in found.controls if not r.targeted and r.budget == graded and len(r.fooled)]
    if own is None or not others:
        return None
    many = min(len(own.fooled), *(len(r.fooled) for r in others))  # all rows are of the first items
    control = max(others, key=lambda r: float(r.fooled[:many].mean()))
    mine, theirs = own.fooled[:many], control.fooled[:many]
    _, low, high = paired_difference(mine > 0.5, theirs > 0.5)
    return {
        "points": 100 * float(mine.mean() - theirs.mean()), "low": 100 * low, "high": 100 * high, "n": many,
        "attack": own.attack, "control": control.attack,
    }  # fmt: skip


def _ratio(found: Findings, graded: float) -> float | None:
    """Teacher-only over white-box untargeted success at the graded budget, on the same items."""
    evidence = found.reference.evidence
    white = strongest(found.reference.rows, graded)
    return None if white <= 0 or not evidence.count else evidence.teacher / white


def _half(rows: Sequence[Row]) -> dict[str, Any] | None:
    """The budget at which a copy fools half of the items, between measured budgets; None outside them."""
    line = sorted((r for r in rows if r.attack == "copy" and not r.targeted and r.measure == "linf" and len(r.fooled)), key=lambda r: r.budget)  # fmt: skip
    first_cut = [r for r in line if r.cut == line[0].cut]
    for low, high in pairwise(first_cut):
        if low.success < 0.5 <= high.success:
            share = (0.5 - low.success) / (high.success - low.success)
            return {"budget": low.budget + share * (high.budget - low.budget), "attack": "copy"}
    return None


def _curve(inquiry: Inquiry, found: Findings) -> list[dict[str, Any]]:
    """Copies at the graded budget, cut by cut, on the items that every cut was tried on; the true cut marked."""
    rows = [r for r in found.teacher if r.attack == "copy" and r.budget == inquiry.perturb.graded and r.measure == "linf"]  # fmt: skip
    many = min((len(r.fooled) for r in rows), default=0)
    told: dict[int, dict[str, Any]] = {}
    for row in rows:
        share = float(row.fooled[:many].mean()) if many else 0.0
        low, high = wilson(share * many, many)
        place = told.setdefault(row.cut or 0, {"cut": row.cut, "stage": inquiry.subject.teacher.card.names[(row.cut or 1) - 1], "n": many, "true": row.cut == inquiry.subject.true_cut})  # fmt: skip
        place["targeted" if row.targeted else "untargeted"] = {"success": share, "low": low, "high": high}  # fmt: skip
    return [told[cut] for cut in sorted(told)]


def _graded(inquiry: Inquiry, found: Findings, gap: Mapping[str, Any] | None, tests: Sequence[SelfTest]) -> dict[str, Any]:  # fmt: skip
    """The grade with its rule, or none with the tests that failed; a quick audit, or one of few items, gives a range."""
    budget = inquiry.perturb.graded
    rates = [worst(found.teacher, targeted=t, budget=budget) for t in (True, False)]
    bounds = np.array([(0.0, 0.0) if r is None else r.interval for r in rates])
    (low_t, low_u), (high_t, high_u) = bounds.T.tolist()
    best = grade(low_t, low_u, None if gap is None else float(gap["high"]) / 100)
    bad = grade(high_t, high_u, None)
    seen = [0.0 if r is None else r.success for r in rates]
    failed = [t.name for t in tests if not t.passed]
    told: dict[str, Any] = {
        "grade": None if failed else best.grade, "indicative": inquiry.preset.indicative or int(inquiry.right.sum()) < FIRM,
        "grade_range": None if failed else [best.grade, bad.grade], "grade_rule": rule(inquiry.perturb.unit, budget),
        "because": [f"no grade: {name} does not hold" for name in failed] or [f"teacher-only success is {seen[0]:.0%} targeted and {seen[1]:.0%} untargeted", *best.because], "refused": failed,
    }  # fmt: skip
    return told


def verdict(told: Mapping[str, Any]) -> list[str]:
    """The audit in sentences, the most important first."""
    lines = [_headline(told)]
    gap, ratio = told["gap"], told["ratio"]
    if gap is not None:
        lines.append(f"Inheritance gap {gap['points']:+.0f} points (95 % interval {gap['low']:+.0f} to {gap['high']:+.0f}): {_blame(gap)}.")  # fmt: skip
    if ratio is not None:
        lines.append(f"Somebody with the teacher alone achieves {ratio:.0%} of what a white-box attack on the student does.")  # fmt: skip
    lines += _by_labels(told["rows"])
    junk = told.get("junk")
    if junk and junk["sure"]:
        lines.append(f"Of {junk['made']} junk inputs made from single neurons the student is sure about {junk['sure']}, and its reject rule catches {junk['rejected']}.")  # fmt: skip
    turned = told.get("abstention")
    if turned and turned["crafted"] is not None:
        lines.append(f"Of {turned['fooled']} crafted items that fooled it the reject rule turns {turned['crafted']:.0%} away, and {turned['clean']:.0%} of harmless ones; looking again after mild changes turns {turned['second_look']['crafted']:.0%} and {turned['second_look']['clean']:.0%} away. No grade counts on that.")  # fmt: skip
    scan = told.get("backdoor")
    if scan and scan["signs"]:
        lines.append(scan["told"])
    lines += [f"Files: {finding}." for finding in told.get("provenance", {}).get("findings", [])]
    return lines


def _blame(gap: Mapping[str, Any]) -> str:
    if gap["low"] > 0 and gap["points"] >= 100 * GAP:
        return "what is weak here is inherited from the teacher"
    if gap["high"] < 100 * GENERIC:
        return "what is weak here is not the teacher's: a control does about as well"
    return f"{gap['n']} items are too few to tell whether what is weak here is the teacher's"


def _by_labels(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a few labels are worth to the adversary, beside as many random changes."""
    asked = next((r for r in rows if r["threat"] == "T2" and not r["targeted"]), None)
    chance = next((r for r in rows if asked and r["attack"] == f"noise, {asked['attack']}"), None)
    if asked is None or chance is None:
        return []
    return [f"Who may also ask for a few labels an item fools it on {asked['success']:.0%}; as many random changes do on {chance['success']:.0%}."]  # fmt: skip


def _headline(told: Mapping[str, Any]) -> str:
    if told["grade"] is None:
        return "No grade is given: " + "; ".join(told["refused"]) + " does not hold, so the figures may mislead."  # fmt: skip
    low, high = told["grade_range"]
    between = f"indicative, {low} to {high}: {told['items']['attacked']} items are few" if told["indicative"] else told["grade"]  # fmt: skip
    return f"Inherited vulnerability: {between}; {told['because'][0]} ({told['because'][1]}), at {told['graded_budget']:g}{told['unit']}."  # fmt: skip


def gradable(told: Mapping[str, Any], line: str) -> bool:
    """Whether an audit passes ``--fail-above``: a grade, of a range its worse end, that is no worse than the line; none does not pass."""
    found = told["grade"] and (told["grade_range"][1] if told["indicative"] else told["grade"])
    return found is not None and GRADES.index(found) <= GRADES.index(line)
