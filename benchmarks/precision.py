"""Does reduced precision change answers? Whole students in f32 and in bf16, the same split of each data set.

    python benchmarks/precision.py [--teacher squeezenet1_1] [--json]

SqueezeNet 1.1 is a teacher whose students may be made in bf16; `--teacher efficientnet_lite0` shows what is refused.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from bars import fit
from datasets import SHARED, folder, hymenoptera, mnist, trashnet
from engines import file_of

SETS = {
    "hymenoptera": hymenoptera, "trashnet": trashnet, "weather4": lambda: folder("weather4"),
    "pacs_cartoon": lambda: folder("pacs_cartoon"), "busi": lambda: folder("busi"),
    "caltech101_15": lambda: folder("caltech101_15"), "mnist 5,000": lambda: mnist(5000),
}  # fmt: skip


def answers(source, engine: str, out: str, teacher: dict) -> tuple[list[str], list[str]]:
    """What a student in an engine says of the test items, and what they are."""
    told = fit(source, mode="deep", engine=engine, out=out, **teacher)
    with (Path(told["run"]) / "test_items.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [row["told"] for row in rows], [row["label"] for row in rows]


def measured(name: str, source, teacher: dict) -> dict:
    """One data set."""
    with tempfile.TemporaryDirectory() as out:
        (exact, truth), (reduced, _) = (answers(source, e, out, teacher) for e in ("openvino-f32", "openvino-bf16"))  # fmt: skip
    n = len(truth)
    return {
        "data": name, "n": n, "same": sum(a == b for a, b in zip(exact, reduced, strict=True)),
        "f32": sum(a == t for a, t in zip(exact, truth, strict=True)),
        "bf16": sum(a == t for a, t in zip(reduced, truth, strict=True)),
    }  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--teacher", default="squeezenet1_1")
    given = parser.parse_args()
    teacher = {} if given.teacher == "efficientnet_lite0" else {"teacher": SHARED / "weights" / file_of(given.teacher), "arch": given.teacher}  # fmt: skip
    rows = [measured(name, make(), teacher) for name, make in SETS.items()]
    if given.json:
        print(json.dumps(rows))
        return
    for r in rows:
        print(f"{r['data']:16} n {r['n']:5}  same {r['same'] / r['n']:.2%}  f32 {r['f32'] / r['n']:.3f}  bf16 {r['bf16'] / r['n']:.3f}")  # fmt: skip
    n = sum(r["n"] for r in rows)
    print(f"pooled: same {sum(r['same'] for r in rows) / n:.2%}, bf16 minus f32 {100 * sum(r['bf16'] - r['f32'] for r in rows) / n:+.2f} points of {n}")  # fmt: skip


if __name__ == "__main__":
    main()
