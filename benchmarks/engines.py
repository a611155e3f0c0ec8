"""Is the engine that was chosen the fastest, and what did choosing cost? Prints a table; ratios in one run.

    python benchmarks/engines.py [--json]

Five networks, random values where there is no weight file at hand (they serve for timing). Every engine of the
table is then measured five times in turn, on whole batches of photographs, and the medians are compared. An
engine whose features are too far off is shown and does not count: it gives other answers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from datasets import SHARED

ROUNDS, SECONDS = 5, 0.6


def teachers():
    """Name -> teacher."""
    from tutelage.modality import InputSpec
    from tutelage.teachers import Asked, load_teacher, teacher_from_module

    yield "efficientnet_lite0", load_teacher()
    for name, file in (("mobilenet_v2", "mobilenet_v2.fp16.pth"), ("squeezenet1_1", file_of("squeezenet1_1"))):  # fmt: skip
        yield name, load_teacher(Asked(str(SHARED / "weights" / file), arch=name))
    import torch
    from torchvision import models

    torch.manual_seed(0)
    yield "resnet50 (random)", teacher_from_module(models.resnet50(), name="resnet50-random")
    net = models.inception_v3(init_weights=False, aux_logits=False)
    yield "inception_v3 (random)", teacher_from_module(net, InputSpec(299, 342), name="inception-random")  # fmt: skip


def file_of(arch: str) -> str:
    return next(p.name for p in sorted((SHARED / "weights").iterdir()) if p.name.startswith(arch) and p.suffix in (".pth", ".safetensors"))  # fmt: skip


def photographs(spec) -> dict[str, np.ndarray]:
    """Sixteen photos, as the image modality makes them ready."""
    from tutelage.modality.images import IMAGES

    paths = sorted((SHARED / "data" / "trashnet").glob("*/*.jpg"))[::158][:16]
    return IMAGES.collate([IMAGES.augment(IMAGES.read(path), spec, None) for path in paths])


def rate(compiled, batch) -> float:
    start, rows = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        rows += sum(len(out["x"]) for out in compiled.stream([batch, batch]))
    return rows / (time.perf_counter() - start)


def measured(name: str, teacher) -> dict:
    """One network: what choosing took, and what every engine does."""
    from tutelage.features.choice import NAMES, engine_for, named
    from tutelage.features.engine import engine
    from tutelage.features.extract import trunk_program

    spec = teacher.card.spec
    batch = photographs(spec)
    program = trunk_program(teacher, len(teacher.card.stages), spec, teacher.blank(spec))
    engine(named("openvino-f32", "cpu"))(program)  # converted: a fit needs that anyway
    start = time.perf_counter()
    choice = engine_for(teacher, spec, "cpu", sample=lambda: batch)
    spent = time.perf_counter() - start
    compiled = {
        str(named(n, "cpu")): engine(named(n, "cpu"))(program) for n in NAMES if n != "torch-bf16"
    }
    for one in compiled.values():
        rate(one, batch)
    rounds = [{n: rate(one, batch) for n, one in compiled.items()} for _ in range(ROUNDS)]
    rates = {n: statistics.median(r[n] for r in rounds) for n in compiled}
    off = {row["engine"]: row["why_not"] for row in choice.table if row["images_per_second"] == 0}
    allowed = {n: r for n, r in rates.items() if n not in off}
    return {
        "teacher": name, "chosen": str(choice.spec), "seconds": spent, "rates": rates, "left_out": off,
        "behind": 1 - rates[str(choice.spec)] / max(allowed.values()), "pass_seconds": 2500 / rates[str(choice.spec)],
    }  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TUTELAGE_CACHE"] = cache
        rows = [measured(name, teacher) for name, teacher in teachers()]
    if given.json:
        print(json.dumps(rows))
        return
    for r in rows:
        told = ", ".join(f"{n} {v:.0f}/s" for n, v in r["rates"].items())
        print(f"{r['teacher']:24} {r['chosen']:14} {100 * r['behind']:5.1f} % behind  chosen in {r['seconds']:.1f} s  {told}  {r['left_out'] or ''}")  # fmt: skip


if __name__ == "__main__":
    main()
