"""Wear: what a deep student answers to items that were noised, blurred or compressed, with and without the pressure.

    python benchmarks/wear.py                     # all data sets
    python benchmarks/wear.py trashnet busi       # some

Prints a Markdown table. Left-out accuracy is of training items; the rest of at most 300 test items: as they are, with
noise of 4/255 in every value, and after three of the audit's corruptions at severity 3, none of which is the wear itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parent))
from datasets import folder, hymenoptera
from security import EVIDENCE, student
from tutelage.heads.choose import fit_heads
from tutelage.heads.linear import LinearHead
from tutelage.heads.rows import ArrayRows, TrainingRows, Wear
from tutelage.heads.weights import class_weights
from tutelage.modality.images_wear import worn
from tutelage.modality.perturb import windows_of
from tutelage.security.control import noise
from tutelage.security.examiner import Examiner
from tutelage.security.items import choose_items, known_items
from tutelage.security.subject import open_subject
from tutelage.training.lesson import WORN_ITEMS

SOURCES = {**EVIDENCE, "hymenoptera": hymenoptera(), "busi": folder("busi"), "caltech101_15": folder("caltech101_15", per_class_train=10)}  # fmt: skip
KINDS = ("gaussian noise", "defocus blur", "jpeg")
SEVERITY = 3


class Bench:
    """One student's features of windows."""

    def __init__(self, name: str) -> None:
        run = student(name, SOURCES[name], "deep", mode="deep")
        self.subject = open_subject(run)
        known = known_items(run, self.subject.student)
        self.items = choose_items(known, self.subject.student, 300, 0)
        self.train = [k for k in known if k.part == "train" and k.label in self.subject.student.facts.classes]  # fmt: skip
        self.features = Examiner(self.subject, self.items).features

    def tests(self) -> dict[str, npt.NDArray[np.uint8]]:
        """Test windows as they are and changed."""
        plain, perturb = self.items.windows, self.subject.perturb
        changed = {
            kind: np.stack([perturb.corruptions[kind](w, SEVERITY, np.random.default_rng([0, i])) for i, w in enumerate(plain)])
            for kind in KINDS
        }  # fmt: skip
        return {"as they are": plain, "noise 4/255": noise(plain, 4.0, perturb, 0), **changed}


def measure(name: str) -> None:
    """Print two rows of the table."""
    bench = Bench(name)
    facts, stages = bench.subject.student.facts, bench.subject.teacher.card.stages
    truth = np.array([facts.classes.index(k.label) for k in bench.train])
    targets = np.eye(len(facts.classes))[truth]
    windows = windows_of([k.item for k in bench.train], bench.subject.teacher.modality, facts.spec)
    some = np.argsort([k.digest for k in bench.train])[:WORN_ITEMS]
    rng = np.random.default_rng(0)
    seen = bench.features(windows)
    wear = Wear(seen[some], bench.features(np.stack([worn(windows[i], rng) for i in some])))
    tests = {kind: bench.features(changed) for kind, changed in bench.tests().items()}
    widths = [stages[k - 1].width for k in (*facts.reads, len(stages))] if facts.reads else []
    for how, known in (("bare", None), ("pressed", wear)):
        rows = TrainingRows(ArrayRows(seen), targets, np.arange(len(truth)), np.ones(len(truth), bool), class_weights(targets), known)  # fmt: skip
        choice = fit_heads(rows, classes=len(facts.classes), blocks=widths)
        left_out = float((choice.left_out_logits.argmax(1) == choice.left_out_truth).mean())
        told = [_right(choice.head, features, bench.items.truth) for features in tests.values()]
        print(f"| {name} ({len(truth)}) | {how} | " + " | ".join(f"{100 * x:.1f}" for x in (left_out, *told)) + " |", flush=True)  # fmt: skip


def _right(head: LinearHead, features: npt.NDArray[np.float32], truth: npt.NDArray[np.int64]) -> float:  # fmt: skip
    return float((head.logits(features).argmax(1) == truth).mean())


if __name__ == "__main__":
    print("| data (training items) | head | left out | as they are | noise 4/255 | " + " | ".join(KINDS) + " |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for asked in sys.argv[1:] or SOURCES:
        measure(asked)
