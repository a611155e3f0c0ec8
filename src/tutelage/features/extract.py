"""Items -> activations at a cut: decode beside the network, in bounded memory, each row once.

Extraction is a set of shard tasks; a task is done when its shard is in the cache. ``run_tasks``
is the executor of one machine; a cluster's executor would map the same tasks over its workers.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, TrainingError
from tutelage.features.cache import Key, Store
from tutelage.features.counters import Counters
from tutelage.features.engine import BATCH, Arrays, Compiled, EngineSpec, Program, engine
from tutelage.features.ragged import Rows, joined, row_layout, trimmed
from tutelage.features.store import bytes_of
from tutelage.files import digest_json
from tutelage.modality import InputSpec, Item, Modality
from tutelage.runtime import cores
from tutelage.teachers import Teacher
from tutelage.teachers.cuts import tapped

if TYPE_CHECKING:
    from torch import nn

EXTRACTOR = 4
"""Raised whenever the same inputs would give other activations."""

SHARD_BYTES = 16 * 2**20
"""Activations in one write unit: what a kill can cost."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Extractor:
    """Everything that decides what an activation is.

    Attributes:
        teacher: whose trunk runs.
        cut: number of stages that run; 0 keeps the prepared inputs themselves.
        spec: how inputs are made ready.
        engine: what runs the trunk.
    """

    teacher: Teacher
    cut: int
    spec: InputSpec
    engine: EngineSpec

    @property
    def dtype(self) -> str | None:
        """Numpy dtype that activations are rounded to, in training and in prediction."""
        return self.teacher.card.activation_dtype(self.cut) if self.cut else None

    @property
    def taps(self) -> tuple[int, ...]:
        """Stages whose pooled output travels along."""
        return tuple(k for k in tapped(self.teacher.card) if k <= self.cut)

    @property
    def facts(self) -> dict[str, Any]:
        """Everything that changes a row, as JSON."""
        shared = {"extractor": EXTRACTOR, "modality": self.teacher.modality.name, "spec": self.spec.as_json()}  # fmt: skip
        if self.cut == 0:
            return {**shared, "cut": 0}
        trunk = {
            "teacher": self.teacher.card.digest,
            "cut": self.cut,
            "dtype": self.dtype,
            "taps": list(self.taps),
        }
        return {**shared, **trunk, "engine": self.engine.as_json()}

    @cached_property
    def digest(self) -> str:
        """The name under which the cache keeps its rows."""
        return digest_json(self.facts)

    @cached_property
    def _dtypes(self) -> dict[str, str]:
        """Each tap is kept in the dtype of its own stage."""
        return {f"tap.{k}": self.teacher.card.activation_dtype(k) for k in self.taps}

    @property
    def area(self) -> float:
        """Maps over those on the card: they shrink with the input that is really used."""
        return (self.spec.size / self.teacher.card.spec.size) ** 2

    @property
    def row_bytes(self) -> float:
        """About how many bytes a row takes in the cache, from the shapes on the card."""
        card, spec = self.teacher.card, self.spec
        if self.cut == 0:
            return float(sum(array.nbytes for array in self.teacher.blank(spec).values()))
        values = math.prod(card.stages[self.cut - 1].shape)
        size = np.dtype(card.activation_dtype(self.cut)).itemsize
        taps = sum(card.stages[k - 1].width * np.dtype(d).itemsize for k, d in zip(self.taps, self._dtypes.values(), strict=True))  # fmt: skip
        return values * size * (1.0 if self.cut == len(card.stages) else self.area) + taps

    def compile(self, example: Arrays) -> Compiled:
        """The trunk, compiled for batches that look like ``example``; once."""
        program = trunk_program(self.teacher, self.cut, self.spec, example)
        shapes = str(sorted(program.inputs.items()))
        if shapes not in self._compiled:
            self._compiled[shapes] = engine(self.engine)(program)
        return self._compiled[shapes]

    @cached_property
    def _compiled(self) -> dict[str, Compiled]:
        return {}

    def rounded(self, output: Arrays) -> Arrays:
        """Activations as the cache keeps them.

        Raises:
            TrainingError: NaN, infinity, or a value beyond the dtype's range.
        """
        with np.errstate(over="ignore"):
            rows = {
                name: array.astype(self._dtypes.get(name, self.dtype))
                if array.dtype.kind == "f"
                else array
                for name, array in output.items()
            }
        if not all(np.isfinite(array).all() for array in rows.values()):
            raise TrainingError(
                "not-finite", given=f"activations of {self.teacher.card.name} at cut {self.cut} are not finite in {self.dtype}",
                expected="finite activations", next="Check the teacher's weights and its InputSpec: tutelage doctor",
            )  # fmt: skip
        return rows


def trunk_program(teacher: Teacher, cut: int, spec: InputSpec, example: Arrays) -> Program:
    """Prepare + the first ``cut`` stages, as a program for batches that look like ``example``.

    It is always tapped, in training and in prediction, so that a row is the same bits.
    """
    taps = tuple(k for k in tapped(teacher.card) if k <= cut)

    def module() -> nn.Module:
        from tutelage.network.taps import Tapped

        stages = [stage.module for stage in teacher.network.stages[:cut]]
        return Tapped(stages, taps, first=teacher.prepare(spec)).eval()

    layout = row_layout(example)
    key = digest_json(["trunk", teacher.card.weights_digest, cut, list(taps), spec.as_json()])
    return Program(key, module, layout, BATCH)


WORN = 2**32 - 1
"""Number of the worn view of an item (``Modality.worn``)."""


def view_rng(digest: str, view: int) -> np.random.Generator | None:
    """The randomness of one view of one item: never the run's seed. View 0 is the plain view."""
    if view == 0:
        return None
    state = hashlib.sha256(f"{digest}|{view}".encode()).digest()
    return np.random.default_rng(int.from_bytes(state[:16], "little"))


