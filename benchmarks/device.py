"""An accelerator beside the processor of the same machine: `python benchmarks/device.py laws|fits [DEVICE]`.

    laws    the law of the cut, alone against in a batch, and how far float32 there is from float32 here
    fits    seconds and accuracy of a fit in each mode on either; what the students of the one answer on the other

Each prints a table and one JSON value last. The engine is eager PyTorch in float32 on both, so that they compare.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from datasets import SHARED, WORK
from security import EVIDENCE, unguarded

PHOTOS = 48
NEAR = 1e-4
"""Relative error of features in float32 on two kinds of hardware."""


def laws(device: str) -> dict[str, Any]:
    """Figures that tests on the processor hold, on the device."""
    import torch

    from tutelage.data import open_source
    from tutelage.features.engine import engine, run
    from tutelage.features.extract import trunk_program
    from tutelage.features.torch_engine import torch_spec
    from tutelage.modality.perturb import batch_of, windows_of
    from tutelage.network.stages import copied
    from tutelage.teachers import load_teacher

    teacher = load_teacher()
    spec, depth = teacher.card.spec, len(teacher.card.stages)
    items = [e.item for e in open_source(EVIDENCE["trashnet"].path).examples[::30]][:PHOTOS]
    batch = batch_of(windows_of(items, teacher.modality, spec), teacher.modality, spec)
    program = trunk_program(teacher, depth, spec, teacher.blank(spec))
    there, here = (engine(torch_spec(d))(program) for d in (device, "cpu"))
    near, far = run(here, batch), run(there, batch)
    alone = [run(there, {k: a[i : i + 1] for k, a in batch.items()}) for i in range(4)]
    short = [there._module({k: torch.from_numpy(a[:16]).to(device) for k, a in batch.items()})["x"].cpu().numpy()]  # type: ignore[attr-defined]  # fmt: skip
    found = {
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else device, "torch": torch.__version__,
        "float32 there against here": error(far["x"], near["x"]),
        "with TF32, as PyTorch has it": error(short[0], near["x"][:16]),
        "alone against in a batch": max(float(np.abs(a["x"][0] - far["x"][i]).max()) for i, a in enumerate(alone)),
        "the same twice": float(np.abs(run(there, batch)["x"] - far["x"]).max()),
    }  # fmt: skip
    worst = 0.0
    whole = copied(teacher.network.trunk(depth), device)
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):  # fmt: skip
        prepared = copied(teacher.prepare(spec), device)({k: torch.from_numpy(a[:16]).to(device) for k, a in batch.items()})  # fmt: skip
        expected = whole(prepared)["x"]
        for cut in range(1, depth):
            x = copied(teacher.network.trunk(cut), device)(prepared)
            for stage in teacher.network.stages[cut:]:
                x = copied(stage.module, device)(x)
            worst = max(worst, float((x["x"] - expected).abs().max()))
    found["law of the cut, worst of all cuts"] = worst
    shared = {str(p.device) for p in teacher.network.model.parameters()}
    assert shared == {"cpu"}, shared
    assert found["alone against in a batch"] == 0 == worst
    assert found["float32 there against here"] < NEAR
    return found


def error(a: Any, b: Any) -> float:
    """Relative, in the norm."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def fits(device: str) -> list[dict[str, Any]]:
    """A row a mode and place; then the answers of each student on both."""
    rows = []
    for mode in ("deep", "mid", "full"):
        for place in dict.fromkeys((device, "cpu") if mode != "full" else (device,)):
            rows.append(fitted("trashnet", mode, place))
            print(json.dumps(rows[-1]), flush=True)
    return rows


def fitted(name: str, mode: str, place: str) -> dict[str, Any]:
    """One fit from nothing but the weights, then its answers with and without the accelerator."""
    from tutelage.api import fit_run

    source = EVIDENCE[name]
    os.environ["TUTELAGE_CACHE"] = str(WORK / "device" / f"cache-{mode}-{place}-{time.time_ns()}")
    started = time.perf_counter()
    with unguarded():
        told = fit_run(source.path, out=WORK / "device" / f"{place}-{time.time_ns()}", name=name, mode=mode, device=place, engine="torch-f32", **source.dials)  # fmt: skip
    spent = time.perf_counter() - started
    run_folder = str(told.run)
    answers = {where: asked(run_folder, where) for where in (place, "cpu")}
    gap = float(np.abs(answers[place] - answers["cpu"]).max())
    same = float((answers[place].argmax(1) == answers["cpu"].argmax(1)).mean())
    results = json.loads((Path(run_folder) / "results.json").read_text())
    return {
        "data": name, "mode": mode, "on": place, "seconds": round(spent, 1), "accuracy": results["test"]["accuracy"],
        "phases": {k: round(v, 1) for k, v in results["seconds"].items()}, "largest difference of an answer on cpu": gap, "same class": same,
    }  # fmt: skip


ASK = """
import sys, numpy as np
from tutelage import load
student = load(sys.argv[1])
print(student.stands_in or f"{student.engine} on {student.engine.device}", file=sys.stderr)
np.save(sys.argv[2], student.predict_proba(sorted(__import__("pathlib").Path(sys.argv[3]).glob("*/*.jpg"))[:200:2]))
"""


def asked(run: str, where: str) -> Any:
    """Answers in a process that sees the accelerator, or none."""
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if where == "cpu" else {}
    target = WORK / "device" / f"answers-{time.time_ns()}.npy"
    subprocess.run([sys.executable, "-c", ASK, run, target, SHARED / "data" / "trashnet"], check=True, env={**os.environ, **hidden})  # fmt: skip
    return np.load(target)


def main() -> None:
    """Run what is named."""
    what, *rest = sys.argv[1:]
    print(json.dumps({"laws": laws, "fits": fits}[what](rest[0] if rest else "cuda"), indent=1))


if __name__ == "__main__":
    main()
