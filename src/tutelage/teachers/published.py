"""Published teachers: a row of the catalogue or a repository of the hub -> an origin, locked at first fetch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tutelage.errors import TeacherError, UsageError
from tutelage.files import digest_file, read_json
from tutelage.modality import InputSpec
from tutelage.teachers.blueprint import Blueprint
from tutelage.teachers.card import Card
from tutelage.teachers.catalogue import Entry, find
from tutelage.teachers.download import Progress, Tell
from tutelage.teachers.fetch import fetch
from tutelage.teachers.hub import fetch_hub
from tutelage.teachers.licences import refuse
from tutelage.teachers.lockfile import Locked, locked, record
from tutelage.teachers.origin import Asked, Origin


@dataclass(frozen=True)
class Line:
    """How fetching is told: sentences, and bytes."""

    tell: Tell | None = None
    progress: Progress | None = None


def published(asked: Asked, line: Line) -> Origin:
    """A teacher of the catalogue; its file is fetched now if it never was.

    Raises:
        UsageError: no teacher of that name.
        TeacherError: its licence, or as ``fetch`` and ``fetch_hub`` say.
    """
    entry = find(asked.name)
    refuse(entry.licence, entry.name, asked.allow_licence)
    known = locked(entry.name) or _first(entry, line)
    facts = facts_of(entry, known)
    return Origin(facts, lambda model: _fitted(_file(entry, known, line)[0], model, facts))


def facts_of(entry: Entry, known: Locked | None = None) -> Card:
    """The card of a catalogue's row, as far as it is known before the weights are read."""
    architecture = entry.name if entry.name.startswith("timm:") else entry.architecture
    return Card(
        name=entry.name, digest=known.sha256 if known else "", source=entry.source, licence=entry.licence,
        architecture=architecture, trained_on=entry.trained_on, spec=entry.spec, labels=entry.labels,
        stages=(), owners={}, weights_digest="", top1=entry.top1, top1_source=entry.top1_source,
        revision=known.revision if known else "",
    )  # fmt: skip


def _first(entry: Entry, line: Line) -> Locked:
    """Trust on first use: from now on the file must be this one."""
    path, revision = _file(entry, None, line)
    known = Locked(entry.name, digest_file(path), revision, entry.licence, entry.source)
    record(known)
    return known


def _file(entry: Entry, known: Locked | None, line: Line) -> tuple[Path, str]:
    digest = known.sha256 if known else ""
    told: dict[str, Any] = {
        "sha256": digest,
        "name": entry.name,
        "tell": line.tell,
        "progress": line.progress,
    }
    if entry.source.startswith("hf:"):
        repo = entry.source.removeprefix("hf:")
        revision = (known.revision if known else "") or "main"
        return fetch_hub(repo, revision, entry.file, **told)
    return fetch(entry.source, prefix="" if digest else entry.prefix, **told), ""


def _fitted(path: Path, model: Any, facts: Card) -> dict[str, Any]:
    from tutelage.teachers.reading import fitted, read_weights

    return fitted(read_weights(path), model, facts.name, facts.architecture)


HUB = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True)
class HubFiles:
    """A repository at one commit, its weights locked.

    Attributes:
        name: as it was asked for.
    """

    name: str
    repo: str
    commit: str
    known: Locked
    line: Line

    def path(self, file: str) -> Path | None:
        """A file of it, fetched; None if it has none of that name."""
        sha256 = self.known.sha256 if file == WEIGHTS else ""
        try:
            return fetch_hub(self.repo, self.commit, file, sha256=sha256, name=self.name, tell=self.line.tell, progress=self.line.progress)[0]  # fmt: skip
        except TeacherError as error:
            if error.kind != "not-found":
                raise
            return None


FromHub = Callable[[HubFiles, Mapping[str, Any]], Origin]
WEIGHTS = "model.safetensors"