def view_of(modality: Modality, whole: Any, spec: InputSpec, digest: str, view: int) -> npt.NDArray[Any]:  # fmt: skip
    """One view of a decoded item by its number: 0 the plain one, ``WORN`` that after wear, else a random one."""
    rng = view_rng(digest, view)
    if view != WORN:
        return modality.augment(whole, spec, rng)
    assert modality.worn is not None and rng is not None
    return modality.worn(modality.augment(whole, spec, None), rng)


@dataclass(frozen=True)
class Wanted:
    """One item with the views of it that the cache lacks."""

    digest: str
    item: Item
    views: tuple[int, ...]


def plan(store: Store, items: Sequence[tuple[str, Item]], views: Sequence[int]) -> list[Wanted]:
    """What is missing from the cache, in the order of the items; each digest once."""
    keys = [(digest, view) for digest, _ in items for view in views]
    lacking: dict[str, list[int]] = {}
    for digest, view in store.missing(keys):
        lacking.setdefault(digest, []).append(view)
    first = dict(reversed(items))
    return [Wanted(d, first[d], tuple(v)) for d, v in lacking.items()]


def run_tasks(
    extractor: Extractor, store: Store, wanted: Sequence[Wanted], counters: Counters,
    *, workers: int | None = None, progress: Progress | None = None,
) -> None:  # fmt: skip
    """Compute every wanted row on this machine and put it into the store, shard by shard.

    Items that cannot be decoded are named in ``counters.unreadable``; the rest goes on.
    """
    shard, size, done = _Shard(store), 0, 0
    total = sum(len(w.views) for w in wanted)
    with counters.timed("all"):
        for keys, arrays in stream(extractor, wanted, counters, workers):
            rows = trimmed(arrays)
            shard.add(keys, rows)
            size += sum(bytes_of(array) for array in rows.values())
            done += len(keys)
            if progress:
                progress(done, total)
            if size >= SHARD_BYTES:
                with counters.timed("writing"):
                    shard.write()
                size = 0
        with counters.timed("writing"):
            shard.write()


class _Shard:
    """Rows on their way into one write unit."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: list[Key] = []
        self._parts: list[Rows] = []

    def add(self, keys: list[Key], rows: Rows) -> None:
        self._keys += keys
        self._parts.append(rows)

    def write(self) -> None:
        if self._keys:
            self._store.append(self._keys, joined(self._parts))
            self._keys, self._parts = [], []


Decoded = tuple[Key, npt.NDArray[Any]]


def stream(
    extractor: Extractor, wanted: Sequence[Wanted], counters: Counters, workers: int | None = None
) -> Iterator[tuple[list[Key], Arrays]]:
    """Decode and compute: (keys, activations) a batch; keeps nothing.

    In the order of ``wanted``, but items of another length wait for their like.
    """
    rows = _decoded(extractor, wanted, counters, workers or cores())
    batches = _batches(rows, extractor.teacher.modality, counters)
    if extractor.cut == 0:
        yield from batches
        return
    first = next(batches, None)
    if first is None:
        return
    compiled = extractor.compile(first[1])
    keys: deque[list[Key]] = deque()

    def inputs() -> Iterator[Arrays]:
        batch: tuple[list[Key], Arrays] | None = first
        while batch is not None:
            keys.append(batch[0])
            counters.batches += 1
            yield batch[1]
            batch = next(batches, None)

    for output in compiled.stream(inputs()):
        yield keys.popleft(), extractor.rounded(output)


def _batches(
    rows: Iterator[Decoded], modality: Modality, counters: Counters
) -> Iterator[tuple[list[Key], Arrays]]:
    """Batches of items of one shape each."""
    pending: dict[tuple[int, ...], list[Decoded]] = {}
    for row in rows:
        alike = pending.setdefault(row[1].shape, [])
        alike.append(row)
        if len(alike) == BATCH:
            yield _batch(pending.pop(row[1].shape), modality, counters)
    for shape in sorted(pending):
        yield _batch(pending[shape], modality, counters)


def _batch(rows: list[Decoded], modality: Modality, counters: Counters) -> tuple[list[Key], Arrays]:
    counters.rows_computed += len(rows)
    return [key for key, _ in rows], modality.collate([array for _, array in rows])


def _decoded(
    extractor: Extractor, wanted: Sequence[Wanted], counters: Counters, workers: int
) -> Iterator[Decoded]:
    """Decode in threads, a bounded window ahead of the network; order is kept."""

    def decode(want: Wanted) -> list[Decoded] | DataError:
        start = time.thread_time()
        try:
            whole = modality.decode(want.item, extractor.spec)
            return [((want.digest, v), view_of(modality, whole, extractor.spec, want.digest, v)) for v in want.views]  # fmt: skip
        except DataError as error:
            return error
        finally:
            spent.append(time.thread_time() - start)

    modality, spent = extractor.teacher.modality, list[float]()
    window: deque[tuple[Wanted, Future[list[Decoded] | DataError]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        for want in wanted:
            window.append((want, pool.submit(decode, want)))
            if len(window) > 3 * BATCH + workers:
                yield from _take(*window.popleft(), counters)
        while window:
            yield from _take(*window.popleft(), counters)
    counters.seconds["decoding"] += sum(spent)


def _take(want: Wanted, future: Future[list[Decoded] | DataError], counters: Counters) -> list[Decoded]:  # fmt: skip
    with counters.timed("waiting"):
        rows = future.result()
    if isinstance(rows, DataError):
        counters.unreadable[want.digest] = rows.given
        return []
    counters.decoded += 1
    return rows
