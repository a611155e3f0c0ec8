"""The demonstration: an ImageNet network learns to read handwriting from 20 digits a class.

Data: the UCI handwritten digits that come with scikit-learn (1,797 scans of 8 x 8 pixels), written
out as PNG files. Beside the student stand two classics on the raw pixels; the page says who wins.
Exits 1 if the student loses to nearest-mean.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

PER_CLASS = 20
ROOT = Path(__file__).resolve().parents[1]


def write_digits(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """PNG files below train/ and test/; returns images (N, 8, 8) uint8, labels, and who trains."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    labels = digits.target
    order = np.random.default_rng(0).permutation(len(labels))
    trains = np.zeros(len(labels), bool)
    for digit in range(10):
        trains[order[labels[order] == digit][:PER_CLASS]] = True
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / ("train" if trains[index] else "test") / str(label) / f"{index:04d}.png"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return images, labels, trains


def beside(images: np.ndarray, labels: np.ndarray, trains: np.ndarray) -> list[dict[str, object]]:
    """What two classics on raw pixels reach on the same split."""
    from sklearn.neighbors import NearestCentroid
    from sklearn.svm import SVC

    pixels = images.reshape(len(images), -1) / 255
    rows: list[dict[str, object]] = []
    for method, model in (
        ("nearest mean on raw pixels", NearestCentroid()),
        ("SVM (RBF) on raw pixels", SVC()),
    ):
        start = time.perf_counter()
        warnings.simplefilter("ignore", UserWarning)  # some pixels are white on every scan
        model.fit(pixels[trains], labels[trains])
        correct = int((model.predict(pixels[~trains]) == labels[~trains]).sum())
        seconds = time.perf_counter() - start
        rows.append(
            {"method": method, "correct": correct, "n": int((~trains).sum()), "seconds": seconds}
        )
    return rows


def main() -> int:
    """Write the digits, fit, compare, tell."""
    from tutelage.api import fit_run
    from tutelage.cli.output import progress

    folder = ROOT / ".cache" / "digits"
    rows = beside(*write_digits(folder))
    with progress() as listener:
        fitted = fit_run(folder, out=ROOT / "runs", name="demo", beside=rows, listener=listener)
    comparison = fitted.results["comparison"]
    print("An ImageNet network learned to read handwriting, from 20 scans a digit:\n")
    for row in comparison["rows"]:
        print(
            f"  {row['method']:<32} {100 * row['accuracy']:5.1f} %  ({100 * row['low']:.1f} to {100 * row['high']:.1f})  {row['seconds']:.1f} s"
        )
    print(f"\n{comparison['verdict']}")
    print(f"student  {fitted.results['student']}")
    print(f"report   {fitted.run / 'report.html'}")
    return int(comparison["rows"][0]["accuracy"] < comparison["rows"][1]["accuracy"])


if __name__ == "__main__":
    sys.exit(main())
