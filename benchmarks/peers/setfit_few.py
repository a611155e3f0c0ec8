"""SetFit on a table of texts: contrastive pairs, then a logistic head; seconds from start to a model, and accuracy.

    python setfit_few.py TABLE MODEL [--steps N]

TABLE has the columns text, label, split; MODEL is a sentence-transformers folder. SetFit's own defaults, but for the
number of pairs (``num_iterations`` 20, as in Tunstall et al. 2022, section 4). With ``--steps`` only so many steps are
trained, and the seconds of the whole run are told from their pace. Prints one JSON value last.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

ITERATIONS = 20
BATCH = 16


def main() -> None:
    """Train, predict, tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--steps", type=int, default=-1)
    asked = parser.parse_args()
    parts = read(asked.table)
    started = time.perf_counter()
    from setfit import SetFitModel, Trainer, TrainingArguments

    from datasets import Dataset

    names = sorted({label for _, label in parts["train"]})
    rows = [{"text": text, "label": names.index(label)} for text, label in parts["train"]]
    model = SetFitModel.from_pretrained(str(asked.model))
    settings = TrainingArguments(
        batch_size=BATCH, num_epochs=1, num_iterations=ITERATIONS, max_steps=asked.steps, output_dir=str(asked.table.parent / "setfit"),
        report_to="none", save_strategy="no",
    )  # fmt: skip
    trainer = Trainer(model=model, args=settings, train_dataset=Dataset.from_list(rows))
    training = time.perf_counter()
    trainer.train()
    ended = time.perf_counter()
    whole = 2 * ITERATIONS * len(rows) // BATCH
    done = whole if asked.steps < 0 else min(asked.steps, whole)
    told = {"seconds": ended - started, "steps": done, "of": whole, "whole_seconds": training - started + (ended - training) * whole / done}  # fmt: skip
    if done == whole:
        said = model.predict([text for text, _ in parts["test"]])
        right = sum(int(int(a) == names.index(b)) for a, (_, b) in zip(said, parts["test"], strict=True))  # fmt: skip
        told |= {"correct": right, "n": len(parts["test"])}
    print(json.dumps(told))


def read(table: Path) -> dict[str, list[tuple[str, str]]]:
    """Texts with labels, by part."""
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    with table.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            parts[row["split"]].append((row["text"], row["label"]))
    return parts


if __name__ == "__main__":
    main()
