"""``extractor.json``: what the rows of one extractor are. The shards could tell it too; this is quicker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.errors import ArtefactError
from tutelage.features.shard import Layout
from tutelage.files import damaged, digest_json, read_json, write_json

NAME = "extractor.json"


def normal(layout: Layout) -> Layout:
    """One spelling per layout: tuples of ints, numpy's own dtype strings."""
    return {name: (tuple(int(n) for n in shape), np.dtype(dtype).str) for name, (shape, dtype) in layout.items()}  # fmt: skip


def write(folder: Path, layout: Layout, facts: Mapping[str, object]) -> None:
    """Write it, atomically.

    Raises:
        TrainingError: the disk is full or the folder cannot be written.
    """
    told = {name: {"shape": list(shape), "dtype": dtype} for name, (shape, dtype) in layout.items()}
    body = {"layout": told, "facts": dict(facts)}
    write_json(folder / NAME, {"schema": 1, **body, "sha256": digest_json(body)})


def read(folder: Path) -> tuple[Layout, Mapping[str, Any]] | None:
    """Layout and facts; None if it was not written yet.

    Raises:
        ArtefactError: it is not what was written.
    """
    path = folder / NAME
    if not path.exists():
        return None
    told = read_json(path)
    try:
        body = {"layout": told["layout"], "facts": told["facts"]}
        if told["sha256"] != digest_json(body):
            raise damaged(path, "it has changed since it was written")
        layout = {name: (one["shape"], one["dtype"]) for name, one in told["layout"].items()}
        return normal(layout), told["facts"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(path, repr(error)) from error


def mismatch(path: Path, given: Layout, expected: Layout) -> ArtefactError:
    """The error for rows of another layout than those already kept."""
    return ArtefactError(
        "cache-layout", given=f"{path} with rows of {dict(given)}", expected=f"rows of {dict(expected)}",
        next=f"Remove {path.parent} and run the same command again.",
    )  # fmt: skip
