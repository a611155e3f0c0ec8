"""A look at one text: its encoding, length and script, what is odd about it, its fingerprint."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from typing import Literal

from tutelage.errors import DataError
from tutelage.files import digest_bytes
from tutelage.modality.record import Facts, Item
from tutelage.modality.text_near import fingerprint_of
from tutelage.modality.text_read import UNSEEN, has_letters, read_encoded

Count = Callable[[str], int]

MARKUP = re.compile(
    r"</?(?:a|b|body|br|code|div|em|font|h[1-6]|head|html|i|img|li|ol|p|pre|script|span|strong|style|table|td|th|tr|u|ul)"
    r"(?:\s[^<>]*)?/?>|&(?:amp|apos|gt|lt|nbsp|quot|#\d+|#x[0-9a-fA-F]+);",
    re.IGNORECASE,
)
"""Tags and entities of HTML."""

LETTERS = 200
"""Letters that the script is told by, at most."""

DEFECTS: dict[str, tuple[Literal["error", "warning", "info"], str]] = {
    "markup": ("warning", "Kept as it is. Remove tags and entities if they are leftovers of a web page."),
    "encoding": ("warning", "Read as Windows-1252. Save it as UTF-8 if characters look wrong."),
    "invisible": ("warning", "Kept as it is. Remove characters that nobody sees; they can change an answer."),
    "broken-characters": ("warning", "Kept as it is. Get the text again from its source, in UTF-8."),
    "truncated": ("info", "What is beyond the limit is not read. Put what matters first, or take a teacher with a higher limit."),
    "odd-mode": ("info", "Does the teacher read this script? Look at these items."),
}  # fmt: skip
"""Kinds of defects, how bad they are, and what to do."""


def check(item: Item, full: bool, count: Count | None = None, limit: int = 0) -> Facts:
    """Look at a text without raising: what is wrong is in ``Facts.defects``. Reading it is looking at it.

    Args:
        count: text -> tokens, where a teacher is known; ``limit`` tokens are read of a text.
    """
    try:
        text, encoding = read_encoded(item)
    except DataError as error:
        return Facts(defects=((error.kind, error.given),))
    if not has_letters(text):
        return Facts(defects=(("unreadable", "the text is empty"),))
    tokens = count(text) if count else None
    form = {"format": "text", "encoding": encoding, "characters": len(text), "words": len(text.split()), "mode": script(text)}  # fmt: skip
    return Facts(
        form=form if tokens is None else {**form, "tokens": tokens},
        defects=tuple(_defects(text, encoding, tokens, limit)), richness=len(text),
        content=digest_bytes(unicodedata.normalize("NFC", " ".join(text.split())).encode("utf-8", "replace"))[:32],
        fingerprint=fingerprint_of(text),
    )  # fmt: skip


def _defects(text: str, encoding: str, tokens: int | None, limit: int) -> list[tuple[str, str]]:
    found = []
    if encoding in ("cp1252", "latin-1"):
        found.append(("encoding", "the file is not UTF-8"))
    if marks := MARKUP.findall(text):
        found.append(("markup", f"HTML remains, e.g. {marks[0]}"))
    if hidden := UNSEEN.findall(text):
        found.append(("invisible", f"{len(hidden)} characters that nobody sees, e.g. U+{ord(hidden[0]):04X}"))  # fmt: skip
    if "\ufffd" in text:
        found.append(("broken-characters", "the mark of a character that was lost"))
    if tokens is not None and tokens > limit:
        found.append(("truncated", f"{tokens} tokens, of which {limit} are read"))
    return found


def script(text: str) -> str:
    """The script that most letters of a text are of, e.g. ``latin``; ``none`` if it has no letters."""
    letters = [c for c in text[: 20 * LETTERS] if c.isalpha()][:LETTERS]
    names = Counter(unicodedata.name(c, "unknown").split()[0].lower() for c in letters)
    return names.most_common(1)[0][0] if names else "none"
