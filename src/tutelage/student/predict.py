"""From items to probabilities, the same way in every process: decode, trunk, round, tail, head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.data import Dataset, Example, digest_item, open_source, open_unlabelled
from tutelage.errors import DataError
from tutelage.evaluation.metrics import evaluate
from tutelage.features.activations import Activations, read_names, side_by_side
from tutelage.features.counters import Counters
from tutelage.features.engine import Arrays, padded, run
from tutelage.features.extract import Wanted, stream
from tutelage.student.artefact import Student
from tutelage.student.joint import joint

BLOCK = 64
"""Rows that go through the head together; never changes an answer."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """One input's answer; ``as_json`` is a line of ``tutelage predict --json``.

    Attributes:
        input: its name.
        label: the most probable class, or None if it could not be read.
        probabilities: class -> probability.
        score: how foreign it is; higher is more foreign.
        rejected: whether the score is above the threshold: probably none of these classes. Never
            where one of the teacher's own classes is told.
        error: why it could not be read, or None.
    """

    input: str
    label: str | None
    probabilities: Mapping[str, float]
    score: float | None
    rejected: bool
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """A line of ``predict --json``."""
        top = self.probabilities[self.label] if self.label is not None else None
        line = {"schema": 1, "input": self.input, "label": self.label, "probability": top}
        line |= {
            "probabilities": dict(self.probabilities),
            "rejected": self.rejected,
            "score": self.score,
        }
        return line if self.error is None else {**line, "error": self.error}


def tail_features(student: Student, activations: Arrays) -> npt.NDArray[np.float32]:
    """Activations at the cut, as the cache rounds them -> features (N, D) as the head reads them."""
    taps = {name: a for name, a in activations.items() if name.startswith("tap.")}
    given = {name: a for name, a in activations.items() if name not in taps}
    after = given if student.tail is None else run(student.tail, given)
    return side_by_side({**taps, **after}, read_names(student.facts.reads))


def predictions(student: Student, inputs: Any) -> Iterator[Prediction]:
    """One prediction an input, in order; what cannot be read is named, and the rest goes on."""
    examples = open_unlabelled(inputs, student.teacher.modality)
    counters, told = Counters(), 0
    waiting: dict[int, Prediction] = {}

    def known(last: bool = False) -> Iterator[Prediction]:
        """What can be told now, in order."""
        nonlocal told
        while told < len(examples) and (
            last or told in waiting or str(told) in counters.unreadable
        ):
            why = counters.unreadable.get(str(told), "it could not be read")
            broken = Prediction(examples[told].name, None, {}, None, False, why)
            yield waiting.pop(told, broken)
            told += 1

    for indices, features in _batches(student, examples, counters):
        for index, probabilities, score in zip(indices, *judge(student, features), strict=True):
            waiting[index] = _prediction(student, examples[index], probabilities, float(score))
        yield from known()
    yield from known(last=True)


Batch = tuple[list[int], npt.NDArray[np.float32]]


def _batches(student: Student, examples: Sequence[Example], counters: Counters) -> Iterator[Batch]:
    """Which examples, and their features, a batch at a time; unreadable ones are passed over."""
    wanted = [Wanted(str(i), example.item, (0,)) for i, example in enumerate(examples)]
    for keys, arrays in stream(student.extractor, wanted, counters):
        yield [int(name) for name, _ in keys], tail_features(student, arrays)


def _prediction(student: Student, example: Example, probabilities: Floats, score: float) -> Prediction:  # fmt: skip
    named = {c: float(p) for c, p in zip(student.classes, probabilities, strict=True)}
    best = int(probabilities.argmax())
    foreign = score > student.reject.threshold and best < len(student.facts.classes)
    return Prediction(example.name, student.classes[best], named, score, foreign)


def judge(student: Student, features: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Features (N, D) -> probabilities (N, C) and reject scores (N,).

    In blocks of a fixed size, padded, so that the rounding of a row does not depend on the others.
    """
    parts = [_judge_block(student, features[i : i + BLOCK]) for i in range(0, len(features), BLOCK)]
    return np.concatenate([p for p, _ in parts]), np.concatenate([s for _, s in parts])


