"""fastai as its documentation teaches it: `vision_learner` on a timm network, then `fine_tune(epochs)`.

    python fastai_fine_tune.py TABLE WEIGHTS EPOCHS OUT [--share 1.0]

TABLE has the columns path, label, split (train, val, test). The body gets the teacher's own weights; sizes and
augmentation are those of fastai's tutorials (`Resize`, `aug_transforms(size=224)`), batches of 64. Prints a JSON
object; seconds go from the start of the process to the saved weights, and the test part is scored afterwards.
"""

import time

STARTED = time.time()

import argparse  # noqa: E402
import json  # noqa: E402
import resource  # noqa: E402
from pathlib import Path  # noqa: E402

import pandas as pd  # noqa: E402
import torch  # noqa: E402
from fastai.vision.all import (  # noqa: E402
    CategoryBlock,
    ColReader,
    DataBlock,
    ImageBlock,
    IndexSplitter,
    Normalize,
    Resize,
    accuracy,
    aug_transforms,
    set_seed,
    vision_learner,
)
from safetensors.torch import load_file  # noqa: E402

ARCHITECTURE = "tf_efficientnet_lite0"
HALVES = [0.5, 0.5, 0.5]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("epochs", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the training images, for timing"
    )
    given = parser.parse_args()
    set_seed(0)
    rows = pd.read_csv(given.table)
    taught = rows[rows.split == "train"].sample(frac=given.share, random_state=0)
    judged = (
        rows[rows.split == "val"]
        if (rows.split == "val").any()
        else taught.sample(frac=0.1, random_state=0)
    )
    both = pd.concat([taught, judged], ignore_index=True)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock), get_x=ColReader("path"), get_y=ColReader("label"),
        splitter=IndexSplitter(list(range(len(taught), len(both)))), item_tfms=Resize(256),
        batch_tfms=[*aug_transforms(size=224), Normalize.from_stats(HALVES, HALVES, cuda=False)],
    )  # fmt: skip
    loaders = block.dataloaders(both, bs=64)
    learner = vision_learner(
        loaders, ARCHITECTURE, pretrained=False, normalize=False, metrics=accuracy
    )
    body = {k: v for k, v in load_file(given.weights).items() if not k.startswith("classifier")}
    learner.model[0].model.load_state_dict(body)
    ready = time.time()
    with learner.no_bar():
        learner.fine_tune(given.epochs)
    trained = time.time()
    torch.save(learner.model.state_dict(), given.out / "fastai.pth")
    saved = time.time()
    told = {
        "seconds": saved - STARTED,
        "training": trained - ready,
        "images": len(taught),
        "epochs": given.epochs,
    }
    if given.share == 1.0:
        tested = rows[rows.split == "test"].reset_index(drop=True)
        dl = learner.dls.test_dl(tested, with_labels=True)
        told["correct"], told["n"] = (
            round(float(learner.validate(dl=dl)[1]) * len(tested)),
            len(tested),
        )
    told["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(told))


if __name__ == "__main__":
    main()
