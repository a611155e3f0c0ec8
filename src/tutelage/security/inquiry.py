"""The inquiry: who is audited, on what, how hard, and in front of which control; every attack starts from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.modality.perturb import Perturb
from tutelage.run import Run
from tutelage.security.control import Control, spec_for
from tutelage.security.examiner import Examiner
from tutelage.security.items import Items
from tutelage.security.mimicry import Crafter
from tutelage.security.presets import Preset
from tutelage.security.pursuit import Pursuit
from tutelage.security.rows import Row
from tutelage.security.subject import Subject
from tutelage.teachers import Teacher
from tutelage.teachers.cuts import tapped


@dataclass(frozen=True)
class Inquiry:
    """Everything that attacks look at.

    Attributes:
        subject: the student and its public teacher.
        items: what is attacked.
        control: an unrelated network.
        preset: how much is tried.
        seed: of every random choice.
        run: where progress goes.
        optimiser: of teacher-only attacks; see ``Pursuit``.
        device: where networks are differentiated.
    """

    subject: Subject
    items: Items
    control: Control
    preset: Preset
    seed: int
    run: Run
    optimiser: str = "sign"
    device: str = "cpu"

    @cached_property
    def examiner(self) -> Examiner:
        """Asks the student."""
        return Examiner(self.subject, self.items)

    @property
    def perturb(self) -> Perturb:
        """What may be done to an item."""
        return self.subject.perturb

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Which items the student gets right (N,)."""
        return self.examiner.right

    @property
    def headline(self) -> int:
        """The cut that is imitated first: the true one; of a student without frozen stages the last."""
        return self.subject.true_cut or self.subject.depth

    @property
    def budgets(self) -> tuple[float, ...]:
        """In the modality's steps, rising: all of them, or the graded one and the next."""
        found = self.perturb.budgets
        if self.preset.all_budgets:
            return found
        at = found.index(self.perturb.graded)
        return found[at : at + 2]

    @property
    def cuts(self) -> tuple[int, ...]:
        """Cuts beside the headline and the last, falling: one below, or as many as the preset says, spread over the depth."""
        others = [k for k in range(1, self.subject.depth) if k != self.headline and self._parts(k)]  # fmt: skip
        many = self.preset.cuts or len(others)
        below = [k for k in others if k < self.headline]
        if many == 1:
            return tuple(below[-1:] or others[-1:])
        places = np.linspace(0, len(others) - 1, min(many, len(others))).round().astype(int)
        near = [k for k in others if abs(k - self.headline) == 1]
        return tuple(sorted({*(others[i] for i in places), *near}, reverse=True))

    def _parts(self, cut: int) -> bool:
        """Whether a stage has weights: a bare pooling is no place of its own, unless it is the true cut."""
        return self.subject.teacher.card.stages[cut - 1].parameters > 0 or cut == self.headline

    def reads(self, teacher: Teacher | None = None) -> tuple[int, ...]:
        """Stages whose pooled output is imitated beside the cut: those that the student's head reads.

        Of another teacher: those that a head of a student of it would read, if this one's reads any.
        """
        own = self.subject.student.facts.reads
        return own if teacher is None else tapped(teacher.card) if own else ()

    def crafter(self, teacher: Teacher | None = None) -> Crafter:
        """Crafts on the public teacher, or on another."""
        held, spec = teacher or self.subject.teacher, self.subject.student.facts.spec
        own = spec if teacher is None else spec_for(held, spec)
        engine = None if self.perturb.search is None else self.subject.student.facts.engine
        return Crafter(held, own, self.perturb, self.seed, self.device, engine)

    def pursuit(self, goal: str) -> Pursuit:
        """How gradients are followed; displacement must leave the point where its gradient is zero."""
        return Pursuit(self.preset.steps, start=0.5 if goal == "displace" else 0.0, optimiser=self.optimiser)  # fmt: skip

    def row(self, attack: str, threat: str, windows: npt.NDArray[Any], budget: float, *, targeted: bool = False, **more: Any) -> Row:  # fmt: skip
        """Let the student answer, and count over the items that it gets right.

        Args:
            windows: of the first items (M, ...), M <= N.
        """
        fooled = self.examiner.fooled(windows, targeted)
        return Row(attack, threat, more.pop("cut", None), budget, targeted, fooled[self.right[: len(windows)]], **more)  # fmt: skip

    def told(self, what: str) -> Callable[[int], None]:
        """Progress of one attack over the items."""
        return lambda done: self.run.progress(what, done, len(self.items))


def pair(inquiry: Inquiry, attack: str, threat: str, windows: npt.NDArray[Any], budget: float, **more: Any) -> list[Row]:  # fmt: skip
    """One crafted set judged twice: as the wanted class, and as any wrong class."""
    told = inquiry.examiner.answers(windows)
    right, cut = inquiry.right[: len(windows)], more.pop("cut", None)
    return [
        Row(
            attack,
            threat,
            cut,
            budget,
            targeted,
            inquiry.examiner.hits(told, targeted)[right],
            **more,
        )
        for targeted in (True, False)
    ]


def mean_residual(residual: npt.NDArray[np.floating], counted: Sequence[bool] | npt.NDArray[np.bool_]) -> float | None:  # fmt: skip
    """Mean over counted items; None of none."""
    chosen = np.asarray(residual)[np.asarray(counted)]
    return float(chosen.mean()) if len(chosen) else None
