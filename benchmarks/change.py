"""What do a few more images cost? Against the cold fit of the same data, in one run.

    python benchmarks/change.py [--json]

trashnet without its class `trash` and without 1 % of its images is fitted cold; then the 1 % are added, then the
class, then both are forgotten: processes of their own, from start to end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from datasets import SHARED

TUTELAGE = Path(sys.executable).parent / "tutelage"
LATER = "trash"


def parts(root: Path) -> None:
    """``base``, ``more`` (1 % of the images) and ``class`` below ``root``, as links."""
    for path in sorted((SHARED / "data" / "trashnet").glob("*/*.jpg")):
        label, number = path.parent.name, int("".join(filter(str.isdigit, path.stem)))
        part = "class" if label == LATER else "more" if number % 100 == 37 else "base"
        target = root / part / label / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)


def timed(*arguments: object, cache: Path) -> tuple[float, dict]:
    start = time.perf_counter()
    done = subprocess.run(
        [TUTELAGE, "fit", *map(str, arguments), "--json"],
        capture_output=True, text=True, check=True, env={**os.environ, "TUTELAGE_CACHE": str(cache)},
    )  # fmt: skip
    return time.perf_counter() - start, json.loads(done.stdout)


def measure() -> dict:
    """Seconds of each step, and how exact forgetting is."""
    import tutelage as tl

    with tempfile.TemporaryDirectory() as scratch:
        root, cache = Path(scratch), Path(scratch) / "cache"
        parts(root)
        out = ("--out", root / "runs")
        cold, base = timed(root / "base", "--mode", "deep", *out, cache=cache)
        more, added = timed(root / "more", "--extend", base["run"], *out, cache=cache)
        cls, widened = timed(root / "class", "--extend", added["run"], *out, cache=cache)
        again, once = timed(root / "class", "--extend", added["run"], *out, cache=cache)
        gone, forgot = timed(root / "more", "--forget", added["run"], *out, cache=cache)
        one, two = tl.load(base["run"]).head.weight, tl.load(forgot["run"]).head.weight
        return {
            "cold": cold, "images": base["split"]["train"] + base["split"]["test"], "more": more, "added": added["change"]["added"],
            "more_phases": added["seconds"], "class": cls, "class_images": widened["change"]["added"], "class_again": again, "class_again_phases": once["seconds"],
            "class_phases": widened["seconds"], "forget": gone, "forgot_error": float(np.abs(one - two).max() / np.abs(one).max()),
        }  # fmt: skip


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    r = measure()
    if parser.parse_args().json:
        print(json.dumps(r))
        return
    print(f"cold fit of {r['images']} images: {r['cold']:.1f} s")
    print(
        f"{r['added']} more images: {r['more']:.2f} s ({r['more'] / r['cold']:.1%} of cold)  {r['more_phases']}"
    )
    print(
        f"a class of {r['class_images']} images: {r['class']:.2f} s; with its features in the cache {r['class_again']:.2f} s  {r['class_phases']}"
    )
    print(f"forgotten again: {r['forget']:.2f} s; the head is off by {r['forgot_error']:.1e}")


if __name__ == "__main__":
    main()
