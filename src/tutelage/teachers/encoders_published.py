"""Encoders of text from the hub or from a folder, in transformers' layout: config, weights, tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tutelage.errors import ArtefactError, TeacherError
from tutelage.files import digest_bytes, digest_file, read_json
from tutelage.modality import InputSpec
from tutelage.teachers.blueprint import Blueprint
from tutelage.teachers.card import Card
from tutelage.teachers.kept import kept, kept_cards
from tutelage.teachers.local import OWN, stated_facts, with_facts
from tutelage.teachers.lockfile import locked
from tutelage.teachers.origin import Asked, Origin
from tutelage.teachers.published import HubFiles

MOST = 512
"""Tokens that are read of a text at most, whatever a network could."""

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
POOLING, LIMIT = "1_Pooling/config.json", "sentence_bert_config.json"
NAMES = (
    "_name_or_path",
    "architectures",
    "auto_map",
    "dtype",
    "torch_dtype",
    "transformers_version",
    "model_type",
)
"""Keys of a configuration that say nothing of the network."""


def is_encoder(config: Mapping[str, Any]) -> bool:
    """Is this the configuration of a network of transformers, and not one of timm's?"""
    return "model_type" in config and "pretrained_cfg" not in config


def from_folder(asked: Asked) -> Origin:
    """A folder on this machine with ``config.json``, ``model.safetensors`` and ``tokenizer.json``.

    Raises:
        TeacherError: a file is missing or broken.
    """
    folder = Path(asked.name)
    lacking = [name for name in (CONFIG, WEIGHTS, TOKENIZER) if not (folder / name).is_file()]
    if lacking:
        raise incomplete(str(folder), lacking)
    told = {name: _json(folder / name) for name in (CONFIG, POOLING, LIMIT) if (folder / name).is_file()}  # fmt: skip
    raw = (folder / TOKENIZER).read_bytes()
    facts = Card(
        name=folder.resolve().name, digest=digest_file(folder / WEIGHTS), source=f"file:{folder.resolve().name}", licence=OWN,
        architecture=architecture_of(told, raw, str(folder)), trained_on="not stated", spec=spec_of(told),
        labels=0, stages=(), owners={}, weights_digest="",
    )  # fmt: skip
    facts = with_facts(facts, stated_facts(asked.card, None))
    return Origin(facts, lambda model: _read(folder / WEIGHTS), files=lambda: {"tokenizer": raw})


def held_encoder(name: str) -> Origin | None:
    """An encoder of the hub that was fetched and kept under this name; nothing is asked of the hub then.

    Some of a repository's files may be missing, which cannot be known without asking.
    """
    pinned = locked(name)
    cards = kept_cards() if pinned else ()
    mine = (c for c in cards if c.name == name and pinned and c.digest == pinned.sha256)
    card = next((c for c in mine if c.architecture.startswith("transformers:") and kept(c)), None)
    return Origin(card, lambda model: {}) if card else None


def from_files(hub: HubFiles, config: Mapping[str, Any]) -> Origin:
    """A repository of the hub in transformers' layout, at one commit.

    Raises:
        TeacherError: a file is missing or broken.
    """
    tokenizer = hub.path(TOKENIZER)
    if tokenizer is None:
        raise incomplete(hub.name, [TOKENIZER])
    further = {name: path for name in (POOLING, LIMIT) if (path := hub.path(name)) is not None}
    told = {CONFIG: config, **{name: _json(path) for name, path in further.items()}}
    raw = tokenizer.read_bytes()
    facts = Card(
        name=hub.name, digest=hub.known.sha256, source=f"hf:{hub.repo}@{hub.commit}", licence=hub.known.licence,
        architecture=architecture_of(told, raw, hub.name), trained_on="not stated", spec=spec_of(told), labels=0,
        stages=(), owners={}, weights_digest="", revision=hub.commit,
    )  # fmt: skip

    def read(model: Any) -> dict[str, Any]:
        path = hub.path(WEIGHTS)
        if path is None:
            raise incomplete(hub.name, [WEIGHTS])
        return _read(path)

    return Origin(facts, read, files=lambda: {"tokenizer": raw})


def _read(path: Path) -> dict[str, Any]:
    from tutelage.teachers.reading import read_weights

    return read_weights(path)


def incomplete(what: str, lacking: list[str]) -> TeacherError:
    """The one error for an encoder of which a file is missing."""
    return TeacherError(
        "incomplete-encoder", given=f"{what} has no {', no '.join(lacking)}", expected=f"{CONFIG}, {WEIGHTS} and {TOKENIZER}: safetensors, no code",
        next="Where you trust the files: load them with transformers and write them anew with save_pretrained(FOLDER), the tokenizer too.",
    )  # fmt: skip


def architecture_of(told: Mapping[str, Mapping[str, Any]], tokenizer: bytes, what: str) -> str:
    """The architecture of a configuration, with what is added to it here: pooling and tokenizer.

    Raises:
        TeacherError: it cannot be built without code of its own, or no kind is named.
    """
    config = told[CONFIG]
    kind = config.get("model_type")
    if not isinstance(kind, str) or config.get("is_decoder") or config.get("is_encoder_decoder"):
        raise TeacherError(
            "not-an-encoder", given=f"{what}: model_type {kind!r}", expected="an encoder that transformers knows",
            next="Take one such as hf:distilbert/distilbert-base-uncased.",
        )  # fmt: skip
    args = {key: value for key, value in config.items() if key not in NAMES}
    pooling = "first" if told.get(POOLING, {}).get("pooling_mode_cls_token") else "mean"
    held = {"sha256": digest_bytes(tokenizer), "bytes": len(tokenizer)}
    return str(Blueprint("transformers", kind, args={**args, "pooling": pooling, "tokenizer": held}))  # fmt: skip


def spec_of(told: Mapping[str, Mapping[str, Any]]) -> InputSpec:
    """How many tokens are read: as stated for sentences, else as many as there are positions."""
    stated = told.get(LIMIT, {}).get("max_seq_length")
    places = int(told[CONFIG].get("max_position_embeddings", MOST)) - 2
    limit = min(int(stated or MOST), max(8, places), MOST)
    return InputSpec(limit, limit, "none", (), (), 1, "", 8, "tokens")


def _json(path: Path) -> dict[str, Any]:
    try:
        told = read_json(path)
    except (ArtefactError, json.JSONDecodeError) as error:
        raise TeacherError(
            "damaged-weights", given=f"{path} cannot be read: {error}", expected="a JSON object", next="Get it again from its publisher.",
        ) from error  # fmt: skip
    return dict(told)
