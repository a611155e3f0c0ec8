"""The committed tables of the regret benchmark: the grid itself, and what the decision made of it."""

from __future__ import annotations

import csv
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
                after = {k: round(float(r.bits(arm[k]).mean()), 4) if k in arm else "" for k in ("before", "after")}
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
        "Fits of the expected gain are left-one-data-set-out. Regret in points of test accuracy; *fair*: the best arm is picked on one random",
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
    return lines


def _counted(kinds) -> str:
    kinds = list(kinds)
    return ", ".join(f"{kinds.count(k)} {k}" for k in ("deep", "late", "mid", "full") if k in kinds)


def _intervals(many: Sequence[r.Seen], by_set: dict) -> list[str]:
    lines = ["## Intervals", "", "95 % prediction intervals of the accuracy on the cell's test items:", "", "| cut | inside | mean half width | cells |", "|---|---|---|---|"]  # fmt: skip
    for kind, (share, width, n) in r.coverage(many, by_set, r.DRIFT).items():
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
