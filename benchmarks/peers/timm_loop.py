"""A plain fine-tuning loop as timm's documentation has it: `create_model`, `create_transform`, frozen first stages.

    python timm_loop.py TABLE WEIGHTS [--fast] [--epochs 1] [--share 1.0] [--freeze blocks.4]

Batches of 32, AdamW with one cosine, two workers. `--fast` is the fastest setting that timm's training script
documents for a processor: channels-last (its `--channels-last`) and no gradient where nothing is trained; without it
the defaults. Every image is decoded, augmented and pushed through the frozen stages in every epoch. Prints JSON:
seconds of each epoch (training and validation), and the test part's figures after the last one.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import pandas as pd
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from timm.data import create_transform
from torch.utils.data import DataLoader, Dataset

ARCHITECTURE = "tf_efficientnet_lite0"
HALVES = (0.5, 0.5, 0.5)


class Photos(Dataset):
    """Rows of the table through a transform."""

    def __init__(self, rows: pd.DataFrame, classes: list[str], training: bool) -> None:
        self.rows, self.classes = rows.reset_index(drop=True), classes
        self.transform = create_transform(
            224,
            is_training=training,
            mean=HALVES,
            std=HALVES,
            interpolation="bicubic",
            crop_pct=0.875,
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int):
        row = self.rows.loc[index]
        return self.transform(Image.open(row.path).convert("RGB")), self.classes.index(row.label)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the training images, for timing"
    )
    parser.add_argument("--freeze", default="blocks.4")
    given = parser.parse_args()
    torch.manual_seed(0)
    rows = pd.read_csv(given.table)
    classes = sorted(rows.label.unique())
    taught = rows[rows.split == "train"].sample(frac=given.share, random_state=0)
    loader = DataLoader(
        Photos(taught, classes, True), 32, shuffle=True, num_workers=2, drop_last=False
    )
    val, test = (
        DataLoader(Photos(rows[rows.split == part], classes, False), 64, num_workers=2)
        for part in ("val", "test")
    )
    model = timm.create_model(ARCHITECTURE, num_classes=len(classes))
    model.load_state_dict(
        {k: v for k, v in load_file(given.weights).items() if not k.startswith("classifier")},
        strict=False,
    )
    frozen = frozen_of(model, given.freeze)
    for module in frozen:
        module.requires_grad_(False)
    layout = torch.channels_last if given.fast else torch.contiguous_format
    model = model.to(memory_format=layout)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=3e-4, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 3e-4, total_steps=max(2, given.epochs * len(loader)), pct_start=0.1
    )
    seconds = []
    for _ in range(given.epochs):
        start = time.perf_counter()
        model.train()
        for module in frozen:
            module.eval()
        for images, labels in loader:
            loss = torch.nn.functional.cross_entropy(
                model(images.contiguous(memory_format=layout)), labels
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        training = time.perf_counter() - start
        right = score(model, val, layout)
        seconds.append({"training": training, "all": time.perf_counter() - start, "val": right})
    told = {"epochs": seconds, "images": len(taught)}
    if given.share == 1.0 and given.epochs > 1:
        told["accuracy"] = score(model, test, layout)
    print(json.dumps(told))


def frozen_of(model, last: str) -> list:
    """The stem, and the blocks up to the named one."""
    number = int(last.split(".")[1])
    return [model.conv_stem, model.bn1, *list(model.blocks)[: number + 1]]


@torch.inference_mode()
def score(model, loader, layout) -> float:
    model.eval()
    right = [(model(x.contiguous(memory_format=layout)).argmax(1) == y).float() for x, y in loader]
    return float(torch.cat(right).mean())


if __name__ == "__main__":
    main()
