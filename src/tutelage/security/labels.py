"""T2: an adversary who may also ask the student for a few labels an item.

They hold what T1 crafted inside the graded budget: at one cut or another, towards one goal or another. Which of these the
student falls for they cannot know, but a label tells: an item is lost if any of its windows is. The control may ask as
often about random changes of the same budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tutelage.security.control import noise
from tutelage.security.inquiry import Inquiry
from tutelage.security.rows import Row, at_budget


def label_rows(inquiry: Inquiry, crafted: Sequence[Row]) -> Iterator[Row]:
    """Rows T2, targeted and not, and their control; none where T1 crafted fewer than two windows an item.

    Args:
        crafted: rows T1; those with fewer items are of the first of them.
    """
    graded = inquiry.perturb.graded
    for targeted in (True, False):
        tried = [r.fooled for r in at_budget(crafted, ("T1",), targeted=targeted, budget=graded)]
        if len(tried) < 2:
            continue
        yield Row(f"best of {len(tried)}", "T2", None, graded, targeted, either(tried), on=inquiry.subject.teacher.card.name)  # fmt: skip
        if not targeted:
            drawn = [_by_chance(inquiry, draw) for draw in range(len(tried))]
            yield Row(f"noise, best of {len(tried)}", "control", None, graded, False, either(drawn))


def either(tried: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Which items at least one of several sets fooled; sets of fewer items are of the first of them."""
    found = np.zeros(max(len(fooled) for fooled in tried))
    for fooled in tried:
        found[: len(fooled)] = np.maximum(found[: len(fooled)], fooled)
    return found


def _by_chance(inquiry: Inquiry, draw: int) -> npt.NDArray[np.float64]:
    moved = noise(inquiry.items.windows, inquiry.perturb.graded, inquiry.perturb, inquiry.seed + 1 + draw)  # fmt: skip
    fooled: npt.NDArray[np.float64] = inquiry.examiner.fooled(moved, False)[inquiry.right]
    return fooled
