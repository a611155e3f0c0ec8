"""The bars of what can be seen: synthesis, attribution and the atlas's cost.

    python benchmarks/view.py synthesis       # against 1,000 natural patches; three seeds
    python benchmarks/view.py selectivity     # early and late stages, and random weights
    python benchmarks/view.py attribution     # random weights; two pictures on a canvas
    python benchmarks/view.py cost            # the atlas of lite0 for 12 channels x all stages, and the quick form

Prints a JSON object last.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from datasets import ROOT, SHARED, WORK
from tutelage.modality.images import IMAGES
from tutelage.network.stages import channels_last, hold
from tutelage.teachers import load_teacher
from tutelage.viewing.answer import teachers_answer
from tutelage.viewing.drawing import canvas_for, model_of, synthesised
from tutelage.viewing.field import Field, field_of
from tutelage.viewing.grad_cam import grad_cam
from tutelage.viewing.integrated_gradients import integrated_gradients
from tutelage.viewing.sanity import randomised, rank_correlation
from tutelage.viewing.selectivity import AXES, gratings, selectivity
from tutelage.viewing.wish import Wish

STAGES, CHANNELS, SEEDS, PATCHES = (1, 3, 5, 7, 9), 5, 3, 1000
PAIRS, SANE = 100, 12


def photos() -> list[tuple[Path, int]]:
    """The sample of ImageNet with class numbers."""
    index = {}
    for line in (SHARED / "data" / "imagenet_sample500.index.csv").read_text().splitlines():
        name, _, number = line.partition(",")
        if number.strip().isdigit():
            index[name.strip()] = int(number)
    files = sorted(p for p in (SHARED / "data" / "imagenet_sample500").rglob("*") if p.is_file())
    return [(p, index[k]) for p in files for k in [next((w for w in index if w in str(p)), "")] if k]  # fmt: skip


def teacher():
    """lite0, its network laid out for speed."""
    found = load_teacher()
    channels_last(found.network.model)
    return found, found.network, found.prepare(found.card.spec)


def natural(size: int, count: int) -> torch.Tensor:
    """``count`` pictures of ``size`` px cut from photos at random places, (N, 3, size, size) in 0..1."""
    rng, files = np.random.default_rng(0), [p for p, _ in photos()]
    cut = []
    for number in range(count):
        image = Image.open(files[number % len(files)]).convert("RGB")
        x, y = (int(rng.integers(0, max(1, side - size + 1))) for side in image.size)
        cut.append(np.asarray(image.crop((x, y, x + size, y + size))))
    return torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float() / 255


@torch.inference_mode()
def excited(model, pictures: torch.Tensor) -> torch.Tensor:
    """Mean over places of every channel, (N, D)."""
    return torch.cat([model(part).mean((2, 3)) for part in pictures.split(50)])


def synthesis() -> dict:
    """Bar 6.3: more excited than by any of 1,000 natural patches of the same size; three seeds alike."""
    found, network, prepare = teacher()
    few = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    beaten, alike, rows = [], [], []
    for stage in STAGES:
        model = model_of(network, prepare, stage)
        canvas = canvas_for(field_of(network, few, stage) or Field(224, 224), 128, found.card.spec)
        best = excited(model, natural(canvas.size, PATCHES)).max(0).values
        wanted = sorted(torch.randperm(len(best), generator=torch.Generator().manual_seed(stage))[:CHANNELS].tolist())  # fmt: skip
        drawn = [synthesised(network, prepare, stage, wanted, canvas, Wish(seed=seed), found.card.spec) for seed in range(SEEDS)]  # fmt: skip
        won = [bool(excited(model, pictures)[i, c] > best[c]) for pictures in drawn for i, c in enumerate(wanted)]  # fmt: skip
        same = likeness(network, prepare, drawn)
        beaten += won
        alike += same
        rows.append({"stage": found.card.names[stage - 1], "canvas": canvas.size, "beaten": mean(won), "alike": mean(same)})  # fmt: skip
        print(rows[-1], flush=True)
    return {"beaten": mean(beaten), "n": len(beaten), "alike": mean(alike), "pairs": len(alike), "rows": rows}  # fmt: skip


def likeness(network, prepare, drawn: list[torch.Tensor]) -> list[bool]:
    """For every two seeds of a channel: are their features nearer (cosine) than the mean of other channels' pairs?"""
    large = [torch.nn.functional.interpolate(p, size=128, mode="bilinear") for p in drawn]
    with torch.inference_mode():
        features = [model_of(network, prepare, len(network.stages))(p)[:, :, 0, 0] for p in large]
    features = [f - torch.cat(features).mean(0) for f in features]
    told = []
    for a, b in combinations(features, 2):
        table = torch.nn.functional.cosine_similarity(a[:, None], b[None], dim=2)
        for i in range(len(table)):
            others = torch.cat([table[i, :i], table[i, i + 1 :]])
            told.append(bool(table[i, i] > others.mean()))
    return told


