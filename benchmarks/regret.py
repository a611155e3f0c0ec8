"""Regret of the freezing decision, replayed on the exhaustive grid (`regret_grid.py`).

    python benchmarks/regret.py evidence     # the advisor's evidence for every finished cell, resumably
    python benchmarks/regret.py learn        # makes src/tutelage/advisor/gains.json from the grid
    python benchmarks/regret.py table        # writes benchmarks/results/regret_grid.csv and regret.md
    python benchmarks/regret.py bars         # the figures of the bars, as JSON

What is learned from the grid is tested with the data set left out: the decision for a cell never saw
another cell of the same data set.
"""

from __future__ import annotations

import json
import math
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from regret_cells import HOME, TEACHERS, Cell, cells
from tutelage.advisor.choice import Option, choose
from tutelage.advisor.cost import Cost
from tutelage.advisor.evidence import Evidence
from tutelage.advisor.expected import interval
from tutelage.advisor.gain import Doubt, classical, expected_gains, kind_of, learn
from tutelage.evaluation.compare import mcnemar
from tutelage.teachers import load_teacher
from tutelage.training.guard import gain_error, weighed

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
GAINS = ROOT / "src" / "tutelage" / "advisor" / "gains.json"
KINDS = ("late", "mid", "full")
HALVINGS = 100


@lru_cache(maxsize=4)
def teacher(name: str):
    return load_teacher(TEACHERS[name])


def bits(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8) == ord("1")


@dataclass(frozen=True)
class Seen:
    """A finished cell with the advisor's evidence."""

    cell: Cell
    told: Mapping
    evidence: Evidence
    near: float | None
    deciding: float
    """Processor seconds that the evidence took beyond the head that ships."""

    @property
    def card(self):
        return teacher(self.cell.teacher).card

    @cached_property
    def test(self) -> dict[int, np.ndarray]:
        return {int(cut): bits(arm["test"]) for cut, arm in self.told["arms"].items()}

    @property
    def deep(self) -> int:
        return max(self.test)

    def accuracy(self, cut: int) -> float:
        return float(self.test[cut].mean())

    @property
    def gains(self) -> dict[str, tuple[float, float]]:
        """Kind -> measured gain over the frozen head and its noise."""
        found = {}
        for cut, right in self.test.items():
            if cut != self.deep:
                each = right.astype(float) - self.test[self.deep]
                found[kind_of(self.card, cut)] = float(each.mean()), gain_error(each)
        return found

    @property
    def seconds(self) -> dict[int, float]:
        """Processor seconds of training each arm once."""
        return {int(cut): arm["cpu"] for cut, arm in self.told["arms"].items()}

    @property
    def pass_seconds(self) -> float:
        """Processor seconds of the tapped pass over the training items, at a cautious 60 a core and second."""
        return self.told["train"] * self.told["views"] / 60 * (self.told["input"] / 128) ** 2


def gathered() -> None:
    """Evidence of every finished cell that has none yet."""
    from regret_grid import opened, place
    from tutelage.advisor.evidence import gather
    from tutelage.advisor.similarity import similarity
    from tutelage.training.head import probe

    for cell in cells():
        target = HOME / "evidence" / f"{cell}.json"
        if target.exists() or not place(cell).exists():
            continue
        with opened(cell, teacher(cell.teacher)) as lesson:
            probe(lesson)
            start = time.process_time()
            found, near = gather(lesson), similarity(lesson)
            spent = time.process_time() - start
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(
            json.dumps({"evidence": found.as_json(), "similarity": near.as_json(), "cpu": spent})
        )
        print(cell, f"{spent:.2f} s", flush=True)


def seen() -> list[Seen]:
    """All cells that have both."""
    found = []
    for cell in cells():
        arms, evidence = HOME / "cells" / f"{cell}.json", HOME / "evidence" / f"{cell}.json"
        if arms.exists() and evidence.exists():
            told = json.loads(evidence.read_text())
            found.append(Seen(cell, json.loads(arms.read_text()), Evidence.from_json(told["evidence"]), told["similarity"]["value"], told["cpu"]))  # fmt: skip
    return found


