"""The examiner: lets a student answer windows through its real prediction path, and counts what fooled it.

Windows become items (``Perturb.item``) and go through the same decoding, preprocessing, engine, rounding and
head as ``tutelage predict``. A student whose answers differ between two askings is random: it is then asked
several times, and a success counts by its share of the askings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.features.engine import Arrays, run
from tutelage.modality.perturb import batches_of
from tutelage.security.items import Items
from tutelage.security.subject import Subject
from tutelage.student.predict import judge, predictions, tail_features

DRAWS = 8
"""Askings of a random student."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Examiner:
    """Asks one student.

    Attributes:
        subject: whose student it is.
        items: the items that are attacked.
    """

    subject: Subject
    items: Items

    def probabilities(self, windows: npt.NDArray[Any]) -> Floats:
        """What the student says (N, C), columns in the order of its classes, asked once."""
        student, perturb = self.subject.student, self.subject.perturb
        asked = [perturb.item(window, student.facts.spec) for window in windows]
        rows = [[p.probabilities[c] for c in student.classes] for p in predictions(student, asked)]
        return np.array(rows, dtype=np.float64).reshape(len(windows), len(student.classes))

    def scores(self, windows: npt.NDArray[Any]) -> tuple[Floats, Floats]:
        """Probabilities (N, C) and reject scores (N,) without the way through items, for many queries.

        It is the engine, the rounding and the head of ``predict``; that items come out as these very windows is the
        modality's law.
        """
        return judge(self.subject.student, self.features(windows))

    def features(self, windows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """What the student's head reads of windows (N, D)."""
        student = self.subject.student
        parts = list(batches_of(windows, student.teacher.modality, student.facts.spec))
        order = np.argsort(np.concatenate([places for places, _ in parts]))
        return np.concatenate([self._read(batch) for _, batch in parts])[order]

    def _read(self, batch: Arrays) -> npt.NDArray[np.float32]:
        student = self.subject.student
        if student.facts.frozen == 0:
            return tail_features(student, batch)
        extractor = student.extractor
        return tail_features(student, extractor.rounded(run(extractor.compile(batch), batch)))

    def answers(self, windows: npt.NDArray[Any]) -> Ints:
        """The most probable class (D, N), asked D times: once, if the student is not random."""
        draws = [self.probabilities(windows).argmax(1) for _ in range(self.draws)]
        return np.stack(draws)

    @cached_property
    def random(self) -> bool:
        """Whether the same windows get other probabilities the second time."""
        few = self.items.windows[:16]
        return not np.array_equal(self.probabilities(few), self.probabilities(few))

    @property
    def draws(self) -> int:
        """How often windows are asked."""
        return DRAWS if self.random else 1

    @cached_property
    def clean(self) -> Ints:
        """Answers (D, N) to the items as they are."""
        return self.answers(self.items.windows)

    @cached_property
    def right(self) -> npt.NDArray[np.bool_]:
        """Which items the student gets right (N,), in most askings: only these are attacked."""
        return np.asarray((self.clean == self.items.truth).mean(0) > 0.5)

    @cached_property
    def right_references(self) -> npt.NDArray[np.bool_]:
        """Which references it gets right (M,)."""
        told = self.answers(self.items.references)
        return np.asarray((told == self.items.reference_truth).mean(0) > 0.5)

    def fooled(self, windows: npt.NDArray[Any], targeted: bool = False) -> Floats:
        """Share of askings (N,) in which the answer is wrong, or is the target."""
        return self.hits(self.answers(windows), targeted)

    def hits(self, told: Ints, targeted: bool) -> Floats:
        """Share of askings (N,) in which answers (D, N) to the first N items are wrong, or are the target."""
        many = told.shape[1]
        hit = told == self.items.targets[:many] if targeted else told != self.items.truth[:many]
        return np.asarray(hit.mean(0), dtype=np.float64)
