"""The parts that a dataset was split into, and how they are written down."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from tutelage.data.checks import Checked
from tutelage.data.example import Finding
from tutelage.errors import DataError

COLUMNS = ("name", "label", "part", "group", "digest")
"""Of ``split.csv``."""


@dataclass(frozen=True)
class Parts:
    """Indices into ``dataset.examples``, ascending; no example is in two of them.

    Attributes:
        train, val, test: to learn from, to choose by (often empty), to report on.
        set_aside: ``(index, reason)`` of examples that are in no part.
        findings: what splitting found.
        reported: the name of the part that ``test`` is: ``"val"`` if the source has train and val only.
    """

    train: tuple[int, ...]
    val: tuple[int, ...]
    test: tuple[int, ...]
    set_aside: tuple[tuple[int, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    reported: Literal["test", "val"] = "test"

    def as_rows(self, checked: Checked) -> list[dict[str, Any]]:
        """One row per example with the columns ``name, label, part, group, digest``.

        The part of an example that was set aside is ``aside: `` and the reason.
        """
        part = {index: f"aside: {reason}" for index, reason in self.set_aside}
        part |= dict.fromkeys(self.train, "train") | dict.fromkeys(self.val, "val")
        part |= dict.fromkeys(self.test, self.reported)
        return [
            {"name": e.name, "label": e.label, "part": part.get(i, ""),
             "group": checked.groups[i], "digest": checked.digests[i]}
            for i, e in enumerate(checked.dataset.examples)
        ]  # fmt: skip


def sound(parts: Parts, checked: Checked) -> Parts:
    """The parts, if every class can be learned.

    Raises:
        DataError: a class has no usable training example left; all such classes are named.
    """
    examples = checked.dataset.examples
    left = Counter(examples[i].label for i in parts.train)
    lost = [label for label in checked.dataset.classes if not left[label]]
    if not lost:
        return parts
    reasons = Counter(
        f"{examples[i].label}: {reason}"
        for i, reason in parts.set_aside
        if examples[i].label in lost
    )
    why = (
        "; ".join(f"{n} of {what}" for what, n in sorted(reasons.items()))
        or "all are in the test part"
    )
    raise DataError(
        "class-untrainable", given=f"no training example is left of {', '.join(lost)} ({why})",
        expected="at least one readable training example per class",
        next=f"Mend the files or take the class out; list what is wrong with: "
        f"tutelage check {checked.dataset.origin}",
    )  # fmt: skip
