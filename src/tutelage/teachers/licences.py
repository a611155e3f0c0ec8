"""Which licences a teacher may have without being asked about, and the refusal of all others."""

from __future__ import annotations

import re

from tutelage.errors import TeacherError

PERMISSIVE = frozenset(
    {
        "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "bsd-3", "isc", "unlicense",
        "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "apple-ascl",
    }
)  # fmt: skip
"""They permit use, change and redistribution for any purpose; everything else is refused.

``apple-ascl`` is Apple's sample code licence: "to use, reproduce, modify and redistribute the Apple
Software, with or without modifications" for any purpose; it grants no patents.
"""

NONCOMMERCIAL = frozenset({"apple-amlr", "seer-license"})
"""Non-commercial by their text, though their names do not say so (both: research purposes only)."""

UNSTATED = frozenset({"", "unknown", "none"})


def permits(licence: str) -> bool:
    """Does this licence permit use, change and redistribution for any purpose?

    Args:
        licence: an SPDX name, in any case, with spaces or underscores for hyphens.

    Example:
        >>> permits("Apache 2.0"), permits("cc-by-nc-4.0"), permits("")
        (True, False, False)
    """
    return normal(licence) in PERMISSIVE


def normal(licence: str) -> str:
    """A licence's name in lower case, with hyphens."""
    return re.sub(r"[\s_-]+", "-", licence.strip().lower())


def reason(licence: str) -> str:
    """Why a licence is refused: ``"non-commercial"``, ``"terms of its own"``, ``"none stated"``; or ``""``."""
    name = normal(licence)
    if name in PERMISSIVE:
        return ""
    if name in UNSTATED:
        return "none stated"
    words = re.split(r"[^a-z]+", name)
    limited = {"nc", "noncommercial", "research", "academic"} & set(
        words
    ) or "non-commercial" in name
    return "non-commercial" if limited or name in NONCOMMERCIAL else "terms of its own"


def refuse(licence: str, name: str, allowed: bool) -> None:
    """Refuse a teacher whose licence does not permit any purpose, unless the user allowed it.

    Args:
        licence: of the weights, as their publisher states it; empty if none is stated.
        name: the teacher.
        allowed: the user said ``--allow-licence``.

    Raises:
        TeacherError: kind ``licence``; ``given`` says which: non-commercial, terms of its own, or
            none stated.

    Example:
        >>> refuse("Apache-2.0", "timm:resnet18.a1_in1k", allowed=False)
    """
    why = reason(licence)
    if not why or allowed:
        return
    stated = f"licence {licence.strip()} ({why})" if normal(licence) else f"licence: {why}"
    raise TeacherError(
        "licence", given=f"Teacher {name}, {stated}",
        expected="a licence that permits use and redistribution for any purpose, such as apache-2.0",
        next="Read what its publisher says, then add --allow-licence; or take another teacher: tutelage teachers",
    )  # fmt: skip
