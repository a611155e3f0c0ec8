"""Texts as a modality: the record, filled in; as such, and bound to the tokenizer of a teacher."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import UsageError
from tutelage.modality.record import Fingerprint, InputSpec, Item, Modality
from tutelage.modality.text_check import DEFECTS, check
from tutelage.modality.text_heat import attribute
from tutelage.modality.text_near import confirm, fingerprint_of
from tutelage.modality.text_perturb import perturb_of
from tutelage.modality.text_read import read
from tutelage.modality.text_show import excerpt
from tutelage.modality.text_tokens import Tokens, collate

__all__ = ["TEXTS", "fingerprint", "sniff", "texts_of"]

SUFFIXES = (".txt", ".text", ".md")


def sniff(path: Path) -> bool:
    """Does this file name end like a document's?"""
    return path.suffix.lower() in SUFFIXES


def fingerprint(item: Item) -> Fingerprint | None:
    """The fingerprint of a text that can be read; raises as ``read`` does."""
    return fingerprint_of(read(item))


def _unbound(text: str, spec: InputSpec, rng: np.random.Generator | None) -> npt.NDArray[Any]:
    raise UsageError(
        "no-teacher", given="a text without the teacher whose tokens it is to become",
        expected="the modality of a teacher", next="Use teacher.modality instead.",
    )  # fmt: skip


TEXTS = Modality(
    name="text",
    columns={
        "text": "value", "sentence": "value", "review": "value", "document": "value", "content": "value",
        "message": "value", "question": "value", "comment": "value", "tweet": "value", "title": "value",
        "path": "path", "file_name": "path",
    },
    sniff=sniff,
    check=check,
    read=read,
    augment=_unbound,
    collate=collate,
    fingerprint=fingerprint,
    confirm=confirm,
    excerpt=excerpt,
    random_views=False,
    defects=DEFECTS,
)  # fmt: skip


def texts_of(tokens: Tokens, limit: int) -> Modality:
    """The modality of texts as a teacher reads them.

    Args:
        tokens: the teacher's tokenizer.
        limit: tokens that it reads of a text.
    """
    return replace(
        TEXTS,
        name=f"{TEXTS.name}/{tokens.digest[:12]}-{limit}",
        check=partial(check, count=tokens.count, limit=limit),
        augment=tokens.augment,
        attribute=partial(attribute, tokens),
        perturb=perturb_of(tokens),
    )
