"""The shortlist: which teachers a choice is made among."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tutelage.errors import UsageError
from tutelage.modality import Modality
from tutelage.modality.known import KNOWN
from tutelage.teachers import Asked
from tutelage.teachers.defaults import default_for
from tutelage.teachers.embedded import EMBEDDED
from tutelage.teachers.licences import permits
from tutelage.teachers.lockfile import locked
from tutelage.teachers.minilm import FETCHED
from tutelage.teachers.shelf import Row, shelf
from tutelage.teachers.zoo import WEIGHTS

MOST = 4
"""Teachers that ``auto`` tries: each costs up to a pass over the data."""

_FILE = re.compile(rf"(?P<file>.+?({'|'.join(map(re.escape, WEIGHTS))}))(:(?P<arch>.+))?")


def parse_teachers(text: str, base: Asked | None = None, modality: Modality | None = None) -> tuple[Asked, ...]:  # fmt: skip
    """What ``--teachers`` names.

    Args:
        text: ``auto``, or names as ``--teacher`` takes them, with commas between. A weight file says
            its architecture after a colon: ``w.pth:mobilenet_v2``, ``w.pth:my_net.py:build``.
        base: what holds for all of them: ``allow_licence``, ``channels``.
        modality: of the data; ``auto`` names none that do not look at such.

    Raises:
        UsageError: no name is left, or a bare name is not of the catalogue.

    Example:
        >>> [(one.name, one.arch) for one in parse_teachers("resnet50, w.pth:mobilenet_v2")]
        [('resnet50', None), ('w.pth', 'mobilenet_v2')]
    """
    common = replace(base or Asked(), weights=None, arch=None, card=None)
    if text.strip() == "auto":
        return tuple(replace(common, name=name) for name in _automatic(modality or KNOWN[0]))
    pieces = dict.fromkeys(piece.strip() for piece in text.split(","))
    asked = tuple(_asked(piece, common) for piece in pieces if piece)
    if not asked:
        raise UsageError(
            "no-teachers", given=f"--teachers {text!r}", expected="auto, or names with commas between",
            next="Try: --teachers auto",
        )  # fmt: skip
    return asked


def _asked(piece: str, common: Asked) -> Asked:
    """One name; a misspelt one is refused now, before anything is fetched or built."""
    match = _FILE.fullmatch(piece)
    if match is None:
        _require_known(piece)
        return replace(common, name=piece)
    file, arch = match["file"], match["arch"]
    if arch and arch.rpartition(":")[0].endswith(".py"):
        return replace(common, name=arch, weights=file)
    return replace(common, name=file, arch=arch)


def _require_known(name: str) -> None:
    from tutelage.teachers.catalogue import find

    known = name in ("auto", *EMBEDDED, *FETCHED) or ".py" in name or name.startswith("hf:")
    if not known and not Path(name).is_dir():
        find(name)


def _automatic(modality: Modality) -> list[str]:
    """At most ``MOST`` names, the default first, then the cheapest first."""
    rows = [
        row
        for row in shelf(cached=True, modality=modality)
        if permits(row.licence) and _at_hand(row)
    ]
    default = default_for(modality)
    chosen = {row.name: row for row in _picks(rows, default)}
    ordered = sorted(chosen.values(), key=lambda row: (row.name != default, _work(row)))
    return [row.name for row in ordered] or [default]


def _at_hand(row: Row) -> bool:
    """Does its name lead to weights on this machine? That of a file of the user's own does not."""
    return row.name in EMBEDDED or row.name in FETCHED or locked(row.name) is not None


def _picks(rows: Sequence[Row], default: str) -> Iterator[Row]:
    """The default, the best prior, the cheapest, the best prior for its work; then the next best priors."""
    wishes: tuple[Callable[[Row], float], ...] = (
        lambda row: row.name == default,
        _top1,
        lambda row: -_work(row),
        lambda row: _top1(row) / _work(row),
    )
    first = [max(rows, key=wish) for wish in wishes] if rows else []
    ranked = sorted(rows, key=_top1, reverse=True)
    yield from list({row.name: row for row in (*first, *ranked)}.values())[:MOST]


def _top1(row: Row) -> float:
    return row.top1 or 0.0


def _work(row: Row) -> float:
    return row.gmacs or float("inf")
