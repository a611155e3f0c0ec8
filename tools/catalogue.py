"""The catalogue of published image teachers, from the installed torchvision and timm.

    python tools/catalogue.py --timm-results results-imagenet.csv --results-commit 4e5207c7

writes `src/tutelage/teachers/catalogue.csv`: one row a weight file, with what its library says of it
and with operations and parameters that are counted here, on the meta device, where no memory is
used. `results-imagenet.csv` is in `results/` of timm's repository; without it timm's rows have no
top-1. Counting takes minutes; what was counted is kept in `--scratch` and not counted again.
What was left out, could not be counted, or differs from what the libraries say is printed.
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import io
import json
import math
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import timm
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import get_model, get_model_weights, list_models

from tutelage.files import read_json, write_json, write_text
from tutelage.modality import InputSpec
from tutelage.teachers.architectures import TORCHVISION
from tutelage.teachers.blueprint import Blueprint
from tutelage.teachers.catalogue_own import COLUMNS

OUT = Path(__file__).resolve().parents[1] / "src/tutelage/teachers/catalogue.csv"
LARGEST = 60_000_000
"""Parameters up to which a network that the meta device cannot run is run on the processor."""
TOLERANCE = 0.10

RELICENSED = {"apple-ascl": r"timm:aimv2_.*|timm:.*\.dfn[25]b.*"}
"""Licence that timm states -> names of weights whose publisher has since restricted them to research.

Apple put `apple-amlr` in the place of its sample code licence in the repositories of AIMv2 and DFN
on the hub (commits "AMLR license", February and March 2025); timm's copies still state the old one.
"""

DATA = {
    "in1k": "ImageNet-1k", "in12k": "ImageNet-12k", "in21k": "ImageNet-21k", "in22k": "ImageNet-22k",
    "inw21k": "ImageNet-21k (winter 2021)", "mae": "ImageNet-1k without labels",
    "fcmae": "ImageNet-1k without labels", "dino": "ImageNet-1k without labels",
    "laion2b": "LAION-2B", "laion400m": "LAION-400M", "laiona": "LAION-Aesthetic",
    "openai": "OpenAI's image-text pairs", "datacompxl": "DataComp-1B", "datacomp1b": "DataComp-1B",
    "dfn2b": "DFN-2B", "dfn5b": "DFN-5B", "dfndr2b": "DFNDR-2B", "webli": "WebLI",
    "merged2b": "Merged-2B (LAION-2B, COYO)", "m30m": "Merged-30M", "m38m": "Merged-38M",
    "metaclip": "MetaCLIP's image-text pairs", "metaclip2": "MetaCLIP 2's image-text pairs",
    "cc12m": "CC12M", "yfcc15m": "YFCC-15M", "yfcc100m": "YFCC-100M", "ig1b": "Instagram hashtags",
    "swag": "Instagram hashtags", "seer": "Instagram pictures without labels", "sa1b": "SA-1B",
    "lvd142m": "LVD-142M", "lvd1689m": "LVD-1689M", "sat493m": "SAT-493M", "jft": "JFT-300M",
    "bamboo": "Bamboo",
}  # fmt: skip
"""Part of a tag of timm's -> data."""


@dataclass(frozen=True)
class Row:
    """One weight file; the fields are the columns, in order."""

    name: str
    source: str
    architecture: str
    file: str
    prefix: str
    licence: str
    parameters: int
    gmacs: float | str
    trained_on: str
    labels: int
    top1: float | str
    top1_source: str
    spec: str
    default: str


@dataclass(frozen=True)
class Count:
    """Operations and parameters of networks, each counted once and kept in a file."""

    path: Path
    known: dict[str, list[float | None]]

    def of(self, key: str, build: Callable[[], nn.Module], size: int) -> list[float | None]:
        """[parameters, GMACs], the second None if it cannot be run; [] if it cannot be built."""
        if key not in self.known:
            try:
                self.known[key] = count(build, size)
            except Exception as error:  # noqa: BLE001 - one network must not stop the others
                tell(f"not counted: {key}: {type(error).__name__}: {short(error)}")
                self.known[key] = []
            write_json(self.path, self.known)
        return self.known[key]


def count(build: Callable[[], nn.Module], size: int) -> list[float | None]:
    """Parameters, classifier included, and 1e9 multiply-accumulates for one square image."""
    model = weightless(build)
    parameters = sum(p.numel() for p in model.parameters())
    failed: Exception | None = None
    for device in ("meta", "cpu") if parameters <= LARGEST else ("meta",):
        try:
            return [parameters, macs(model if device == "meta" else build(), size, device)]
        except Exception as error:  # noqa: BLE001 - whatever the device or the counter cannot do
            failed = failed or error
    tell(f"parameters only: {type(model).__name__} at {size}: {short(failed)}")
    return [parameters, None]


def weightless(build: Callable[[], nn.Module]) -> nn.Module:
    """A network on the meta device. Some read numbers from tensors while they are built: then only
    their parameters are put there as they come, and the rest at the end.
    """
    try:
        with torch.device("meta"):
            return build()
    except Exception:  # noqa: BLE001 - whatever the meta device cannot do
        register = nn.Module.register_parameter
        with patch.object(
            nn.Module, "register_parameter", lambda *given: register(*map(emptied, given))
        ):
            return build().to("meta")