def fitted(many: Sequence[Seen]) -> dict[str, Doubt]:
    """How far the expectation of each kind of cut, and left-out accuracy itself, were off on some cells."""
    rows: dict[str, dict[str, list]] = {kind: defaultdict(list) for kind in (*KINDS, "deep")}
    for s in many:
        for kind, (gain, noise) in s.gains.items():
            rows[kind][s.cell.data].append((s.evidence.each, gain - classical(kind, s.evidence, s.near), noise))  # fmt: skip
        p, n = s.accuracy(s.deep), s.told["test"]
        noise = math.hypot(s.evidence.error, math.sqrt(p * (1 - p) / n))
        rows["deep"][s.cell.data].append((s.evidence.each, p - s.evidence.accuracy, noise))
    return {kind: learn(by_set) for kind, by_set in rows.items()}


def left_out(many: Sequence[Seen]) -> dict[str, dict[str, Doubt]]:
    """Data set -> doubts that never saw it."""
    names = sorted({s.cell.data for s in many})
    return {name: fitted([s for s in many if s.cell.data != name]) for name in names}


# Policies: each gives (what ships, test bits, seconds of deciding)


Outcome = tuple[int, np.ndarray, float]
Policy = Callable[[Seen], Outcome]


def decide(s: Seen, doubts: Mapping[str, Doubt]) -> tuple[Option, list[Option]]:
    """What the advisor would choose with these doubts."""
    cuts = sorted(s.test)
    gains = expected_gains(s.evidence, s.near, s.card, cuts, doubts)
    drift = doubts["deep"].around(0.0, s.evidence.each).spread
    options = [
        Option(cut, None, min(1, max(0, s.evidence.accuracy + gains[cut].mean)), math.hypot(s.evidence.error, gains[cut].spread, drift), gains[cut], Cost(cut, s.seconds[cut], 0, 0))
        for cut in cuts
    ]  # fmt: skip
    return choose(options)[0], options


def advised(by_set: Mapping[str, Mapping[str, Doubt]]) -> Policy:
    """The decision as shipped, its doubts without the cell's data set; then the guard."""

    def policy(s: Seen) -> Outcome:
        chosen, _ = decide(s, by_set[s.cell.data])
        cost = s.deciding + (0.0 if chosen.cut == s.deep else s.pass_seconds)
        if chosen.cut == s.deep:
            return s.deep, s.test[s.deep], cost
        if guarded(s, chosen.cut, (chosen.gain.mean, chosen.gain.spread)):
            return chosen.cut, s.test[chosen.cut], cost
        return s.deep, s.test[s.deep], cost + s.seconds[s.deep]

    return policy


def guarded(s: Seen, cut: int, prior: tuple[float, float]) -> bool:
    """Whether the guard lets a tail ship."""
    arm = s.told["arms"][str(cut)]
    each = bits(arm["after"]).astype(float) - bits(arm["before"])
    lost = np.array(arm["surprise_after"]) - np.array(arm["surprise_before"])
    slack = 2 * float(lost.std() / np.sqrt(len(lost)))
    return weighed(float(each.mean()), gain_error(each), prior) >= 0 and float(lost.mean()) <= slack


def always(kind: str) -> Policy:
    def policy(s: Seen) -> Outcome:
        cut = next(c for c in s.test if kind_of(s.card, c) == kind)
        return cut, s.test[cut], 0.0

    return policy


def two_by_two(s: Seen) -> Outcome:
    """The classical rule: near and few: deep; near and many: mid; far and few: mid; far and many: full.

    Near is what the data sets' documentation says; many are 50 images a class.
    """
    far, many = s.cell.data in ("busi", "mnist", "digits"), s.cell.each in (0, 50)
    kind = {(False, False): "deep", (False, True): "late", (True, False): "mid", (True, True): "full"}[far, many]  # fmt: skip
    return always(kind)(s)


def random_pick(s: Seen) -> Outcome:
    rng = np.random.default_rng(zlib.crc32(str(s.cell).encode()))
    cut = sorted(s.test)[rng.integers(len(s.test))]
    return cut, s.test[cut], 0.0


def by_logme(s: Seen) -> Outcome:
    """Cut after the stage with the best LogME; the nearest contender below it."""
    path = HOME / "logme" / f"{s.cell}.json"
    best = json.loads(path.read_text())["stage"] if path.exists() else s.deep
    cut = max((c for c in s.test if c <= best), default=0)
    return cut, s.test[cut], 0.0


