"""The real data sets of the bars, as sources that `tutelage fit` takes. Nothing is copied but lists."""

from __future__ import annotations

import csv
import gzip
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
WORK = ROOT / ".cache" / "bars"


@dataclass(frozen=True)
class Source:
    """Where the data is, and the dials that its bar names."""

    path: Path
    dials: dict[str, Any] = field(default_factory=dict)


def trashnet() -> Source:
    """Its official split, as a table with a ``split`` column."""
    data, table = SHARED / "data" / "trashnet", WORK / "trashnet.csv"
    WORK.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", "split"])
        for part in ("train", "val", "test"):
            listed = (SHARED / "data" / f"trashnet.official_{part}.txt").read_text().split("\n")
            for name in (line.split()[0] for line in listed if line.strip()):
                label = name.rstrip("0123456789.jpg")
                writer.writerow([data / label / name, label, part])
    return Source(table)


def hymenoptera() -> Source:
    """Official train and val; val is the reported test part."""
    return Source(SHARED / "data" / "hymenoptera")


def folder(name: str, **dials: Any) -> Source:
    """A folder of classes without parts of its own."""
    return Source(SHARED / "data" / name, dials)


def mnist(count: int = 10_000, **dials: Any) -> Source:
    """The first ``count`` images of MNIST's test part, as an idx pair of their own."""
    target = WORK / f"mnist_{count}"
    target.mkdir(parents=True, exist_ok=True)
    for kind, magic, size in (("images-idx3", 2051, 784), ("labels-idx1", 2049, 1)):
        name = f"t10k-{kind}-ubyte.gz"
        raw = gzip.decompress((SHARED / "data" / "mnist" / name).read_bytes())
        head = 16 if size > 1 else 8
        shape = (
            struct.pack(">IIII", magic, count, 28, 28)
            if size > 1
            else struct.pack(">II", magic, count)
        )
        if not (target / name).exists():
            (target / name).write_bytes(gzip.compress(shape + raw[head : head + count * size], 1))
    return Source(target, dials)


def texts(name: str, **dials: Any) -> Source:
    """A data set of texts with its official parts, as a table with the columns text, label and split."""
    rows = {"banking77": _banking77, "sst2": _sst2, "trec": _trec, "sms": _sms}[name]()
    WORK.mkdir(parents=True, exist_ok=True)
    table = WORK / f"{name}.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label", "split"])
        writer.writerows(rows)
    return Source(table, dials)


Texts = list[tuple[str, str, str]]


def _text(name: str) -> Path:
    return SHARED / "data" / "text" / name


def _banking77() -> Texts:
    found = []
    for part in ("train", "test"):
        with (_text("banking77") / f"{part}.csv").open(encoding="utf-8", newline="") as stream:
            found += [(row["text"], row["category"], part) for row in csv.DictReader(stream)]
    return found


def _sst2() -> Texts:
    found = []
    for part, file in (("train", "train"), ("val", "dev"), ("test", "test")):
        lines = (_text("sst2") / f"{file}.tsv").read_text(encoding="utf-8").splitlines()
        found += [(*line.rsplit("\t", 1), part) for line in lines if line.strip()]
    return found


def _trec() -> Texts:
    found = []
    for part in ("train", "test"):
        lines = (_text("trec") / f"TREC.{part}.all").read_text(encoding="latin-1").splitlines()
        found += [(line.split(" ", 1)[1], line.split(" ", 1)[0], part) for line in lines if line]
    return found


def _sms() -> Texts:
    lines = (_text("sms") / "sms.tsv").read_text(encoding="utf-8").splitlines()
    return [(line.split("\t", 1)[1], line.split("\t", 1)[0], "") for line in lines if line]
