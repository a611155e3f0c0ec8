"""Tokens: what a teacher's own tokenizer makes of a text. The tokenizer travels with the teacher's tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import TeacherError, missing_extra
from tutelage.files import digest_bytes
from tutelage.modality.lengths import padded_length
from tutelage.modality.record import InputSpec
from tutelage.modality.text_edits import random_edits
from tutelage.modality.text_spelling import Speller, whole_words

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ints = npt.NDArray[np.int32]

EDITED = 0.2
"""Share of the words that are edited in a random view."""

ABSENT = -1
"""Stands for no token behind the end of a text."""


@dataclass(frozen=True)
class Tokens:
    """A tokenizer, from the bytes of its ``tokenizer.json``, which holds data and no code.

    Attributes:
        source: gives the bytes; asked once, when the first text comes.
        digest: sha256 of them.
    """

    source: Callable[[], bytes]
    digest: str

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        raw = self.source()
        if digest_bytes(raw) != self.digest:
            raise TeacherError(
                "wrong-digest", given=f"a tokenizer with sha256 {digest_bytes(raw)}", expected=f"sha256 {self.digest}",
                next="Get the teacher again: its tokenizer is not the one that it was trained with.",
            )  # fmt: skip
        return open_tokenizer(raw)

    def count(self, text: str) -> int:
        """How many tokens a text has, special ones included, without any limit."""
        return len(self._tokenizer.encode(text).ids)

    def ids(self, text: str, limit: int) -> Ints:
        """The tokens of a text (T,), at most ``limit``: the special ones at its end are kept."""
        whole: list[int] = self._tokenizer.encode(text).ids
        if len(whole) > limit:
            special = self._tokenizer.encode("").ids
            last = special[-1:] if len(special) > 1 else []
            whole = whole[: limit - len(last)] + last
        return np.array(whole, dtype=np.int32)

    def pieces(self, text: str, limit: int) -> list[str]:
        """What each of those tokens stands for, as the tokenizer writes it."""
        return [str(self._tokenizer.id_to_token(int(i))) for i in self.ids(text, limit)]

    @cached_property
    def words(self) -> dict[str, int]:
        """Entries of the vocabulary that are words by themselves, with their ranks; see ``text_spelling.whole_words``."""
        return whole_words(self._tokenizer.get_vocab())

    @cached_property
    def _speller(self) -> Speller:
        return Speller(self.words)

    def read(self, text: str, spec: InputSpec) -> str:
        """The text as a student with this spec reads it: as it is, or restored."""
        return self._speller.restored(text) if spec.restored else text

    def augment(self, text: str, spec: InputSpec, rng: np.random.Generator | None) -> Ints:
        """The tokens of a text, padded with ``ABSENT`` to a length that depends on it alone (T,); in random views it has random edits."""
        seen = text if rng is None else random_edits(text, EDITED, rng)
        ids = self.ids(self.read(seen, spec), spec.size)
        row = np.full(min(padded_length(len(ids)), max(spec.size, len(ids))), ABSENT, np.int32)
        row[: len(ids)] = ids
        return row


def open_tokenizer(raw: bytes) -> Tokenizer:
    """The tokenizer of a ``tokenizer.json``, without its own limit and padding.

    Raises:
        UsageError: the package is not installed.
        TeacherError: it is no tokenizer.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise missing_extra("text", "tokenizers", "texts") from error
    try:
        made = Tokenizer.from_str(raw.decode("utf-8"))
    except Exception as error:
        raise TeacherError(
            "bad-tokenizer", given=f"a tokenizer.json that cannot be read: {str(error)[:200]}",
            expected="a file that the tokenizers library wrote", next="Get it again from the teacher's publisher.",
        ) from error  # fmt: skip
    made.no_padding()
    made.no_truncation()
    return made


def collate(rows: Sequence[npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Rows of tokens -> ``{"x": (N, T) int32, "mask": (N, T) uint8}``, T that of the longest row."""
    longest = max(len(row) for row in rows)
    ids = np.full((len(rows), longest), ABSENT, np.int32)
    for place, row in zip(ids, rows, strict=True):
        place[: len(row)] = row
    mask = ids != ABSENT
    return {"x": np.where(mask, ids, 0).astype(np.int32), "mask": mask.astype(np.uint8)}
