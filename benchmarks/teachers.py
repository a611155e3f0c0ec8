"""Bars of the teachers: top-1 of real weights, transfer with them, and kept classes.

    python benchmarks/teachers.py top1 | transfer | own | keep | list

Each prints one JSON list of [what, figure] pairs; `benchmarks/bars.py` holds them to their floors.
"""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from datasets import ROOT, SHARED, WORK, folder, hymenoptera, mnist
from tutelage.api import fit_run
from tutelage.student import Student
from tutelage.teachers import Asked, load_teacher

WEIGHTS = SHARED / "weights"
SAMPLE = SHARED / "data" / "imagenet_sample500"
OUT = WORK / "runs"


def tensorflow_card() -> str:
    """The facts that MobileNetV2's file needs to be run as it was trained."""
    path = WORK / "mobilenet_v2.card.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"spec": {"padding": "same"}}))
    return str(path)


def asked(name: str, card: str | None = None) -> Asked:
    """One of the real weight files."""
    return Asked(str(WEIGHTS / f"{name}.fp16.pth"), arch=name, card=card)


def sample() -> tuple[list[Path], list[int]]:
    """The images and their class indices."""
    with (SHARED / "data" / "imagenet_sample500.index.csv").open() as stream:
        index = {row["wnid"]: int(row["class_index"]) for row in csv.DictReader(stream)}
    files = sorted(p for p in SAMPLE.rglob("*") if p.is_file())
    return files, [index[p.parent.name] for p in files]


def top1() -> list[tuple[str, float]]:
    """Share of the sample images that each network names, through our own preprocessing."""
    files, truth = sample()
    cases = {
        "efficientnet_lite0": Asked(),
        "squeezenet1_0": asked("squeezenet1_0"),
        "squeezenet1_1": asked("squeezenet1_1"),
        "mobilenet_v2": asked("mobilenet_v2"),
        "mobilenet_v2, TF padding": asked("mobilenet_v2", tensorflow_card()),
    }
    return [(name, _accuracy(case, files, truth)) for name, case in cases.items()]


@torch.no_grad()
def _accuracy(case: Asked, files: list[Path], truth: list[int]) -> float:
    teacher = load_teacher(case)
    spec, look = teacher.card.spec, teacher.modality
    prepare, right = teacher.prepare(spec), 0
    for start in range(0, len(files), 25):
        arrays = [look.augment(look.read(f), spec, None) for f in files[start : start + 25]]
        batch = {k: torch.from_numpy(a) for k, a in look.collate(arrays).items()}
        guess = teacher.network.logits(prepare(batch)).argmax(1).tolist()
        right += sum(g == t for g, t in zip(guess, truth[start : start + 25], strict=True))
    return right / len(files)


def transfer() -> list[tuple[str, float]]:
    """hymenoptera's val part, mode deep, with three real teachers."""
    source = str(hymenoptera().path)
    found = []
    for name in ("mobilenet_v2", "squeezenet1_0", "squeezenet1_1"):
        dials = {"teacher": str(WEIGHTS / f"{name}.fp16.pth"), "arch": name}
        fitted = fit_run(source, mode="deep", out=OUT, **dials)
        found.append((name, fitted.results["test"]["accuracy"]))
    return found


def own() -> list[tuple[str, float]]:
    """The CIFAR ResNet-20 as a user's own module on handwriting at its native 32 px."""
    source = mnist(3000, per_class_train=100)
    code = ROOT / "tests" / "stories" / "my_net.py"
    dials = {
        "teacher": f"{code}:build",
        "weights": str(WEIGHTS / "resnet20-12fca82f.th"),
        "per_class_train": 100,
    }
    found = []
    for mode in ("deep", "mid", "full"):
        fitted = fit_run(str(source.path), mode=mode, out=OUT, **dials)
        assert fitted.results["input"] == 32
        found.append((mode, fitted.results["test"]["accuracy"]))
    return found


def keep() -> list[tuple[str, float]]:
    """Old and new accuracy in the joint label space, and what both lost; 3 splits each."""
    files, truth = sample()
    found = []
    for name in ("busi", "weather4"):
        losses = [_lost(name, seed, files, truth) for seed in (0, 1, 2)]
        for kind in ("old before", "old after", "new before", "new after"):
            found.append((f"{name}, {kind}", statistics.mean(row[kind] for row in losses)))
    return found


def _lost(name: str, seed: int, files: list[Path], truth: list[int]) -> dict[str, float]:
    source = folder(name)
    fits = {
        kept: fit_run(str(source.path), mode="deep", out=OUT, split_seed=seed, keep_classes=kept)
        for kept in (False, True)
    }
    student, plain = fits[True].student, fits[False].student
    labels = len(plain.classes)
    answers = student.predict_proba(files)
    old = student.old.probabilities(_features(student, files))
    hits = np.array(truth)
    return {
        "old before": float((old.argmax(1) == hits).mean()),
        "old after": float((answers.argmax(1) - labels == hits).mean()),
        "new before": fits[False].results["test"]["accuracy"],
        "new after": fits[True].results["test"]["accuracy"],
    }


def _features(student: Student, files: list[Path]) -> np.ndarray:
    from tutelage.data import open_unlabelled
    from tutelage.features.counters import Counters
    from tutelage.student.predict import _batches

    examples = open_unlabelled(files, student.teacher.modality)
    return np.concatenate([rows for _, rows in _batches(student, examples, Counters())])


def listing() -> list[tuple[str, float]]:
    """How many teachers are listed, and the seconds of the whole command."""
    started = time.perf_counter()
    done = subprocess.run(
        [Path(sys.executable).parent / "tutelage", "teachers", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - started
    return [("teachers", len(json.loads(done.stdout)["teachers"])), ("seconds", seconds)]


if __name__ == "__main__":
    chosen = {"top1": top1, "transfer": transfer, "own": own, "keep": keep, "list": listing}
    print(json.dumps(chosen[sys.argv[1]]()))
