"""Do suspected labels find planted errors? 5 % of trashnet's labels are flipped; prints a table.

    python benchmarks/label_errors.py [--share 0.05] [--seeds 3]

All parts are flipped. What the data has of its own errors counts against precision.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from datasets import ROOT, trashnet

TUTELAGE = Path(sys.executable).parent / "tutelage"
CACHE = {**os.environ, "TUTELAGE_CACHE": str(ROOT / ".cache" / "tutelage")}


def planted(source: Path, target: Path, share: float, seed: int) -> set[str]:
    """The table with some labels flipped at random; the flipped items."""
    with source.open() as stream:
        rows = list(csv.DictReader(stream))
    classes = sorted({row["label"] for row in rows})
    rng = random.Random(seed)
    chosen = rng.sample(rows, round(share * len(rows)))
    for row in chosen:
        row["label"] = rng.choice([name for name in classes if name != row["label"]])
    with target.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return {row["path"] for row in chosen}


def found(source: Path, folder: Path) -> tuple[set[str], set[str]]:
    """Suspected items, and all that could have been: those of a part that was judged."""
    done = subprocess.run([TUTELAGE, "fit", source, "--mode", "deep", "--json", "--out", folder], capture_output=True, text=True, env=CACHE, check=True)  # fmt: skip
    run = Path(json.loads(done.stdout)["run"])
    with (run / "suspects.csv").open() as stream:
        suspected = {row["name"] for row in csv.DictReader(stream)}
    with (run / "split.csv").open() as stream:
        judged = {row["name"] for row in csv.DictReader(stream) if row["part"] in ("train", "test")}
    return suspected, judged


def measure(share: float = 0.05, seeds: int = 3) -> list[tuple[float, float, int, int]]:
    """Recall, precision, suspected and planted, for each seed."""
    rows = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as made:
            table = Path(made) / "flipped.csv"
            wrong = planted(trashnet().path, table, share, seed)
            suspected, judged = found(table, Path(made))
            wrong &= judged
            rows.append((len(wrong & suspected) / len(wrong), len(wrong & suspected) / max(1, len(suspected)), len(suspected), len(wrong)))  # fmt: skip
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    print("recall  precision  suspected  planted")
    for recall, precision, suspected, wrong in measure(given.share, given.seeds):
        print(f"{recall:6.1%}  {precision:9.1%}  {suspected:9}  {wrong:7}")


if __name__ == "__main__":
    main()
