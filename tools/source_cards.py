"""A source card: what a teacher's measures of similarity are on data of its own.

    python tools/source_cards.py FOLDER --domain ImageNet-1k --origin "500 images, ..."
    python tools/source_cards.py FOLDER --domain ... --origin ... --weights FILE.pth --arch mobilenet_v2

puts the entry of one teacher (the embedded one by default) into `src/tutelage/advisor/source_cards.json`,
under the digest of its weight file. Kept are means and quantiles over many draws of n images without
replacement; no image, and no figure of any one image. The folder holds images of the teacher's own
domain, in sub-folders or not. The draws are seeded: the same folder gives the same card.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tutelage.advisor.bn_shift import Moments, divergence, watched
from tutelage.advisor.energy import energy, max_probability, summary
from tutelage.advisor.source_cards import LEVELS, PREPARED
from tutelage.files import read_json, write_text
from tutelage.modality import InputSpec
from tutelage.teachers import Asked, Teacher, load_teacher

OUT = Path(__file__).resolve().parents[1] / "src/tutelage/advisor/source_cards.json"
SIZES = (64, 96, 128, 160, 224)
COUNTS = (8, 16, 32, 64)
DRAWS = 400
BATCH = 20
DIGITS = 4


def main() -> None:
    """Measure one teacher and write the file anew."""
    arguments = parsed()
    asked = Asked(arguments.weights or "auto", arch=arguments.arch, card=arguments.card)
    teacher = load_teacher(asked)
    files = [path for path in sorted(arguments.folder.rglob("*")) if teacher.modality.sniff(path)]
    own = teacher.card.spec
    sizes = sorted({*arguments.sizes, own.size})
    entry = {
        "teacher": teacher.card.name, "domain": arguments.domain, "origin": arguments.origin, "images": len(files),
        "size": own.size,
        "spec": {name: own.as_json()[name] for name in PREPARED},
        "sizes": {str(size): figures(teacher, files, sized(own, size)) for size in sizes},
    }  # fmt: skip
    known = read_json(OUT)["cards"] if OUT.exists() else {}
    whole = {"schema": 1, "levels": LEVELS, "cards": {**known, teacher.card.digest: entry}}
    write_text(OUT, laid_out(whole))


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("folder", type=Path)
    parser.add_argument("--domain", required=True)
    parser.add_argument("--origin", required=True, help="where the images come from, in a sentence")
    parser.add_argument("--weights", help="a weight file; the embedded teacher's by default")
    parser.add_argument("--arch", help="its architecture")
    parser.add_argument("--card", help="a file that states its preprocessing")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="PIXELS")
    return parser.parse_args()


def sized(own: InputSpec, size: int) -> InputSpec:
    """The teacher's preprocessing at another input size, with the same share cropped off."""
    return replace(own, size=size, resize=round(size * own.resize / own.size))


@torch.no_grad()
def figures(teacher: Teacher, files: Sequence[Path], spec: InputSpec) -> dict[str, Any]:
    """One run over the images, and what draws of them show."""
    network, logits = teacher.network, []
    with watched(network.model) as layers:
        for activation in activations(teacher, files, spec):
            if network.classifier is None:
                raise SystemExit(f"{teacher.card.name} has no classes of its own")
            logits.append(network.logits(activation).double().numpy())
    sure = energy(np.concatenate(logits)), max_probability(np.concatenate(logits))
    told = {"energy": moments(sure[0]), "max_probability": moments(sure[1])}
    z = sum((v - v.mean()) / v.std() for v in sure) / len(sure)
    return {**told, "draws": {str(n): drawn(layers, np.asarray(z), n) for n in COUNTS}}


def activations(teacher: Teacher, files: Sequence[Path], spec: InputSpec) -> Iterator[Any]:
    """Activations at cut 0, in batches."""
    look, prepare = teacher.modality, teacher.prepare(spec)
    for start in range(0, len(files), BATCH):
        views = [look.augment(look.read(f), spec, None) for f in files[start : start + BATCH]]
        yield prepare({k: torch.from_numpy(a) for k, a in look.collate(views).items()})


def drawn(layers: dict[str, Moments], z: np.ndarray, n: int) -> dict[str, Any]:
    """What n images show, over many draws."""
    rng = np.random.default_rng(n)
    weights = np.zeros((DRAWS, len(z)))
    for row in weights:
        row[rng.permutation(len(z))[:n]] = 1 / n
    sureness = {"sureness": spread(weights @ z)}
    if not layers:
        return sureness
    table = np.array([shifts(one, weights) for one in layers.values()])
    means = {name: short(value) for name, value in zip(layers, table.mean(1), strict=True)}
    return {"shift": spread(table.mean(0)), **sureness, "layers": means}


def shifts(layer: Moments, weights: np.ndarray) -> list[float]:
    """The layer's shift in each draw."""
    away = weights @ np.concatenate(layer.first)
    variances = weights @ np.concatenate(layer.second) - np.square(away)
    pairs = zip(away, np.maximum(variances, 0), strict=True)
    return [divergence(*pair, layer.variance, layer.eps) for pair in pairs]


def spread(values: Sequence[float] | np.ndarray) -> dict[str, Any]:
    """Mean, standard deviation and quantiles over the draws."""
    return {**moments(np.asarray(values)), "quantiles": [short(q) for q in np.quantile(values, LEVELS)]}  # fmt: skip


def moments(values: np.ndarray) -> dict[str, float]:
    """Mean and standard deviation."""
    return {name: short(value) for name, value in summary(values).items()}


def short(value: float) -> float:
    """To a few significant digits."""
    return float(f"{value:.{DIGITS}g}")


def laid_out(whole: dict[str, Any]) -> str:
    """JSON with one line a draw, so that a change can be read."""

    def lines(value: Any, depth: int, flat: int) -> str:
        if not isinstance(value, dict) or depth == flat:
            return json.dumps(value, separators=(",", ":"))
        inner = ",\n".join(f"{' ' * depth}{json.dumps(k)}: {lines(v, depth + 1, flat)}" for k, v in value.items())  # fmt: skip
        return f"{{\n{inner}\n{' ' * (depth - 1)}}}"

    return lines(whole, 1, 7) + "\n"


if __name__ == "__main__":
    main()
