"""100,000 images: is time linear, and memory flat? A demonstration; prints a table.

    python benchmarks/scale.py [--count 100000] [--json]

The 10,000 images of MNIST's test part, each under ten random affine maps, as one idx pair. The cache is cold; the
search for near-duplicates is off. Memory is anonymous memory above the import of PyTorch.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import struct
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from datasets import SHARED, WORK


def source(count: int) -> Path:
    """The idx pair, made once."""
    folder = WORK / f"affine_{count}"
    if (folder / "done").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    raw = gzip.decompress((SHARED / "data" / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    told = gzip.decompress((SHARED / "data" / "mnist" / "t10k-labels-idx1-ubyte.gz").read_bytes())
    pictures = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer(told, np.uint8, offset=8)
    chosen = np.arange(count) % len(labels)
    made = b"".join(moved(pictures[i], np.random.default_rng(k)).tobytes() for k, i in enumerate(chosen))  # fmt: skip
    files = {
        "t10k-images-idx3-ubyte.gz": struct.pack(">IIII", 2051, count, 28, 28) + made,
        "t10k-labels-idx1-ubyte.gz": struct.pack(">II", 2049, count) + labels[chosen].tobytes(),
    }
    for name, data in files.items():
        (folder / name).write_bytes(gzip.compress(data, 1))
    (folder / "done").touch()
    return folder


def moved(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random rotation (15 degrees), scale (10 %), shear (0.1) and shift (2 pixels)."""
    from scipy.ndimage import affine_transform

    turn, shear = np.deg2rad(rng.uniform(-15, 15)), rng.uniform(-0.1, 0.1)
    matrix = np.array([[np.cos(turn), -np.sin(turn) + shear], [np.sin(turn), np.cos(turn)]]) * rng.uniform(0.9, 1.1)  # fmt: skip
    offset = np.array([13.5, 13.5]) - matrix @ np.array([13.5, 13.5]) + rng.uniform(-2, 2, 2)
    return affine_transform(picture, matrix, offset, order=1)


def main() -> None:
    """Fit, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    data = source(given.count)
    import torch  # noqa: F401

    from tutelage.api import fit_run
    from tutelage.runtime import PeakMemory, anonymous_memory

    base, steps = anonymous_memory(), []

    def listener(event) -> None:
        if str(event.get("phase", "")).startswith("trunk") and "done" in event:
            steps.append((time.perf_counter(), event["done"], event["total"]))

    with tempfile.TemporaryDirectory() as scratch, PeakMemory() as memory:
        os.environ["TUTELAGE_CACHE"] = scratch + "/cache"
        start = time.perf_counter()
        fitted = fit_run(data, mode="deep", out=scratch, near_duplicates=False, listener=listener)
        seconds = time.perf_counter() - start
    train = [step for step in steps if step[2] == max(s[2] for s in steps)]
    fifth = given.count // 5
    first, last = pace(train, 0, fifth), pace(train, train[-1][1] - fifth, train[-1][1])
    told = {
        "count": given.count, "seconds": seconds, "peak_gb": (memory.peak - base) / 1e9, "first": first, "last": last,
        "ratio": last / first, "accuracy": fitted.results["test"]["accuracy"], "engine": fitted.results["engine"],
        "input": fitted.results["input"], "phases": fitted.results["seconds"],
    }  # fmt: skip
    if given.json:
        print(json.dumps(told))
        return
    for key, value in told.items():
        print(f"{key:10} {value}")


def pace(steps: list[tuple[float, int, int]], low: int, high: int) -> float:
    """Images a second between two counts."""
    some = [step for step in steps if low <= step[1] <= high]
    return (some[-1][1] - some[0][1]) / (some[-1][0] - some[0][0])


if __name__ == "__main__":
    main()
