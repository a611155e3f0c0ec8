"""The cells of the regret grid: a data set, so many images a class, a teacher, a seed, an input size."""

from __future__ import annotations

import csv
import hashlib
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from datasets import SHARED, mnist
from tutelage.teachers import Asked

HOME = Path(__file__).resolve().parents[1] / ".cache" / "regret"
SETS = ("hymenoptera", "trashnet", "weather4", "pacs_cartoon", "busi", "mnist", "digits")
MANY = ("busi", "trashnet", "mnist")
"""Sets whose images are all taken, up to ``ALL``."""
ALL, TESTED = 1800, 450
TEACHERS = {
    "lite0": Asked(),
    "mobilenet_v2": Asked(str(SHARED / "weights" / "mobilenet_v2.fp16.pth"), arch="mobilenet_v2"),
}


@dataclass(frozen=True)
class Cell:
    """One place of the grid; ``each`` 0 stands for all images."""

    data: str
    each: int
    teacher: str
    seed: int
    size: int

    def __str__(self) -> str:
        return f"{self.data}-{self.each or 'all'}-{self.teacher}-{self.seed}-{self.size}"


def cells() -> Iterator[Cell]:
    """All cells, those that tell most first."""
    for each in (20, 50, 5):
        yield from (Cell(name, each, "lite0", 0, 128) for name in SETS)
    yield from (Cell(name, 0, "lite0", 0, 128) for name in MANY)
    for each in (20, 5, 50):
        yield from (Cell(name, each, "lite0", 1, 128) for name in SETS if each == 20)
        yield from (Cell(name, each, "mobilenet_v2", 0, 128) for name in SETS)
        yield from (Cell(name, each, "lite0", 1, 128) for name in SETS if each != 20)
    for each in (20, 50, 5):
        yield from (Cell(name, each, "lite0", 2, 128) for name in SETS)
    for each in (5, 20):
        yield from (Cell(name, each, "lite0", 0, 224) for name in SETS if name != "mnist")
    yield from (Cell("caltech101_15", 5, teacher, 0, 128) for teacher in TEACHERS)


def table(cell: Cell) -> Path:
    """The cell's data as a table with paths, labels and parts."""
    path = HOME / "tables" / f"{cell.data}-{cell.each or 'all'}-{cell.seed}.csv"
    if path.exists():
        return path
    train, test = _pools(cell.data)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", "split"])
        for label, files in sorted(_drawn(train, cell).items()):
            writer.writerows([file, label, "train"] for file in files)
        for label, files in sorted(test.items()):
            writer.writerows([file, label, "test"] for file in files)
    return path


Pool = dict[str, list[Path]]


def _drawn(train: Pool, cell: Cell) -> Pool:
    rng = random.Random(f"{cell.data}|{cell.seed}")
    mixed = {label: rng.sample(files, len(files)) for label, files in sorted(train.items())}
    if cell.each:
        return {label: files[: cell.each] for label, files in mixed.items()}
    share = min(1.0, ALL / sum(map(len, mixed.values())))
    return {label: files[: round(share * len(files))] for label, files in mixed.items()}


def _pools(name: str) -> tuple[Pool, Pool]:
    """Items to train on and the fixed test items; the official parts where there are some."""
    root = SHARED / "data" / name
    if name == "hymenoptera":
        return _by_folder(root / "train"), _by_folder(root / "val")
    if name == "trashnet":
        listed = (SHARED / "data" / "trashnet.official_test.txt").read_text().splitlines()
        official = {line.split()[0] for line in listed if line.strip()}
        whole = _by_folder(root)
        test = {label: [f for f in files if f.name in official] for label, files in whole.items()}
        return {k: [f for f in files if f.name not in official] for k, files in whole.items()}, test
    whole = {"mnist": _mnist, "digits": _digits}.get(name, lambda: _by_folder(root))()
    keep = _kept({label: len(files) for label, files in whole.items()})
    return (
        {label: files[keep[label] :] for label, files in whole.items()},
        {label: files[: keep[label]] for label, files in whole.items()},
    )


def _kept(sizes: dict[str, int]) -> dict[str, int]:
    """Test items of each class: ``TESTED`` in all, in the classes' own shares where these are uneven.

    At least 50 of a class stay to learn from, of a small one two thirds.
    """
    uneven = max(sizes.values()) > 2 * min(sizes.values())
    share = TESTED / sum(sizes.values())
    wished = {k: round(share * n) if uneven else TESTED // len(sizes) for k, n in sizes.items()}
    return {k: min(wished[k], n - 50 if n > 60 else n // 3) for k, n in sizes.items()}


def _by_folder(root: Path) -> Pool:
    found: Pool = defaultdict(list)
    for path in root.glob("*/*"):
        found[path.parent.name].append(path)
    return {label: sorted(files, key=_hash) for label, files in sorted(found.items())}


def _hash(path: Path) -> str:
    return hashlib.sha256(f"{path.parent.name}/{path.name}".encode()).hexdigest()


def _mnist() -> Pool:
    return _by_folder(_written("mnist", _mnist_images))


def _digits() -> Pool:
    return _by_folder(_written("digits", _digit_images))


def _written(name: str, images) -> Path:
    from PIL import Image

    root = HOME / name
    if not (root / "done").exists():
        for number, (pixels, label) in enumerate(images()):
            path = root / str(label) / f"{number:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        (root / "done").touch()
    return root


def _mnist_images():
    import gzip

    import numpy as np

    source = mnist(5000).path
    raw = gzip.decompress((source / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((source / "t10k-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)
    yield from zip(pixels, labels[8:], strict=True)


def _digit_images():
    import numpy as np
    from sklearn.datasets import load_digits

    data = load_digits()
    for image, label in zip(data.images, data.target, strict=True):
        yield np.rint(image * (255 / 16)).astype(np.uint8), int(label)
