"""Texts: how close a cold fit is to one pass of the encoder, engine against eager, and few texts a class.

    python benchmarks/texts.py time       # banking77: P, eager, cold, warm
    python benchmarks/texts.py few        # 8 texts a class of banking77 and sst2, official test, 5 draws

The teacher is here before the clock starts; everything else (facts, engine, activations) is not.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from datasets import WORK, texts
from one_pass import fit

TUTELAGE = Path(sys.executable).parent / "tutelage"

PASS = """
import json, sys, time
from tutelage.data import open_source
from tutelage.features.choice import named
from tutelage.features.counters import Counters
from tutelage.features.extract import Extractor, Wanted, stream
from tutelage.teachers import load_teacher
data = open_source(sys.argv[1])
teacher = load_teacher("minilm")
engine = named(sys.argv[2].replace(" ", "-"), "cpu")
extractor = Extractor(teacher, len(teacher.card.stages), teacher.card.spec, engine)
wanted = [Wanted(str(i), e.item, (0,)) for i, e in enumerate(data.examples)][:: int(sys.argv[3])]
list(stream(extractor, wanted[:64], Counters()))
start = time.perf_counter()
rows = sum(len(keys) for keys, _ in stream(extractor, wanted, Counters()))
print(json.dumps({"seconds": time.perf_counter() - start, "rows": rows}))
"""


def one_pass(source: Path, cache: Path, engine: str, every: int = 1) -> dict:
    """All texts (or every k-th) through the encoder, tokens included, in an engine."""
    environment = {**os.environ, "TUTELAGE_CACHE": str(cache)}
    command = [sys.executable, "-c", PASS, str(source), engine, str(every)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout)


def time() -> dict:
    """Bar 8.2, in one run."""
    source = texts("banking77").path
    with tempfile.TemporaryDirectory() as scratch:
        cache, out = Path(scratch) / "cache", Path(scratch) / "runs"
        environment = {**os.environ, "TUTELAGE_CACHE": str(cache)}
        subprocess.run([TUTELAGE, "teachers", "get", "minilm"], env=environment, check=True, capture_output=True)  # fmt: skip
        cold, told = fit(source, out, cache)
        passed = one_pass(source, cache, told["engine"])
        eager = one_pass(source, cache, "torch f32", 10)
        warm, again = fit(source, out, cache)
    rates = passed["rows"] / passed["seconds"], eager["rows"] / eager["seconds"]
    return {
        "engine": told["engine"], "P": passed["seconds"], "cold": cold, "bound": 1.2 * passed["seconds"] + 8, "warm": warm,
        "rate": rates[0], "eager": rates[1], "ratio": rates[0] / rates[1], "accuracy": told["test"]["accuracy"],
        "warm_computed": again["counters"]["rows_computed"], "phases": told["seconds"], "warm_phases": again["seconds"],
    }  # fmt: skip


def drawn(name: str, each: int, seed: int) -> Path:
    """``each`` training texts a class by a hash with a seed, beside the whole official test part."""
    with texts(name).path.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] != "val"]
    ranked: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: sha256(f"{seed}|{r['text']}".encode()).hexdigest()):
        if row["split"] == "train":
            ranked[row["label"]].append(row)
    kept = [row for same in ranked.values() for row in same[:each]]
    path = WORK / f"{name}_{each}_{seed}.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["text", "label", "split"])
        writer.writeheader()
        writer.writerows([*kept, *(row for row in rows if row["split"] == "test")])
    return path


def few(each: int = 8, seeds: int = 5) -> dict:
    """Accuracy and seconds at a few texts a class, mode deep; the cache holds the test texts after the first draw."""
    found = {}
    for name in ("banking77", "sst2"):
        with tempfile.TemporaryDirectory() as scratch:
            runs = [fit(drawn(name, each, seed), Path(scratch), WORK.parent / "tutelage")[1] for seed in range(seeds)]  # fmt: skip
        scores = [run["test"]["accuracy"] for run in runs]
        found[name] = {
            "accuracy": statistics.mean(scores), "deviation": statistics.stdev(scores), "draws": scores,
            "seconds": min(run["seconds"]["total"] for run in runs),
        }  # fmt: skip
    return found


if __name__ == "__main__":
    print(json.dumps({"time": time, "few": few}[sys.argv[1]]()))
