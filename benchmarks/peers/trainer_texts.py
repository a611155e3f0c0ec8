"""Hugging Face's Trainer on an encoder, as its guide to text classification teaches it: all layers, a new head.

    python trainer_texts.py TABLE MODEL EPOCHS OUT [--rate 5e-5]

TABLE has the columns text, label, split (train, test); MODEL is a folder of transformers. Batches of 16, texts padded to
the longest of a batch, weight decay 0.01, the Trainer's own schedule. Prints a JSON object: seconds of training after each
epoch, and the test accuracy then (scoring is not in the seconds).
"""

import argparse
import json
import time

import numpy as np
import pandas as pd
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)


class Rows(torch.utils.data.Dataset):
    """Tokens and label of each row."""

    def __init__(self, rows: pd.DataFrame, classes: list[str], tokens: AutoTokenizer) -> None:
        self.encoded = tokens(list(rows.text), truncation=True)
        self.labels = [classes.index(name) for name in rows.label]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> dict:
        return {**{k: v[i] for k, v in self.encoded.items()}, "labels": self.labels[i]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("model")
    parser.add_argument("epochs", type=int)
    parser.add_argument("out")
    parser.add_argument("--rate", type=float, default=5e-5)
    given = parser.parse_args()
    rows = pd.read_csv(given.table, dtype=str, keep_default_na=False)
    classes = sorted(rows.label.unique())
    tokens = AutoTokenizer.from_pretrained(given.model)
    taught, tested = (Rows(rows[rows.split == part], classes, tokens) for part in ("train", "test"))  # fmt: skip
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(given.model, num_labels=len(classes))
    dials = TrainingArguments(
        given.out, num_train_epochs=given.epochs, learning_rate=given.rate, per_device_train_batch_size=16, weight_decay=0.01,
        per_device_eval_batch_size=64, eval_strategy="epoch", save_strategy="no", report_to=[], use_cpu=True, seed=0,
        disable_tqdm=True, logging_strategy="no",
    )  # fmt: skip
    away, told = 0.0, []

    def right(predicted: tuple[np.ndarray, np.ndarray]) -> dict:
        return {"accuracy": float((predicted[0].argmax(1) == predicted[1]).mean())}

    class Timed(Trainer):
        """Counts the seconds that scoring takes."""

        def evaluate(self, *args, **kwargs):
            nonlocal away
            start = time.perf_counter()
            found = super().evaluate(*args, **kwargs)
            trained = start - started - away
            away += time.perf_counter() - start
            told.append({"seconds": trained, "accuracy": found["eval_accuracy"]})
            print(json.dumps(told[-1]), flush=True)
            return found

    trainer = Timed(
        model, dials, train_dataset=taught, eval_dataset=tested, compute_metrics=right,
        data_collator=DataCollatorWithPadding(tokens), processing_class=tokens,
    )  # fmt: skip
    started = time.perf_counter()
    trainer.train()
    print(json.dumps({"epochs": told, "train": len(taught), "n": len(tested)}))


if __name__ == "__main__":
    main()