def emptied(value: Any) -> Any:
    """A parameter without its storage; anything else as it is."""
    return (
        nn.Parameter(value.to("meta"), value.requires_grad)
        if isinstance(value, nn.Parameter)
        else value
    )


@torch.no_grad()
def macs(model: nn.Module, size: int, device: str) -> float:
    """1e9 multiply-accumulates; two operations are one."""
    model.eval().requires_grad_(False)
    counter = FlopCounterMode(display=False)
    with counter:
        model(torch.zeros(1, 3, size, size, device=device))
    return float(round(counter.get_total_flops() / 2e9, 3))


def torchvision_rows(counts: Count) -> Iterator[Row]:
    """Every member of every classification weights enum; VGG-16's without values in its two wide
    layers (for detectors) is none.
    """
    for architecture in list_models(module=torchvision.models):
        members = [
            weights for weights in get_model_weights(architecture) if weights.meta["categories"]
        ]
        for weights in set(get_model_weights(architecture)) - set(members):
            tell(f"left out: torchvision:{architecture}.{weights.name}: it classifies nothing")
        names = [weights.name for weights in members]
        default = "IMAGENET1K_V1" if "IMAGENET1K_V1" in names else names[0]
        for weights in members:
            yield torchvision_row(architecture, weights, counts, weights.name == default)


def torchvision_row(architecture: str, weights: Any, counts: Count, default: bool) -> Row:
    """A member of a weights enum."""
    spec, name = torchvision_spec(weights), f"torchvision:{architecture}.{weights.name}"
    labels, swag = len(weights.meta["categories"]), "SWAG" in weights.name
    # Position embeddings have the length of the input that they were trained for.
    args = {"image_size": spec.size} if architecture.startswith("vit_") and spec.size != 224 else {}
    given = {**TORCHVISION.get(architecture, {}), **args}
    key = f"torchvision:{architecture}|{spec.size}|{labels}"
    counted = counts.of(key, lambda: get_model(architecture, weights=None, **given), spec.size)
    compare(name, "parameters", counted[0], weights.meta["num_params"], 0)
    compare(name, "GMACs", counted[1], weights.meta["_ops"], TOLERANCE)
    return Row(
        name, weights.url, str(Blueprint("torchvision", architecture, args=args)), *file_of(weights.url),
        "cc-by-nc-4.0" if swag else "bsd-3-clause", int(counted[0] or 0), blank(counted[1]),
        "Instagram hashtags, then ImageNet-1k" if swag else "ImageNet-1k", labels,
        weights.meta["_metrics"]["ImageNet-1K"]["acc@1"],
        f"torchvision {importlib.metadata.version('torchvision').partition('+')[0]} weights.meta",
        compact(spec), "1" if default else "",
    )  # fmt: skip


def torchvision_spec(weights: Any) -> InputSpec:
    """What the weights' own transforms do."""
    made = weights.transforms()
    return InputSpec(
        made.crop_size[0], made.resize_size[0], made.interpolation.value, tuple(made.mean), tuple(made.std)
    )  # fmt: skip


def timm_rows(counts: Count, results: Results) -> Iterator[Row]:
    """Every pretrained tag that can be fetched, of networks for square pictures of three channels."""
    for tagged in timm.list_pretrained():
        config, why = timm.get_pretrained_cfg(tagged), ""
        if not config.hf_hub_id and not config.url:
            why = "nowhere to fetch it from"
        elif config.custom_load and not config.hf_hub_id:
            why = "only in a format of its own"
        elif config.input_size[0] != 3 or config.input_size[1] != config.input_size[2]:
            why = f"its input is {config.input_size}"
        row = None if why else timm_row(tagged, config, counts, results)
        if row is None:
            tell(f"left out: timm:{tagged}: {why or 'cannot be built'}")
        else:
            yield row


def timm_row(tagged: str, config: Any, counts: Count, results: Results) -> Row | None:
    """A pretrained tag."""
    architecture, _, tag = tagged.partition(".")
    size, labels = int(config.input_size[-1]), int(config.num_classes or 0)
    key = f"timm:{architecture}|{size}|{labels}"
    counted = counts.of(key, lambda: timm.create_model(tagged, pretrained=False), size)
    if not counted:
        return None
    top1, parameters = results.of(tagged, size)
    compare(f"timm:{tagged}", "1e6 parameters", (counted[0] or 0) / 1e6, parameters, 0.02)
    at_hub = f"hf:{config.hf_hub_id}"
    where = (
        (at_hub, "model.safetensors", "")
        if config.hf_hub_id
        else (config.url, *file_of(config.url))
    )
    source, file, prefix = where
    standard = timm.get_pretrained_cfg(architecture).tag == tag
    return Row(
        f"timm:{tagged}", source, f"timm:{architecture}", file, prefix,
        licence_of(f"timm:{tagged}", config.license), int(counted[0] or 0), blank(counted[1]),
        trained_on(tag), labels, blank(top1), results.source if top1 else "",
        compact(timm_spec(config)), "1" if standard else "",
    )  # fmt: skip


