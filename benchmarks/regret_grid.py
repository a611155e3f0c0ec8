"""The exhaustive grid that decisions are held against: every contender trained on every cell.

    python benchmarks/regret_grid.py --minutes 40        # goes on where it ended; a cell is a file

Each arm is trained by the recipe as shipped. What a tail says about validation and test items is kept
item by item, so that any rule of decision can be replayed without training.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from regret_cells import HOME, TEACHERS, Cell, cells, table
from tutelage.data import check, open_source, split
from tutelage.evaluation.calibration import log_softmax
from tutelage.features.activations import Activations
from tutelage.features.choice import engine_for
from tutelage.network.decision import FreezeDecision, mode_of
from tutelage.network.taps import Tapped, joined
from tutelage.run import Run
from tutelage.runtime import open_runtime
from tutelage.teachers import Teacher, load_teacher
from tutelage.teachers.cuts import contenders
from tutelage.training.head import probe
from tutelage.training.lesson import Lesson, input_spec
from tutelage.training.loop import as_activation
from tutelage.training.recipe import recipe_for, views_for
from tutelage.training.tail import tune_tail


class Clock:
    """Wall and processor seconds."""

    def __enter__(self) -> Clock:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall = time.perf_counter() - self._start[0]
        self.cpu = time.process_time() - self._start[1]

    def told(self) -> dict[str, float]:
        return {"seconds": round(self.wall, 3), "cpu": round(self.cpu, 3)}


@contextmanager
def opened(cell: Cell, teacher: Teacher) -> Iterator[Lesson]:
    """The cell as a lesson."""
    checked = check(open_source(str(table(cell))), full=False)
    parts = split(checked)
    card = teacher.card.spec
    smaller = replace(card, size=cell.size, resize=round(cell.size * card.resize / card.size))
    spec = min(input_spec(teacher, checked, parts.train), smaller, key=lambda s: s.size)
    engine = engine_for(teacher, spec).spec
    items = [example.item for example in checked.dataset.examples]
    views = views_for(len(parts.train), len(checked.dataset.classes))
    folder = HOME / "runs" / str(cell)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint.safetensors").unlink(missing_ok=True)
    with Activations(teacher, spec, engine, items, checked.digests) as activations:
        yield Lesson(checked, parts, teacher, activations, views, Run(folder), cell.seed)


def measured(cell: Cell, teacher: Teacher) -> dict:
    """Every arm of a cell."""
    with opened(cell, teacher) as lesson:
        lesson.readable(lesson.depth, lesson.parts.train)
        head, clock = _deep(lesson)
        told = {
            "cell": vars(cell), "input": lesson.activations.spec.size, "classes": len(lesson.classes),
            "train": len(lesson.parts.train), "test": len(lesson.parts.test), "views": lesson.views,
            "engine": str(lesson.activations.engine), "arms": {str(lesson.depth): {**head, **clock.told()}},
        }  # fmt: skip
        for cut in contenders(teacher.card)[:-1]:
            told["arms"][str(cut)] = _tuned(lesson, cut)
    return told


def _deep(lesson: Lesson) -> tuple[dict, Clock]:
    with Clock() as clock:
        choice = probe(lesson)
    logits = choice.head.logits(lesson.features(lesson.parts.test, choice.reads))
    right = choice.left_out_logits.argmax(1) == choice.left_out_truth
    return {
        "test": _hits(logits, lesson.truth(lesson.parts.test)), "left_out": float(right.mean()),
        "head": choice.head.kind, "reads": len(choice.reads), "share": 1.0,
    }, clock  # fmt: skip


def _tuned(lesson: Lesson, cut: int) -> dict:
    card = lesson.teacher.card
    mode = mode_of(cut, lesson.depth)
    decision = FreezeDecision(mode, cut, card.names, ("the grid",), asked=True)
    recipe = recipe_for(mode, len(lesson.parts.train), len(lesson.classes))
    lesson.readable(cut, lesson.parts.train, recipe.views)
    with Clock() as clock:
        tuned = tune_tail(lesson, decision, recipe, open_runtime("cpu"), float("inf"))
    truth = lesson.truth(tuned.validation)
    epochs = [r for r in tuned.history if r.get("epoch")]
    return {
        "test": _hits(_answers(lesson, cut, tuned), lesson.truth(lesson.parts.test)),
        "epochs": len(epochs), "trained": len(tuned.train),
        "before": _hits(tuned.before, truth), "after": _hits(tuned.after, truth),
        "surprise_before": _surprise(tuned.before, truth), "surprise_after": _surprise(tuned.after, truth),
        "share": card.share(cut), "reads": len(tuned.reads), "views": recipe.views, **clock.told(),
    }  # fmt: skip


@torch.no_grad()
def _answers(lesson: Lesson, cut: int, tuned) -> np.ndarray:
    """Logits of the test items by the tuned network."""
    indices = lesson.readable(cut, lesson.parts.test, 1)
    prepare = None if cut else lesson.teacher.prepare(lesson.activations.spec)
    tail = Tapped([s.module for s in tuned.network.stages[cut:]], tuned.reads, cut, prepare).eval()
    blocks = lesson.activations.gather(cut, indices, 1).blocks(64)
    features = [joined(tail(as_activation(block)), tuned.reads).numpy() for block in blocks]
    return tuned.head.logits(np.concatenate(features))


def _hits(logits: np.ndarray, truth: np.ndarray) -> str:
    return "".join("01"[int(right)] for right in logits.argmax(1) == truth)


def _surprise(logits: np.ndarray, truth: np.ndarray) -> list[float]:
    """Minus the log-probability of the truth, after the temperature that suits these items best."""
    from tutelage.evaluation.calibration import fit_temperature

    told = log_softmax(logits / fit_temperature(logits, truth))
    return [round(float(-v), 4) for v in told[np.arange(len(truth)), truth]]


def place(cell: Cell) -> Path:
    """Where a cell's figures are."""
    return HOME / "cells" / f"{cell}.json"


def main() -> None:
    """Measure what is missing, for so many minutes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--only", help="cells with this in their names")
    given = parser.parse_args()
    end, teachers = time.monotonic() + 60 * given.minutes, {}
    for cell in cells():
        if place(cell).exists() or (given.only and given.only not in str(cell)):
            continue
        if time.monotonic() > end:
            break
        teacher = teachers.setdefault(cell.teacher, load_teacher(TEACHERS[cell.teacher]))
        with Clock() as clock:
            told = measured(cell, teacher)
        place(cell).parent.mkdir(parents=True, exist_ok=True)
        place(cell).write_text(json.dumps(told))
        scores = "  ".join(
            f"{k}: {np.mean([c == '1' for c in a['test']]):.3f}" for k, a in told["arms"].items()
        )
        print(f"{cell}  {scores}  ({clock.wall:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
