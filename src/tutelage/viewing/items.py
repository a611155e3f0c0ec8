"""The items that are looked at: a few of the user's own, the same ones each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.advisor.sample import sample
from tutelage.features.counters import Counters
from tutelage.features.extract import Wanted, stream
from tutelage.training import Lesson


@dataclass(frozen=True)
class Items:
    """The items that are looked at.

    Attributes:
        names: of each.
        truth: class index of each (N,).
        batches: as the modality collates them.
    """

    names: tuple[str, ...]
    truth: npt.NDArray[np.int64]
    batches: tuple[dict[str, npt.NDArray[Any]], ...]

    @property
    def views(self) -> npt.NDArray[Any]:
        """The plain views (N, ...)."""
        return np.concatenate([batch["x"] for batch in self.batches])


def looked_at(lesson: Lesson, most: int) -> Items:
    """Up to ``most`` of the user's training items, the classes in turn; unreadable ones are left out."""
    indices = sample(lesson, most)
    index_of = {lesson.checked.digests[i]: i for i in indices}
    wanted = [Wanted(lesson.checked.digests[i], lesson.activations.items[i], (0,)) for i in indices]
    found = list(stream(lesson.activations.extractor(0), wanted, Counters()))
    seen = [index_of[digest] for keys, _ in found for digest, _ in keys]
    names = tuple(lesson.dataset.examples[i].name for i in seen)
    return Items(names, lesson.truth(seen), tuple(arrays for _, arrays in found))
