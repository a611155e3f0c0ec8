"""The committed tables of the regret benchmark: the grid itself, and what the decision made of it."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

import regret as r

COLUMNS = (
    "data", "per_class", "teacher", "seed", "input", "train", "test", "cut", "kind", "accuracy", "head",
    "reads", "epochs", "cpu_seconds", "validation_before", "validation_after", "left_out", "chosen",
)  # fmt: skip


def write(many: Sequence[r.Seen]) -> None:
    """``regret_grid.csv``: a row an arm. ``regret.md``: the figures of the bars."""
    by_set = r.left_out(many)
    _grid(many, by_set, r.RESULTS / "regret_grid.csv")
    text = "\n".join(_page(many, by_set)) + "\n"
    (r.RESULTS / "regret.md").write_text(text)
    print(text)


def _grid(many: Sequence[r.Seen], by_set: dict, path: Path) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for s in many:
            chosen, _ = r.decide(s, by_set[s.cell.data])
            for cut, arm in sorted(s.told["arms"].items(), key=lambda item: int(item[0])):
                after = {
                    k: round(float(r.bits(arm[k]).mean()), 4) if k in arm else ""
                    for k in ("before", "after")
                }
                writer.writerow([
                    s.cell.data, s.cell.each or "all", s.cell.teacher, s.cell.seed, s.told["input"], s.told["train"], s.told["test"],
                    cut, r.kind_of(s.card, int(cut)), round(s.accuracy(int(cut)), 4), arm.get("head", ""), arm.get("reads", ""), arm.get("epochs", 0),
                    arm["cpu"], after["before"], after["after"], round(s.evidence.accuracy, 4), int(int(cut) == chosen.cut),
                ])  # fmt: skip


def _page(many: Sequence[r.Seen], by_set: dict) -> list[str]:
    sets = sorted({s.cell.data for s in many})
    planned = list(r.cells())
    lines = [
        "# Regret of the freezing decision",
        "",
        "Command: `python benchmarks/regret_grid.py --minutes 40` (repeated), `python benchmarks/regret.py evidence`, `learn`, `table`;"
        f" {date.today()}; 2 CPU cores of an x86-64 server.",
        "",
        f"{len(many)} of {len(planned)} planned cells: {', '.join(sets)}; 4 cuts each, every arm by the recipe as shipped. Rows: `regret_grid.csv`.",
        "The doubts of the expected gain are left-one-data-set-out. Regret in points of test accuracy; *fair*: the best arm is picked on one random",
        "half of the test items and both are scored on the other (100 halvings); *harsh*: picked on the whole test set. Cost: processor seconds",
        "beyond training the chosen cut once, over those of the whole grid of the cell.",
        "",
        "| policy | mean regret | p95 | harsh mean | harsh p95 | cost median | cost p95 |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    policies = {
        "**the decision, with its guard**": r.advised(by_set), "always deep": r.always("deep"), "always late": r.always("late"),
        "always mid": r.always("mid"), "always full": r.always("full"), "classical two-by-two rule": r.two_by_two,
        "LogME's pick": r.by_logme, "random": r.random_pick,
    }  # fmt: skip
    for name, policy in policies.items():
        f = r.scored(many, policy)
        lines.append(
            f"| {name} | {f['mean']:.2f} | {f['p95']:.2f} | {f['harsh']:.2f} | {f['harsh95']:.2f} | {f['cost50']:.1%} | {f['cost95']:.1%} |"
        )
    lines += ["", *_by_set(many, by_set), "", *_intervals(many, by_set), "", *_worse(many, by_set)]
    return lines


def _by_set(many: Sequence[r.Seen], by_set: dict) -> list[str]:
    lines = ["## Where it fails", "", "| data | cells | mean regret | worst cell | chosen kinds | best kinds (whole test set) |", "|---|---|---|---|---|---|"]  # fmt: skip
    policy = r.advised(by_set)
    for name in sorted({s.cell.data for s in many}):
        own = [s for s in many if s.cell.data == name]
        found = [(r.regret(s, policy(s)[1])[0], str(s.cell)) for s in own]
        worst = max(found)
        lines.append(
            f"| {name} | {len(own)} | {np.mean([f for f, _ in found]):.2f} | {worst[0]:.2f} ({worst[1]}) | "
            f"{_counted(r.kind_of(s.card, policy(s)[0]) for s in own)} | {_counted(r.kind_of(s.card, max(s.test, key=s.accuracy)) for s in own)} |"
        )
    return [*lines, "", *_by_each(many, policy)]


def _by_each(many: Sequence[r.Seen], policy: r.Policy) -> list[str]:
    """Where the large regrets are: by images a class; and of the tails worth shipping, how many ship."""
    lines = ["| images a class | cells | mean regret | p95 | best tail > 5 points better | of these shipped |", "|---|---|---|---|---|---|"]  # fmt: skip
    for each in sorted({s.cell.each for s in many}, key=lambda n: n or math.inf):
        own = [s for s in many if s.cell.each == each]
        found = r.scored(own, policy)
        worth = [s for s in own if max(map(s.accuracy, s.test)) - s.accuracy(s.deep) > 0.05]
        shipped = [s for s in worth if policy(s)[0] != s.deep]
        lines.append(f"| {each or 'all'} | {len(own)} | {found['mean']:.2f} | {found['p95']:.2f} | {len(worth)} | {len(shipped)} |")  # fmt: skip
    return lines


def _counted(kinds) -> str:
    kinds = list(kinds)
    return ", ".join(f"{kinds.count(k)} {k}" for k in ("deep", "late", "mid", "full") if k in kinds)


def _intervals(many: Sequence[r.Seen], by_set: dict) -> list[str]:
    lines = ["## Intervals", "", "95 % prediction intervals of the accuracy on the cell's test items:", "", "| cut | inside | mean half width | cells |", "|---|---|---|---|"]  # fmt: skip
    for kind, (share, width, n) in r.coverage(many, by_set).items():
        lines.append(f"| {kind} | {share:.1%} | {100 * width:.1f} points | {n} |")
    large = [abs(s.evidence.accuracy - s.accuracy(s.deep)) for s in many if s.told["train"] >= 500]
    if large:
        lines += ["", f"Left-out minus test accuracy of the head, N >= 500: mean absolute difference {100 * np.mean(large):.1f} points over {len(large)} cells."]  # fmt: skip
    return lines


def _worse(many: Sequence[r.Seen], by_set: dict) -> list[str]:
    policy = r.advised(by_set)
    lines = ["## Never worse than the frozen head", "", "Test items of all cells of a data set together; one-sided McNemar of \"the shipped student is worse\", Holm over the sets:", "", "| data | only the head right | only the student | p | p (Holm) |", "|---|---|---|---|---|"]  # fmt: skip
    found = r.never_worse(many, policy)
    ordered, running = sorted(found, key=lambda name: found[name][2]), 0.0
    for k, name in enumerate(ordered):
        a, b, p = found[name]
        running = max(running, min(1.0, p * (len(ordered) - k)))
        lines.append(f"| {name} | {a} | {b} | {p:.3f} | {running:.3f} |")
    tails = [(s, policy(s)) for s in many]
    shipped = [100 * (right.mean() - s.accuracy(s.deep)) for s, (cut, right, _) in tails if cut != s.deep]  # fmt: skip
    big = [(s, cut) for s, (cut, _, _) in tails if max(s.accuracy(c) for c in s.test) - s.accuracy(s.deep) > 0.05]  # fmt: skip
    if shipped:
        lines += ["", f"A tuned tail shipped in {len(shipped)} of {len(many)} cells; mean difference to the frozen head there {np.mean(shipped):+.2f} points."]  # fmt: skip
    else:
        lines += ["", "No tuned tail shipped."]
    lines += [f"The best tail beats the head by more than 5 points in {len(big)} cells; a tail shipped in {sum(cut != s.deep for s, cut in big)} of them."]  # fmt: skip
    return lines


def bars(many: Sequence[r.Seen]) -> list[dict]:
    """Rows for ``bars.py``: regret, intervals, direction, never worse."""
    by_set = r.left_out(many)
    policy = r.advised(by_set)
    own = r.scored(many, policy)
    others = {
        "deep": r.always("deep"), "full": r.always("full"), "two-by-two": r.two_by_two, "LogME": r.by_logme, "random": r.random_pick,
    }  # fmt: skip
    rest = {name: r.scored(many, p)["mean"] for name, p in others.items()}
    best = min(rest, key=rest.__getitem__)
    inside = r.coverage(many, by_set)
    share = sum(s * n for s, _, n in inside.values()) / sum(n for *_, n in inside.values())
    large = [abs(s.evidence.accuracy - s.accuracy(s.deep)) for s in many if s.told["train"] >= 500]
    rows = [
        (
            "4.1",
            f"mean regret over {len(many)} cells, data set left out",
            f"{own['mean']:.2f} points (harsh {own['harsh']:.2f})",
            "<= 1.0",
            own["mean"] <= 1.0,
        ),
        (
            "4.1",
            "p95 of regret",
            f"{own['p95']:.2f} points (harsh {own['harsh95']:.2f})",
            "<= 3.0",
            own["p95"] <= 3.0,
        ),
        (
            "4.1",
            "cost of deciding, of the grid's",
            f"median {own['cost50']:.1%}, p95 {own['cost95']:.1%}",
            "<= 10 %, <= 25 %",
            own["cost50"] <= 0.1 and own["cost95"] <= 0.25,
        ),
        (
            "4.1",
            "mean regret of the best baseline",
            f"{best} {rest[best]:.2f} points",
            f"> {own['mean']:.2f}",
            rest[best] > own["mean"],
        ),
        (
            "4.3",
            "95 % prediction intervals that hold the test result",
            f"{share:.1%}",
            "90 to 98 %",
            0.90 <= share <= 0.98,
        ),
    ]
    if large:
        gap = 100 * float(np.mean(large))
        rows.append(
            (
                "4.3",
                f"left-out minus test accuracy, N >= 500, {len(large)} cells",
                f"{gap:.1f} points",
                "<= 2",
                gap <= 2,
            )
        )
    rows += [_direction(many, policy), *_guarding(many, policy)]
    return [
        dict(
            zip(
                ("bar", "what", "figure", "wanted", "passed"), (*row[:4], bool(row[4])), strict=True
            )
        )
        for row in rows
    ]


RANKS = {"deep": 3, "late": 2, "mid": 1, "full": 0}


def _direction(many: Sequence[r.Seen], policy: r.Policy) -> tuple:
    """Mean depth of the chosen kind by images a class: it never rises by a whole mode."""
    sizes = [5, 20, 50, 0]
    means = [
        float(
            np.mean(
                [RANKS[r.kind_of(s.card, policy(s)[0])] for s in many if s.cell.each == n]
                or [np.nan]
            )
        )
        for n in sizes
    ]
    known = [m for m in means if not np.isnan(m)]
    rises = max([b - a for a, b in itertools.pairwise(known)], default=0.0)
    told = ", ".join(f"{n or 'all'}: {m:.2f}" for n, m in zip(sizes, means, strict=True))
    return (
        "4.5",
        "mean depth by images a class (3 deep, 2 late, 1 mid, 0 full)",
        told,
        "never rises by 1",
        rises < 1,
    )


def _guarding(many: Sequence[r.Seen], policy: r.Policy) -> list[tuple]:
    tests = r.never_worse(many, policy)
    ordered = sorted(tests.values(), key=lambda t: t[2])
    holm = min(
        [min(1.0, p * (len(ordered) - k)) for k, (_, _, p) in enumerate(ordered)], default=1.0
    )
    outcomes = [(s, policy(s)) for s in many]
    gained = [
        100 * float(right.mean() - s.accuracy(s.deep))
        for s, (cut, right, _) in outcomes
        if cut != s.deep
    ]
    big = [
        cut != s.deep
        for s, (cut, *_) in outcomes
        if max(s.accuracy(c) for c in s.test) - s.accuracy(s.deep) > 0.05
    ]
    mean = float(np.mean(gained)) if gained else 0.0
    share = float(np.mean(big)) if big else 1.0
    return [
        (
            "4.6",
            'smallest Holm p of "shipped is worse than the frozen head"',
            f"{holm:.3f}",
            "> 0.05",
            holm > 0.05,
        ),
        (
            "4.6",
            f"mean difference over {len(gained)} cells that shipped a tail",
            f"{mean:+.2f} points",
            "> 0",
            mean > 0,
        ),
        (
            "4.6",
            f"a tail shipped where the best one beats the head by > 5 points ({len(big)} cells)",
            f"{share:.0%}",
            ">= 80 %",
            share >= 0.8,
        ),
    ]