def from_hub(asked: Asked, line: Line, encoder: FromHub | None = None) -> Origin:
    """A repository of the hub in timm's layout, or in transformers': ``config.json`` and ``model.safetensors``.

    Args:
        encoder: takes over where the configuration is one of transformers.

    Raises:
        UsageError: not ``hf:OWNER/REPO[@REVISION]``.
        TeacherError: in neither layout, its licence, or as ``fetch_hub`` says.
    """
    match = HUB.fullmatch(asked.name)
    if match is None:
        raise UsageError(
            "bad-repository", given=f"--teacher {asked.name}", expected="hf:OWNER/REPO or hf:OWNER/REPO@REVISION",
            next="Try: --teacher hf:timm/resnet18.a1_in1k@main",
        )  # fmt: skip
    known, repo = locked(asked.name), match["repo"]
    revision = known.revision if known else match["revision"] or "main"
    config_path, commit = fetch_hub(repo, revision, "config.json", name=asked.name, tell=line.tell)
    licence = known.licence if known else _licence(repo, commit, asked.name, line)
    refuse(licence, asked.name, asked.allow_licence)
    source = f"hf:{repo}@{commit}"
    if known is None:
        path, _ = _weights(repo, commit, asked.name, "", line)
        known = Locked(asked.name, digest_file(path), commit, licence, source)
        record(known)
    if encoder is not None and (config := read_json(config_path)).get("model_type"):
        return encoder(HubFiles(asked.name, repo, commit, known, line), config)
    facts = _hub_card(asked.name, known, read_json(config_path), source)
    digest = known.sha256
    return Origin(facts, lambda model: _fitted(_weights(repo, commit, asked.name, digest, line)[0], model, facts))  # fmt: skip


def _weights(repo: str, commit: str, name: str, digest: str, line: Line) -> tuple[Path, str]:
    return fetch_hub(repo, commit, WEIGHTS, sha256=digest, name=name, tell=line.tell, progress=line.progress)  # fmt: skip


def _hub_card(name: str, known: Locked, config: Mapping[str, Any], source: str) -> Card:
    told = config.get("pretrained_cfg", config)
    if "architecture" not in config or "input_size" not in told:
        raise TeacherError(
            "not-timm", given=f"{name}: its config.json names no architecture and input size",
            expected="a repository in timm's layout", next="Download its weights and give them with --arch: see docs/guides/teachers.md",
        )  # fmt: skip
    size = int(told["input_size"][-1])
    args = {**config.get("model_args", {}), "num_classes": int(config.get("num_classes", 1000))}
    if config.get("global_pool"):
        args["global_pool"] = config["global_pool"]
    spec = InputSpec(
        size, int(size / float(told.get("crop_pct", 0.875))),
        "bilinear" if told.get("interpolation") == "bilinear" else "bicubic",
        tuple(told["mean"]), tuple(told["std"]), int(told["input_size"][0]),
    )  # fmt: skip
    return Card(
        name=name, digest=known.sha256, source=source, licence=known.licence,
        architecture=str(Blueprint("timm", config["architecture"], args=args)),
        trained_on=str(told.get("tag", "")) or "not stated", spec=spec, labels=args["num_classes"],
        stages=(), owners={}, weights_digest="", revision=known.revision,
    )  # fmt: skip


def _licence(repo: str, commit: str, name: str, line: Line) -> str:
    """The licence in the head of the repository's README; empty if none is stated."""
    try:
        path, _ = fetch_hub(repo, commit, "README.md", name=name, tell=line.tell)
    except TeacherError as error:
        if error.kind != "not-found":
            raise
        return ""
    head = path.read_text(encoding="utf-8", errors="replace").split("\n---", 1)[0]
    stated = re.search(r"^license:\s*([\w.+-]+)\s*$", head, re.MULTILINE)
    return stated[1].lower() if stated and head.startswith("---") else ""


def with_channels(facts: Card, channels: int) -> Card:
    """The card of the same weights for an input of other channels; mean and std are repeated in turn."""
    from tutelage.teachers.blueprint import read_blueprint

    spec = facts.spec
    if channels == spec.channels:
        return facts
    blueprint = replace(read_blueprint(facts.architecture), channels=channels)
    mean = (sum(spec.mean) / 3,) if channels == 1 else (spec.mean * channels)[:channels]
    std = (sum(spec.std) / 3,) if channels == 1 else (spec.std * channels)[:channels]
    return replace(facts, architecture=str(blueprint), spec=replace(spec, channels=channels, mean=mean, std=std))  # fmt: skip
