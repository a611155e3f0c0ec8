"""Bars of the freezing decision that need no grid: what advice costs, and that a time limit is kept.

    python benchmarks/advice.py cost     # cold advice against one pass over the data set
    python benchmarks/advice.py limit    # fit --time-limit 60s on seven data sets

Each prints one JSON list of rows.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from datasets import folder, hymenoptera, mnist, trashnet
from one_pass import PASS, TUTELAGE

SETS = {
    "trashnet": lambda: trashnet().path, "hymenoptera": lambda: hymenoptera().path, "weather4": lambda: folder("weather4").path,
    "caltech101_15": lambda: folder("caltech101_15").path, "pacs_cartoon": lambda: folder("pacs_cartoon").path,
    "busi": lambda: folder("busi").path, "mnist": lambda: mnist(10_000).path,
}  # fmt: skip
LARGE = ("trashnet", "mnist")
"""Sets of at least 1,000 training images of one view."""


def told(verb: str, source: Path, cache: Path, out: Path, *flags: str) -> tuple[float, dict]:
    """Wall seconds of the whole command, and what it told."""
    start = time.perf_counter()
    done = subprocess.run(
        [TUTELAGE, verb, source, "--json", "--out", out, *flags], capture_output=True, text=True,
        env={**os.environ, "TUTELAGE_CACHE": str(cache)},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - start, json.loads(done.stdout)


def one_pass(source: Path, cache: Path, engine: str) -> float:
    """Decoding and the trunk over every image of the data set, one view, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PASS, str(source), engine], capture_output=True, text=True, check=True,
        env={**os.environ, "TUTELAGE_CACHE": str(cache)},
    )  # fmt: skip
    return json.loads(done.stdout)["seconds"]


def cost() -> list[dict]:
    """Cold: an empty cache, the teacher converted, the engine measured."""
    rows = []
    for name in LARGE:
        source = SETS[name]()
        with tempfile.TemporaryDirectory() as scratch:
            cache, out = Path(scratch) / "cache", Path(scratch) / "runs"
            seconds, advice = told("advise", source, cache, out)
            passed = one_pass(source, cache, advice["engine"])
            shutil.rmtree(cache)
        rows.append({"data": name, "seconds": seconds, "pass": passed, "bound": 1.15 * passed + 8, "images": advice["images"], "phases": advice["seconds"]})  # fmt: skip
    return rows


def limit() -> list[dict]:
    """A fit from process start to its last line, with a limit of a minute."""
    rows, cache = [], Path(os.environ.get("TUTELAGE_CACHE", Path(__file__).parents[1] / ".cache" / "tutelage"))  # fmt: skip
    for name, source in SETS.items():
        with tempfile.TemporaryDirectory() as out:
            fresh = Path(out) / "cache"
            for part in ("teachers", "engines", "machine.json"):
                if (cache / part).exists():
                    copy = shutil.copytree if (cache / part).is_dir() else shutil.copy
                    fresh.mkdir(exist_ok=True)
                    copy(cache / part, fresh / part)
            seconds, fitted = told("fit", source(), fresh, Path(out) / "runs", "--time-limit", "60s")  # fmt: skip
            saved = (Path(fitted["student"]) / "student.json").exists()
        rows.append({"data": name, "seconds": seconds, "saved": saved, "mode": fitted["mode"], "accuracy": fitted["test"]["accuracy"],
                     "dropped": [w for w in fitted["warnings"] if "time" in w], "phases": fitted["seconds"]})  # fmt: skip
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    print(json.dumps({"cost": cost, "limit": limit}[sys.argv[1]]()))
