"""A lesson: what is to be learned, from whom, and the activations seen so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.data import Checked, Dataset, FactsStore, Parts
from tutelage.errors import DataError
from tutelage.evaluation.task import SINGLE, Task
from tutelage.features.activations import Activations
from tutelage.features.choice import MANY, EngineChoice, engine_for, speed
from tutelage.features.engine import BATCH, Arrays
from tutelage.features.extract import WORN
from tutelage.files import cache_root
from tutelage.heads.choose import HeadChoice, class_weights
from tutelage.heads.rows import TrainingRows, Wear
from tutelage.modality import InputSpec, Item
from tutelage.network.decision import Mode
from tutelage.run import Run
from tutelage.teachers import Line, Teacher
from tutelage.teachers.tuning import habit_of
from tutelage.training.budget import Plan, fit_to_time, left
from tutelage.training.options import RANK, FitOptions
from tutelage.training.recipe import Recipe, recipe_for, views_for

WORN_ITEMS = 256
"""Training items whose features are measured after wear, at most; those with the lowest digests."""


@dataclass(frozen=True)
class Chosen:
    """Why this teacher, where several were measured.

    Attributes:
        because: sentences.
        table: a row a candidate.
    """

    because: tuple[str, ...] = ()
    table: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Lesson:
    """Everything that training and advice look at.

    Attributes:
        checked: the data with its findings, digests and groups.
        parts: which items train, and which are only reported on.
        teacher: who teaches.
        activations: what the teacher sees in the items, extracted once.
        views: rows an item has in the cache.
        run: where records go.
        seed: of training only; splits and views have their own.
        task: what is predicted.
        chosen: why this teacher.
        engine: what runs it, and why.
        dropped: what was left out for time, in sentences.
        rank: of LoRA; 0 where the weights themselves are tuned.
    """

    checked: Checked
    parts: Parts
    teacher: Teacher
    activations: Activations
    views: int
    run: Run
    seed: int = 0
    task: Task = SINGLE
    chosen: Chosen = Chosen()
    engine: EngineChoice | None = None
    dropped: tuple[str, ...] = ()
    rank: int = 0
    probes: dict[tuple[int, ...], HeadChoice] = field(default_factory=dict)
    """Heads fitted so far, by the items they were fitted on."""

    @property
    def dataset(self) -> Dataset:
        """The items."""
        return self.checked.dataset

    @property
    def classes(self) -> tuple[str, ...]:
        """Label names."""
        return self.dataset.classes

    @property
    def depth(self) -> int:
        """L: the number of stages."""
        return len(self.teacher.card.stages)

    def recipe(self, mode: Mode) -> Recipe:
        """All training numbers of a mode."""
        return recipe_for(
            mode, len(self.parts.train), len(self.classes), rate=habit_of(self.teacher.card).rate,
            random_views=self.teacher.modality.random_views, rank=self.rank,
        )  # fmt: skip

    def labels(self, indices: Sequence[int]) -> list[str]:
        """Label names of items."""
        return [str(self.dataset.examples[i].label) for i in indices]

    def truth(self, indices: Sequence[int]) -> npt.NDArray[np.int64]:
        """Class indices (N,)."""
        targets = self.task.targets(self.labels(indices), self.classes)
        return np.asarray(targets.argmax(1), dtype=np.int64)

    def readable(
        self, cut: int, indices: Sequence[int], views: int | None = None
    ) -> tuple[int, ...]:
        """Make the rows at a cut; the items whose bodies could be read.

        Raises:
            DataError: a class has no readable item left.
        """
        return self.activations.ensure(cut, indices, views or self.views)

    def training_rows(self, indices: Sequence[int], views: int | None = None, reads: Sequence[int] = (), *, wear: bool = False) -> TrainingRows:  # fmt: skip
        """Pooled features of items with targets, groups and weights, as a head wants them.

        Args:
            indices: items.
            views: rows an item has.
            reads: tapped stages that the head reads beside the last.
            wear: with how features move when items are worn, for a head that ships.

        Raises:
            DataError: fewer than two classes are left.
        """
        many = views or self.views
        some = self._worn(indices, many) if wear else ()
        indices = self.readable(self.depth, indices, many)
        targets = self.task.targets(self.labels(indices), self.classes)
        if (targets.sum(0) > 0).sum() < 2:
            raise DataError(
                "one-class", given="fewer than two classes have a readable training item",
                expected="at least two classes", next="See what is wrong with: tutelage check DATA",
            )  # fmt: skip
        return TrainingRows(
            rows=self.activations.features(indices, many, reads),
            targets=np.repeat(targets, many, axis=0),
            groups=np.repeat(self.group_numbers(indices), many),
            scored=np.tile(np.arange(many) == 0, len(indices)),
            weights=np.repeat(class_weights(targets) / many, many),
            wear=self._wear(some, reads) if some else None,
        )

    def _worn(self, indices: Sequence[int], views: int) -> tuple[int, ...]:
        """Some items, seen worn in the same look as in their other views; none where the modality knows no wear."""
        if self.teacher.modality.worn is None:
            return ()
        some = sorted(indices, key=lambda i: self.checked.digests[i])[:WORN_ITEMS]
        return self.activations.ensure(self.depth, some, (*range(views), WORN))

    def _wear(self, some: Sequence[int], reads: Sequence[int]) -> Wear:
        """Features of items, plain and worn."""
        plain, worn = (np.concatenate(list(self.activations.features(some, (view,), reads))) for view in (0, WORN))  # fmt: skip
        return Wear(plain, worn)

    def features(
        self, indices: Sequence[int], reads: Sequence[int] = ()
    ) -> npt.NDArray[np.float32]:
        """Pooled features (N, D) of the plain views of items that can be read, as a head reads them."""
        indices = self.readable(self.depth, indices, 1)
        return np.concatenate(list(self.activations.features(indices, 1, reads)))

    def group_numbers(self, indices: Sequence[int]) -> npt.NDArray[np.int64]:
        """A number for each item's group (copies of one image; one patient)."""
        names = [self.checked.groups[i] for i in indices]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return np.array([numbers[name] for name in names], dtype=np.int64)


