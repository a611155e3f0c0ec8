"""The script that many write by hand: features from eager PyTorch, then scikit-learn's logistic regression.

    python sklearn_eager.py TABLE WEIGHTS

timm's own preprocessing, batches of 32 through two decoding workers, `StandardScaler` and
`LogisticRegressionCV` as scikit-learn documents them. Prints JSON; seconds from the start of the process.
"""

import time

STARTED = time.time()

import argparse  # noqa: E402
import json  # noqa: E402
import resource  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import timm  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from sklearn.linear_model import LogisticRegressionCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from timm_loop import ARCHITECTURE, Photos  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402


@torch.inference_mode()
def features(model, rows: pd.DataFrame, classes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    loader = DataLoader(Photos(rows, classes, False), 32, num_workers=2)
    seen = [(model(images).numpy(), labels.numpy()) for images, labels in loader]
    return np.concatenate([x for x, _ in seen]), np.concatenate([y for _, y in seen])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("weights", type=Path)
    given = parser.parse_args()
    rows = pd.read_csv(given.table)
    classes = sorted(rows.label.unique())
    model = timm.create_model(ARCHITECTURE, num_classes=0).eval()
    model.load_state_dict(
        {k: v for k, v in load_file(given.weights).items() if not k.startswith("classifier")}
    )
    x, y = features(model, rows[rows.split == "train"], classes)
    head = make_pipeline(StandardScaler(), LogisticRegressionCV(max_iter=1000, n_jobs=2)).fit(x, y)
    seconds = time.time() - STARTED
    x, y = features(model, rows[rows.split == "test"], classes)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "correct": int((head.predict(x) == y).sum()),
                "n": len(y),
                "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
