"""How close is a cold `fit --mode deep` to one pass over the data? Prints a table; a ratio in one run.

P is the floor: decoding and the trunk, overlapped, over every image that the fit reads, in the
engine that it uses; measured here with the same functions and nothing else. Then the fit itself is
timed from process start to saved student, cold (empty cache) and warm.

    python benchmarks/one_pass.py [--repeat 3] [--data mnist]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from datasets import Source, mnist, trashnet

TUTELAGE = Path(sys.executable).parent / "tutelage"

PASS = """
import json, sys, time
import numpy as np
from tutelage.data import open_source
from tutelage.features.counters import Counters
from tutelage.features.extract import Extractor, Wanted, stream
from tutelage.teachers import load_teacher
data = open_source(sys.argv[1])
teacher = load_teacher()
seen = np.asarray(teacher.modality.read(data.examples[0].item)).shape
spec = teacher.modality.spec(teacher.card.spec, [max(seen[:2])])
from tutelage.features.choice import named
engine = named(sys.argv[2].replace(" ", "-"), "cpu")
extractor = Extractor(teacher, len(teacher.card.stages), spec, engine)
wanted = [Wanted(str(i), e.item, (0,)) for i, e in enumerate(data.examples) if e.part != "val"]
extractor.compile(teacher.blank(spec))
start = time.perf_counter()
rows = sum(len(keys) for keys, _ in stream(extractor, wanted, Counters()))
print(json.dumps({"seconds": time.perf_counter() - start, "rows": rows, "engine": str(engine)}))
"""


def fit(source: Path, out: Path, cache: Path) -> tuple[float, dict]:
    """Process start to saved student (``student.json`` is written last), and what the fit told."""
    environment = {**os.environ, "TUTELAGE_CACHE": str(cache)}
    start = time.time()
    done = subprocess.run(
        [TUTELAGE, "fit", source, "--mode", "deep", "--json", "--out", out],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    return (Path(told["student"]) / "student.json").stat().st_mtime - start, told


def one_pass(source: Path, cache: Path, engine: str) -> dict:
    """P, in a process of its own, in the engine that the fit took."""
    environment = {**os.environ, "TUTELAGE_CACHE": str(cache)}
    done = subprocess.run([sys.executable, "-c", PASS, str(source), engine], capture_output=True, text=True, env=environment, check=True)  # fmt: skip
    return json.loads(done.stdout)


SOURCES = {"trashnet": trashnet, "mnist": mnist}


def measure(data: Source) -> dict:
    """One cold fit, one warm fit, and P between them, on this machine as it is now."""
    source = data.path
    with tempfile.TemporaryDirectory() as scratch:
        cold_cache, out = Path(scratch) / "cache", Path(scratch) / "runs"
        cold, told = fit(source, out, cold_cache)
        passed = one_pass(source, cold_cache, told["engine"])
        warm, again = fit(source, out, cold_cache)
        shutil.rmtree(cold_cache)
    return {
        "P": passed["seconds"], "rows": passed["rows"], "engine": passed["engine"], "cold": cold, "warm": warm,
        "bound": 1.3 * passed["seconds"] * told["views"] + 10, "accuracy": told["test"]["accuracy"],
        "warm_decoded": again["counters"]["decoded"], "warm_batches": again["counters"]["batches"],
        "phases": told["seconds"], "warm_phases": again["seconds"],
    }  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--data", choices=SOURCES, default="trashnet", help="mnist: 10,000 images")
    arguments = parser.parse_args()
    runs = [measure(SOURCES[arguments.data]()) for _ in range(arguments.repeat)]
    if arguments.json:
        print(json.dumps(runs))
        return
    print(
        f"{'P s':>8} {'cold s':>8} {'1.3P+10':>8} {'cold/P':>8} {'warm s':>8} {'decoded':>8} {'batches':>8}  engine"
    )
    for r in runs:
        print(
            f"{r['P']:8.1f} {r['cold']:8.1f} {r['bound']:8.1f} {r['cold'] / r['P']:8.2f} {r['warm']:8.1f} {r['warm_decoded']:8} {r['warm_batches']:8}  {r['engine']}"
        )
    print(
        "median cold",
        statistics.median(r["cold"] for r in runs),
        "phases",
        runs[-1]["phases"],
        "warm",
        runs[-1]["warm_phases"],
    )


if __name__ == "__main__":
    main()