def _judge_block(student: Student, rows: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
    block = padded({"x": rows}, BLOCK)["x"]
    logits = student.head.logits(block)
    scores = student.reject.score(block, logits)
    probabilities = student.head.probabilities(block)
    if student.old is not None:
        old = student.old.probabilities(block[:, -student.facts.card.width :])
        probabilities = joint(probabilities, old, scores, student.reject.threshold)
    return probabilities[: len(rows)], scores[: len(rows)]


def probabilities_of(student: Student, inputs: Any) -> Floats:
    """Probabilities (N, C).

    Raises:
        DataError: some inputs cannot be read; all of them are named.
    """
    found = list(predictions(student, inputs))
    broken = [p for p in found if p.error is not None]
    if broken:
        named = "; ".join(f"{p.input} ({p.error})" for p in broken[:5])
        raise DataError(
            "unreadable", given=f"{len(broken)} of {len(found)} inputs cannot be read: {named}",
            expected="readable inputs", next="Leave them out, or use `tutelage predict`, which names them and goes on.",
        )  # fmt: skip
    rows = [[p.probabilities[c] for c in student.classes] for p in found]
    return np.array(rows, dtype=np.float64).reshape(len(found), len(student.classes))


def evaluate_on(student: Student, source: Any, labels: Sequence[str] | None = None, *, seen: frozenset[str] = frozenset()) -> dict[str, Any]:  # fmt: skip
    """Score a student on a labelled source; unknown classes and unreadable items are named.

    Args:
        seen: digests of items that it was trained on; finding some gives a warning.
    """
    dataset = source if isinstance(source, Dataset) else open_source(source, labels=labels, modality=student.teacher.modality)  # fmt: skip
    known = [e for e in dataset.examples if e.label in student.classes]
    foreign = sorted({str(e.label) for e in dataset.examples} - set(student.classes))
    if not known:
        raise DataError(
            "no-known-class", given=f"classes {', '.join(foreign[:8])}", expected="classes among " + ", ".join(student.classes[:8]),
            next="Give data labelled with the student's classes.",
        )  # fmt: skip
    counters = Counters()
    batches = list(_batches(student, known, counters))
    if not batches:
        raise DataError(
            "all-unreadable", given=f"none of {len(known)} items can be read", expected="readable items",
            next="See what is wrong with: tutelage check DATA",
        )  # fmt: skip
    probabilities, _ = judge(student, np.concatenate([features for _, features in batches]))
    scored = [i for indices, _ in batches for i in indices]
    truth = np.array([student.classes.index(str(known[i].label)) for i in scored])
    warnings = _warnings(student, known, foreign, counters, seen)
    return {"schema": 1, **evaluate(probabilities, truth, student.classes), "warnings": warnings}


def _warnings(student: Student, known: Sequence[Example], foreign: Sequence[str], counters: Counters, seen: frozenset[str]) -> list[str]:  # fmt: skip
    absent = sorted(set(student.classes) - {str(e.label) for e in known})
    told = [f"class {name} is unknown to the student: its items were left out" for name in foreign]
    told += [f"class {name} has no item here" for name in absent]
    told += [f"{known[int(i)].name} left out: {why}" for i, why in counters.unreadable.items()]
    twice = sum(digest_item(example.item) in seen for example in known) if seen else 0
    if twice:
        told.append(f"{twice} of these items are in the training data: the figures are too good")
    return told


def features_at(
    student: Student, activations: Activations, indices: Sequence[int]
) -> npt.NDArray[np.float32]:
    """Features (N, D) of items whose activations at the cut are in the cache, block by block."""
    rows = activations.gather(student.facts.frozen, indices, 1)
    parts = [(places, tail_features(student, block)) for places, block in rows.alike(256)]
    features = np.concatenate([part for _, part in parts])
    features[np.concatenate([places for places, _ in parts])] = features.copy()
    return features