def measured_selectivity() -> dict:
    """Medians over channels of direction and colour selectivity: first and late stages, trained and random."""
    found, network, prepare = teacher()
    random = found.build()
    torch.manual_seed(0)
    for part in random.model.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    hold(random.model)
    rows = []
    for stage in (1, 3, 5, 7, 9):
        for name, which in (("trained", network), ("random", random)):
            told = selectivity(model_of(which, prepare, stage), 64)
            gauge = excited_most(model_of(which, prepare, stage), natural(64, 200))
            rows.append({"stage": found.card.names[stage - 1], "weights": name, "drive": gauge, "direction": float(np.median(told.direction)), "colour": float(np.median(told.colour)),
                         "colour_channels": float((told.colour > 0.2).mean()), "direction_channels": float((told.direction > 0.3).mean())})  # fmt: skip
            print(rows[-1], flush=True)
    return {"rows": rows}


@torch.inference_mode()
def excited_most(model, pictures: torch.Tensor) -> float:
    """Median over channels: the most that gratings excite one (mean over places), over the most that photos do."""
    drawn = torch.cat([gratings(64, axis) for axis in AXES])
    most, photos_most = (excited(model, p).clamp(min=0).max(0).values for p in (drawn, pictures))
    return float((most / photos_most.clamp(min=1e-6))[photos_most > 0].median())


def attribution() -> dict:
    """Bar 6.4: two photos on one canvas, and random weights."""
    found, network, prepare = teacher()
    answer, spec = teachers_answer(network), found.card.spec
    views, numbers = [], []
    for path, number in photos()[: 3 * PAIRS]:
        view = IMAGES.augment(IMAGES.read(path), spec, None)
        x = prepare({"x": torch.from_numpy(view[None])})["x"]
        with torch.inference_mode():
            if int(answer(x).argmax()) == number:
                views.append(x)
                numbers.append(number)
    return {"pointing": pointing(answer, views, numbers), **sanity(answer, views[:SANE], numbers[:SANE])}  # fmt: skip


def pointing(answer, views, numbers) -> dict:
    """On whose half is the map of each class largest, and where does most of it lie?"""
    hits, shares = [], []
    for i in range(0, min(len(views), 2 * PAIRS) - 1, 2):
        canvas = torch.cat([views[i], views[i + 1]], dim=3)
        for side, target in enumerate(numbers[i : i + 2]):
            heat = grad_cam(answer, {"x": canvas}, [target]).values[0]
            halves = heat.unflatten(1, (2, -1)).sum((0, 2))
            top = int(heat.max(0).values.argmax()) * 2 // heat.shape[1]
            hits.append(top == side)
            shares.append(float(halves[side] / halves.sum().clamp(min=1e-9)) > 0.5)
    return {"peak": mean(hits), "most": mean(shares), "n": len(hits)}


def sanity(answer, views, numbers) -> dict:
    """Mean rank correlation of maps with those of random weights."""
    other = randomised(answer, torch.Generator().manual_seed(0))
    told = {}
    x = torch.cat(views)
    maps = [grad_cam(a, {"x": x}, numbers, 9).values for a in (answer, other)]
    told["grad-cam"] = mean(rank_correlation(*maps))
    maps = [integrated_gradients(a, x[:4], numbers[:4], steps=16).values.sum(1) for a in (answer, other)]  # fmt: skip
    told["integrated-gradients"] = mean(rank_correlation(*maps))
    return {"random_weights": told}


def cost() -> dict:
    """Bar 6.6: seconds by the clock, and of the processor, of the command."""
    source, told = SHARED / "data" / "trashnet", {}
    environment = {**os.environ, "TUTELAGE_CACHE": str(ROOT / ".cache" / "tutelage")}
    command = [Path(sys.executable).parent / "tutelage"]
    fitted = subprocess.run([*command, "fit", source, "--mode", "deep", "--json", "--out", WORK / "view"], capture_output=True, text=True, env=environment, check=True)  # fmt: skip
    run = json.loads(fitted.stdout)["run"]
    for name, flags in (("quick", ["--quick"]), ("whole", [])):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
        done = subprocess.run([*command, "view", run, "--json", "--out", WORK / "view", *flags], capture_output=True, text=True, env=environment, check=True)  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        shown = json.loads(done.stdout)
        told[name] = {
            "seconds": time.time() - start, "user": after.ru_utime - before.ru_utime, "stages": len(shown["stages"]),
            "megabytes": (Path(shown["run"]) / "report.html").stat().st_size / 1e6, "phases": shown["seconds"],
        }  # fmt: skip
        print(told[name], flush=True)
    return told


WHAT = {"synthesis": synthesis, "selectivity": measured_selectivity, "attribution": attribution, "cost": cost}  # fmt: skip

if __name__ == "__main__":
    print(json.dumps(WHAT[sys.argv[1]]()))
