"""What a user wishes to see of a subject."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tutelage.errors import UsageError

LOOKED_AT = 256
"""Items that are looked at, at most."""


@dataclass(frozen=True)
class Wish:
    """The dials of ``view``.

    Attributes:
        stages: names of stages whose channels are shown; none stands for all.
        channels: shown of each stage.
        patches: shown of each channel.
        synthesis: whether pictures are synthesised.
        size: of a synthesised picture, in pixels.
        steps: of its ascent.
        seed: of its randomness.
        items: that are looked at, at most.
    """

    stages: tuple[str, ...] = ()
    channels: int = 12
    patches: int = 6
    synthesis: bool = True
    size: int = 128
    steps: int = 96
    seed: int = 0
    items: int = LOOKED_AT

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return {**asdict(self), "stages": list(self.stages)}

    def numbers(self, names: Sequence[str]) -> tuple[int, ...]:
        """Numbers 1..L of the stages that are shown.

        Raises:
            UsageError: a name that no stage has.
        """
        unknown = [name for name in self.stages if name not in names]
        if unknown:
            near = difflib.get_close_matches(unknown[0], names, 1, 0.0)
            raise UsageError(
                "no-such-stage", given=f"--stage {unknown[0]}", expected="some of " + ", ".join(names),
                next=f"Type: --stage {near[0]}",
            )  # fmt: skip
        chosen = set(self.stages or names)
        return tuple(i for i, name in enumerate(names, 1) if name in chosen)