def timm_spec(config: Any) -> InputSpec:
    """A configuration's preprocessing; `random` interpolation is what training did."""
    size = int(config.input_size[-1])
    way: Any = "bilinear" if config.interpolation == "bilinear" else "bicubic"
    return InputSpec(size, math.floor(size / config.crop_pct), way, tuple(config.mean), tuple(config.std))  # fmt: skip


def licence_of(name: str, stated: str | None) -> str:
    """What timm states, unless the publisher has restricted the weights since."""
    licence = (stated or "").lower()
    return "apple-amlr" if re.fullmatch(RELICENSED.get(licence, "$^"), name) else licence


def trained_on(tag: str) -> str:
    """The data that a tag of timm's names, in its order; else the tag.

    >>> trained_on("augreg_in21k_ft_in1k"), trained_on("clip_ft_in1k")
    ('ImageNet-21k, then ImageNet-1k', 'not stated, then ImageNet-1k')
    """
    first, *later = re.split(r"_(?:ft|lc)_", tag)
    steps = [" and ".join(data_in(first)) or "not stated"] if later or data_in(first) else []
    steps += [data for part in later for data in data_in(part)]
    return ", then ".join(dict.fromkeys(steps)) or tag or "not stated"


def data_in(part: str) -> list[str]:
    """Names of data in a part of a tag; masked pretraining on ImageNet is one step."""
    words = part.replace("mae_in1k", "mae").split("_")
    return list(dict.fromkeys(DATA[word] for word in words if word in DATA))


@dataclass(frozen=True)
class Results:
    """timm's published results: (name with tag, size in pixels) -> top-1 in percent, 1e6 parameters."""

    table: dict[tuple[str, int], tuple[float, float]]
    source: str

    def of(self, tagged: str, size: int) -> tuple[float | None, float | None]:
        """Both are None where nothing is published at that size."""
        return self.table.get((tagged, size), (None, None))


def results_of(path: Path | None, commit: str) -> Results:
    """Read `results-imagenet.csv`."""
    if path is None:
        return Results({}, "")
    with path.open(encoding="utf-8", newline="") as stream:
        table = {
            (row["model"], int(row["img_size"])): (float(row["top1"]), float(row["param_count"].replace(",", "")))
            for row in csv.DictReader(stream)
        }  # fmt: skip
    return Results(table, f"timm results-imagenet.csv, {commit}")


def with_defaults(rows: list[Row]) -> list[Row]:
    """Sorted by name; tells of architectures whose default was left out."""
    marked = {row.name.partition(".")[0] for row in rows if row.default}
    for stem in sorted({row.name.partition(".")[0] for row in rows} - marked):
        tell(f"no default among the tags of {stem}; the first by name serves")
    return sorted(rows, key=lambda row: row.name)


def file_of(url: str) -> tuple[str, str]:
    """A URL -> its file name, and the 8 or more hex digits of the sha256 in it."""
    file = url.rpartition("/")[2]
    found = re.search(r"-([0-9a-f]{8,})\.", file)
    return file, found[1] if found else ""


def compact(spec: InputSpec) -> str:
    """The fields that say something, as JSON."""
    mean, std = list(spec.mean), list(spec.std)
    told = {
        "size": spec.size,
        "resize": spec.resize,
        "interpolation": spec.interpolation,
        "mean": mean,
        "std": std,
    }
    return json.dumps(told, separators=(",", ":"))


def blank(value: float | None) -> float | str:
    """A cell."""
    return "" if value is None else value


def compare(
    name: str, what: str, ours: float | None, theirs: float | None, tolerance: float
) -> None:
    """Tell where a count is not the published one."""
    if ours is not None and theirs and abs(ours - theirs) > tolerance * theirs + 0.006:
        tell(f"differs: {name}: {what} {ours:g}, published {theirs:g}")


def short(error: Exception | None) -> str:
    """The first line of what went wrong."""
    return str(error).partition("\n")[0][:160]


def tell(line: str) -> None:
    """A line for whoever runs this."""
    print(line, file=sys.stderr)


def main() -> int:
    """Write the catalogue."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--timm-results", type=Path, help="timm's results-imagenet.csv")
    parser.add_argument("--results-commit", default="", help="the short commit that it is of")
    parser.add_argument(
        "--scratch", type=Path, default=Path(tempfile.gettempdir(), "tutelage-catalogue.json")
    )
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    torch.backends.mha.set_fastpath_enabled(False)  # its one fused operation is not counted
    counts = Count(given.scratch, read_json(given.scratch) if given.scratch.exists() else {})
    results = results_of(given.timm_results, given.results_commit)
    rows = with_defaults([*torchvision_rows(counts), *timm_rows(counts, results)])
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([COLUMNS, *map(astuple, rows)])
    write_text(given.out, buffer.getvalue())
    print(f"{len(rows)} teachers in {given.out.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