@contextmanager
def open_lesson(checked: Checked, parts: Parts, teacher: Teacher, options: FitOptions, run: Run, chosen: Chosen = Chosen()) -> Iterator[Lesson]:  # fmt: skip
    """Choose the input size and the engine, and open the cache; nothing is extracted yet."""
    dataset = checked.dataset
    spec = input_spec(teacher, checked, parts.train)
    items = [example.item for example in dataset.examples]
    views = (
        views_for(len(parts.train), len(dataset.classes)) if teacher.modality.random_views else 1
    )
    with run.phase("engine"):
        sample = _sample(teacher, spec, items, parts) if len(items) * views >= MANY else None
        engine = engine_for(teacher, spec, options.device, asked=options.engine, sample=sample)
        run.log({"engine": str(engine.spec), "because": engine.because})
    plan = Plan(parts, views)
    if options.time_limit is not None:
        rate = speed(teacher, spec, engine.spec)
        plan = fit_to_time(parts, checked, views, rate, left(options, run), teacher.card.width)
    with Activations(teacher, spec, engine.spec, items, checked.digests, announce=run.progress, say=lambda said: run.log({"cache": said})) as activations:  # fmt: skip
        yield Lesson(
            checked, plan.parts, teacher, activations, plan.views, run, options.seed,
            chosen=chosen, engine=engine, dropped=plan.dropped, rank=RANK if options.lora else 0,
        )  # fmt: skip


def _sample(teacher: Teacher, spec: InputSpec, items: Sequence[Item], parts: Parts) -> Callable[[], Arrays]:  # fmt: skip
    """Makes a batch of training items from all over them, without those that cannot be read."""
    modality = teacher.modality

    def made() -> Arrays:
        arrays: list[npt.NDArray[Any]] = []
        for at in np.linspace(0, len(parts.train) - 1, BATCH).astype(int):
            with suppress(DataError):
                arrays.append(
                    modality.augment(modality.decode(items[parts.train[at]], spec), spec, None)
                )
        return modality.collate(arrays) if arrays else teacher.blank(spec)

    return made


def input_spec(teacher: Teacher, checked: Checked, indices: Sequence[int]) -> InputSpec:
    """The card's InputSpec, or the smaller one that the modality derives where the user's own items are tiny."""
    rule = teacher.modality.spec
    if rule is None:
        return teacher.card.spec
    examples = checked.dataset.examples
    own = [i for i in indices if not examples[i].companion] or indices
    return rule(teacher.card.spec, [checked.facts[i].scale for i in own])


def open_facts(source: object) -> FactsStore:
    """What earlier looks at the same source found, shared by all runs."""
    return FactsStore(cache_root() / "facts", scope=source if isinstance(source, str) else "")


def fetching(run: Run) -> Line:
    """How a teacher's download is told: sentences into the log, bytes as progress."""
    return Line(lambda sentence: run.log({"fetch": sentence}), run.told("fetch"))
