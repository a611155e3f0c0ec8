"""Rows of features: read in consecutive blocks, as often as one likes, never all at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError

Floats = npt.NDArray[np.float64]
Block = npt.NDArray[np.float32]

BLOCK = 2048
"""Rows read at a time."""


class Rows(Protocol):
    """Pooled features, (R, D): iterating yields consecutive float32 blocks (n, D)."""

    @property
    def shape(self) -> tuple[int, int]:
        """(R, D)."""
        ...

    def __iter__(self) -> Iterator[Block]: ...


@dataclass(frozen=True)
class ArrayRows:
    """Rows of an array (R, D) in memory or memory-mapped."""

    array: npt.NDArray[np.floating]
    block: int = BLOCK

    @property
    def shape(self) -> tuple[int, int]:
        """(R, D)."""
        return self.array.shape[0], self.array.shape[1]

    def __iter__(self) -> Iterator[Block]:
        for start in range(0, len(self.array), self.block):
            yield np.asarray(self.array[start : start + self.block], dtype=np.float32)


@dataclass(frozen=True)
class Wear:
    """Features of some items before and after they are worn; see ``heads.wear``.

    Attributes:
        plain: (M, D).
        worn: (M, D).
    """

    plain: Block
    worn: Block


@dataclass(frozen=True)
class TrainingRows:
    """What a head learns from.

    Attributes:
        rows: features (R, D), R = items x views.
        targets: (R, C) float64; one-hot for single labels.
        groups: (R,) whose views, copies and companions are left out together.
        scored: (R,) True for the plain view, which ``predict`` uses and leaving out scores.
        weights: (R,) class weight / views.
        wear: how features of some items move where nothing should.

    Raises:
        DataError: lengths differ, or there is no row.
    """

    rows: Rows
    targets: Floats
    groups: npt.NDArray[np.int64]
    scored: npt.NDArray[np.bool_]
    weights: Floats
    wear: Wear | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.targets), len(self.groups), len(self.scored), len(self.weights)}
        if lengths != {self.rows.shape[0]} or not self.rows.shape[0]:
            raise DataError(
                "ragged-rows", given=f"{self.rows.shape[0]} rows with {sorted(lengths)} facts",
                expected="one target, group, mark and weight for each of at least one row",
                next="Give arrays of equal length.",
            )  # fmt: skip

    @property
    def truth(self) -> npt.NDArray[np.int64]:
        """Class indices (R,)."""
        return np.asarray(self.targets.argmax(1), dtype=np.int64)

    @property
    def place(self) -> npt.NDArray[np.int64]:
        """Where each row stands among the scored ones (R,); -1 if it is not scored."""
        place = np.full(len(self.scored), -1, np.int64)
        place[self.scored] = np.arange(int(self.scored.sum()))
        return place
