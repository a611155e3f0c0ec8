"""The bars of audit and harden, measured on real data: `python benchmarks/security.py WHAT`.

    direction      deep, mid and full students of the same data: what their teacher alone achieves against each
    harden         students mended, besieged anew, and what it cost in accuracy
    fingerprint    whose student is it, among four teachers, by labels alone
    comfort        a student from scratch: no blame on the teacher
    quick          seconds of the quick preset, and the same JSON twice
    text           frozen students of texts: edits of characters against random edits, then hardened

Each prints one JSON value last. Students and crafted sets are kept between runs, in `.cache/`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from datasets import SHARED, WORK, Source, folder, hymenoptera, mnist, texts

RUNS = WORK / "security"
CONTROL = {"weights": str(SHARED / "weights" / "mobilenet_v2.fp16.pth"), "arch": "torchvision:mobilenet_v2"}  # fmt: skip
EVIDENCE = {
    "trashnet": folder("trashnet", per_class_train=60),
    "weather4": folder("weather4", per_class_train=90),
    "pacs_cartoon": folder("pacs_cartoon", per_class_train=50),
}
"""At most 400 training images each."""


def student(name: str, source: Source, out: str, **dials: Any) -> Path:
    """The run of a fit; fitted once."""
    from tutelage.api import fit_run

    place = RUNS / out
    found = place / "fit" / name
    if not (found / "results.json").exists():
        with unguarded():
            fit_run(source.path, out=place, name=name, **{**source.dials, **dials})
    return found


@contextmanager
def unguarded() -> Iterator[None]:
    """Let a tuned tail ship whether or not it is better than the frozen head: there must be such a student to audit."""
    train: Any = import_module("tutelage.training.train")
    guard = train.guard
    train.guard = lambda *given: replace(guard(*given), ships=True)
    try:
        yield
    finally:
        train.guard = guard


def control() -> Any:
    """MobileNetV2 as the unrelated network."""
    from tutelage.teachers import Asked, load_teacher

    return load_teacher(Asked("mobilenet_v2", allow_licence=True, **CONTROL))


def direction(names: list[str], items: int = 250) -> list[dict[str, Any]]:
    """Bar 7.1: one row a data set and mode."""
    from tutelage.api import audit

    rows = []
    for name in names or list(EVIDENCE):
        for mode in ("deep", "mid", "full"):
            run = student(name, EVIDENCE[name], mode, mode=mode)
            told = audit(run, preset="standard", items=items, control=control(), out=RUNS / mode)
            rows.append({"data": name, "asked": mode, **summary(told)})
            print(json.dumps(rows[-1]), flush=True)
    return rows


def summary(told: dict[str, Any]) -> dict[str, Any]:
    """The figures of an audit that bars name."""
    own = [r for r in told["rows"] if r["threat"] in ("T0", "T1") and r["budget"] == told["graded_budget"]]  # fmt: skip
    best = {t: max((r for r in own if r["targeted"] is t), key=lambda r: r["success"]) for t in (True, False)}  # fmt: skip
    noise = next(r for r in told["rows"] if r["attack"] == "noise" and r["budget"] == told["graded_budget"])  # fmt: skip
    peak = max(told["curve"], key=lambda p: p["targeted"]["success"])
    keys = ("attack", "cut", "success", "low", "high", "n", "residual")
    return {
        "mode": told["mode"], "n": told["items"]["attacked"], "grade": told["grade"], "refused": told["refused"],
        "targeted": {k: best[True][k] for k in keys}, "untargeted": {k: best[False][k] for k in keys},
        "labels": next(({k: r[k] for k in keys} for r in told["rows"] if r["threat"] == "T2" and not r["targeted"]), None),
        "noise": noise["success"], "gap": told["gap"], "ratio": told["ratio"], "peak": peak["cut"], "true": told["headline_cut"],
        "seconds": told.get("seconds", {}).get("total"),
    }  # fmt: skip


def harden(names: list[str], items: int = 100) -> list[dict[str, Any]]:
    """Bar 7.2."""
    from tutelage.api import harden as mend

    rows = []
    for name in names or ["trashnet", "weather4"]:
        run = student(name, EVIDENCE[name], "deep", mode="deep")
        told = mend(run, preset="quick", items=items, control=control(), out=RUNS / "hardened")
        rows.append({
            "data": name, "met": told["met"], "published": told["published_level"], "reduction": told["reduction"], "accuracy": told["accuracy"],
            "grades": [told["before"]["grade"], told["after"]["grade"]], "remedy": told["remedy"]["name"], "verdict": told["verdict"],
            "n": told["adaptive"][0]["n"], "seconds": told["seconds"]["total"],
        })  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    return rows


TEACHERS: dict[str, dict[str, Any]] = {
    "efficientnet_lite0": {},
    **{
        name: {
            "weights": str(SHARED / "weights" / f"{name}.fp16.pth"),
            "arch": f"torchvision:{name}",
        }
        for name in ("mobilenet_v2", "squeezenet1_0", "squeezenet1_1")
    },
}


def fingerprint(pairs: int = 20) -> dict[str, Any]:
    """Bar 7.3: five small data sets times four teachers; probes are natural images that no student saw."""
    from tutelage.data import open_source
    from tutelage.modality.perturb import windows_of
    from tutelage.security.examiner import Examiner
    from tutelage.security.fingerprint import fingerprints
    from tutelage.security.items import choose_items, known_items
    from tutelage.security.subject import open_subject
    from tutelage.teachers import Asked, load_teacher

    candidates = [load_teacher(Asked(n, allow_licence=True, **more)) for n, more in TEACHERS.items()]  # fmt: skip
    probes = [e.item for e in open_source(SHARED / "data" / "imagenet_sample500").examples]
    sources = {**EVIDENCE, "hymenoptera": hymenoptera(), "caltech101_15": folder("caltech101_15", per_class_train=3)}  # fmt: skip
    rows = []
    for name, source in sources.items():
        for teacher, more in TEACHERS.items():
            run = student(name, source, f"by-{teacher}", mode="deep", teacher=teacher, **more)
            subject = open_subject(run)
            spec = subject.student.facts.spec
            chosen = windows_of(probes[:: len(probes) // pairs][:pairs], subject.teacher.modality, spec)  # fmt: skip
            few = choose_items(known_items(run, subject.student), subject.student, 4, 0)
            ask = Examiner(subject, few)
            found = fingerprints(candidates, chosen, spec, subject.perturb, lambda w, a=ask: a.scores(w)[0], seed=0)  # fmt: skip
            rows.append({"data": name, "teacher": teacher, "first": found[0].teacher, "matches": {f.teacher: f.match for f in found}, "kappas": {f.teacher: f.kappa for f in found}})  # fmt: skip
            print(json.dumps(rows[-1]), flush=True)
    right = sum(r["first"] == r["teacher"] for r in rows)
    return {"right": right, "students": len(rows), "candidates": len(candidates), "pairs": pairs, "rows": rows}  # fmt: skip


def comfort() -> dict[str, Any]:
    """Bar 7.4: a student from scratch, of handwriting: of 360 photos none learns enough to be worth attacking."""
    from tutelage.api import audit

    run = student("mnist", mnist(1_000, per_class_train=36), "scratch", mode="scratch")
    told = audit(run, preset="quick", items=200, control=control(), out=RUNS / "scratch")
    accuracy = json.loads((run / "results.json").read_text())["test"]["accuracy"]
    return {**summary(told), "accuracy": accuracy}


def quick() -> dict[str, Any]:
    """Bar 7.5: nothing crafted before, then the same again."""
    import os

    from tutelage.api import audit

    run = student("trashnet", EVIDENCE["trashnet"], "deep", mode="deep")
    warm = os.environ["TUTELAGE_CACHE"]
    told = []
    for attempt in range(2):
        fresh = Path(warm) / "crafted"
        if attempt == 0 and fresh.exists():
            fresh.rename(fresh.with_name(f"crafted-{time.time_ns()}"))
        told.append(audit(run, preset="quick", out=RUNS / "quick"))
    same = [{k: v for k, v in t.items() if k != "seconds"} for t in told]
    return {"seconds": told[0]["seconds"]["total"], "again": told[1]["seconds"]["total"], "same": same[0] == same[1], "range": told[0]["grade_range"], "refused": told[0]["refused"]}  # fmt: skip


def edited(names: list[str], items: int = 64) -> list[dict[str, Any]]:
    """Bar 8.6: one row a data set of texts; the audit is the one before hardening."""
    from tutelage.api import harden as mend

    rows = []
    for name in names or ["sst2", "trec"]:
        run = student(name, texts(name), "texts", mode="deep", teacher="minilm")
        told = mend(run, preset="quick", items=items, out=RUNS / "texts")
        before = summary(told["before"])
        white = next(r for r in told["before"]["rows"] if r["attack"] == "search" and r["budget"] == told["before"]["graded_budget"])  # fmt: skip
        rows.append({
            "data": name, **{k: before[k] for k in ("n", "untargeted", "labels", "noise", "gap", "grade", "refused")}, "white": white,
            "remedy": told["remedy"]["name"], "reduction": told["reduction"], "accuracy": told["accuracy"], "met": told["met"],
            "tried": [{k: t[k] for k in ("remedy", "reduction", "accuracy")} for t in told["tried"]], "seconds": told["seconds"]["total"],
        })  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Run what is named."""
    what, *rest = sys.argv[1:]
    verbs = {"direction": lambda: direction(rest), "harden": lambda: harden(rest), "fingerprint": fingerprint, "comfort": comfort, "quick": quick, "text": lambda: edited(rest)}  # fmt: skip
    print(json.dumps(verbs[what]()))


if __name__ == "__main__":
    main()
