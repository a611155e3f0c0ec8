"""The sample: a few training items, the same on every machine, that stand for the user's data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tutelage.features.counters import Counters
from tutelage.features.extract import Wanted, stream
from tutelage.training.lesson import Lesson

if TYPE_CHECKING:
    from tutelage.network.stages import Activation

MOST = 64


def sample(lesson: Lesson, most: int = MOST) -> tuple[int, ...]:
    """Up to ``most`` of the user's own training items, each content once, the classes in turn.

    Within a class, and among classes in a turn, the order is that of the items' digests, which have
    nothing to do with names, folders or ``lesson.seed``. A companion's items come in only where
    there are no others.
    """
    examples, digests = lesson.dataset.examples, lesson.checked.digests
    own = [i for i in lesson.parts.train if not examples[i].companion] or lesson.parts.train
    first = {digests[i]: i for i in reversed(own)}
    turns: dict[str | None, int] = defaultdict(int)
    keys = {}
    for digest in sorted(first):
        label = examples[first[digest]].label
        keys[first[digest]] = (turns[label], digest)
        turns[label] += 1
    return tuple(sorted(keys, key=keys.__getitem__)[:most])


def prepared(lesson: Lesson, indices: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Activation]]:  # fmt: skip
    """The plain views of items, in batches: (items, activation at cut 0); unreadable ones are left out.

    Args:
        indices: items, each content once.
    """
    import torch

    digests, items = lesson.checked.digests, lesson.activations.items
    index_of = {digests[i]: i for i in indices}
    wanted = [Wanted(digests[i], items[i], (0,)) for i in indices]
    prepare = lesson.teacher.prepare(lesson.activations.spec)
    for keys, arrays in stream(lesson.activations.extractor(0), wanted, Counters()):
        batch = prepare({name: torch.from_numpy(array) for name, array in arrays.items()})
        yield tuple(index_of[digest] for digest, _ in keys), batch