def logmes() -> None:
    """LogME's pick for every cell."""
    from regret_grid import opened
    from tutelage.advisor.evidence import looked_at, stage_features
    from tutelage.advisor.logme import logme

    for s in seen():
        path = HOME / "logme" / f"{s.cell}.json"
        if path.exists():
            continue
        with opened(s.cell, teacher(s.cell.teacher)) as lesson:
            indices = looked_at(lesson)
            truth, names = lesson.truth(indices), lesson.teacher.card.names
            scores = {names.index(k) + 1: logme(v, truth) for k, v in stage_features(lesson, indices).items()}  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"stage": max(scores, key=scores.get)}))


# Figures


def halves(s: Seen) -> np.ndarray:
    """(HALVINGS, n) masks: which test items pick the best; the others score."""
    rng = np.random.default_rng(0)
    n = s.told["test"]
    return np.array([rng.permutation(n) < n // 2 for _ in range(HALVINGS)])


def regret(s: Seen, right: np.ndarray) -> tuple[float, float]:
    """Fair and harsh regret, in points."""
    arms = np.array([s.test[cut] for cut in sorted(s.test)], float)
    masks = halves(s)
    picking = masks @ arms.T / masks.sum(1, keepdims=True)
    scoring = ~masks @ arms.T / (~masks).sum(1, keepdims=True)
    best = scoring[np.arange(len(masks)), picking.argmax(1)]
    own = ~masks @ right.astype(float) / (~masks).sum(1)
    return float(100 * (best - own).mean()), float(100 * (arms.mean(1).max() - right.mean()))


def scored(many: Sequence[Seen], policy: Policy) -> dict[str, float]:
    rows = [(regret(s, right), cost / sum(s.seconds.values())) for s in many for _, right, cost in [policy(s)]]  # fmt: skip
    fair, harsh = np.array([r[0][0] for r in rows]), np.array([r[0][1] for r in rows])
    cost = np.array([r[1] for r in rows])
    return {
        "mean": fair.mean(), "p95": np.quantile(fair, 0.95), "harsh": harsh.mean(), "harsh95": np.quantile(harsh, 0.95),
        "cost50": np.median(cost), "cost95": np.quantile(cost, 0.95),
    }  # fmt: skip


def coverage(many: Sequence[Seen], by_set: Mapping[str, Mapping[str, Doubt]]) -> dict[str, tuple[float, float, int]]:  # fmt: skip
    """Kind -> share of cells whose test result lies in the 95 % prediction interval, mean half width, cells."""
    hits = defaultdict(list)
    for s in many:
        for option in decide(s, by_set[s.cell.data])[1]:
            low, high = interval(option.expected, option.error, s.told["test"])
            hits[kind_of(s.card, option.cut)].append((low <= s.accuracy(option.cut) <= high, (high - low) / 2))  # fmt: skip
    return {kind: (float(np.mean([h for h, _ in rows])), float(np.mean([w for _, w in rows])), len(rows)) for kind, rows in hits.items()}  # fmt: skip


def never_worse(many: Sequence[Seen], policy: Policy) -> dict[str, tuple[int, int, float]]:
    """Data set -> items only the head had right, only the shipped student, and McNemar's one-sided p of "worse"."""
    found = {}
    for name in sorted({s.cell.data for s in many}):
        own = [s for s in many if s.cell.data == name]
        head = np.concatenate([s.test[s.deep] for s in own])
        shipped = np.concatenate([policy(s)[1] for s in own])
        test = mcnemar(head, shipped)
        found[name] = test.only_a, test.only_b, test.one_sided
    return found


def main() -> None:
    verb = sys.argv[1] if len(sys.argv) > 1 else "table"
    if verb != "evidence" and not seen():
        raise SystemExit(
            "no cell is measured here: python benchmarks/regret_grid.py --minutes 40, then regret.py evidence"
        )
    if verb == "evidence":
        gathered()
        logmes()
    elif verb == "learn":
        many = seen()
        kept = {"made": f"benchmarks/regret.py learn, {len(many)} cells of {len({s.cell.data for s in many})} data sets, {date.today()}",
                "doubts": {kind: asdict(doubt) for kind, doubt in fitted(many).items()}}  # fmt: skip
        GAINS.write_text(json.dumps(kept, indent=1) + "\n")
        print(kept["made"])
    elif verb == "bars":
        from regret_table import bars

        print(json.dumps(bars(seen())))
    else:
        from regret_table import write

        write(seen())


if __name__ == "__main__":
    main()
