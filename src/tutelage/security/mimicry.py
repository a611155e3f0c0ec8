"""Mimicry (Wang et al., USENIX Security 2018): make the teacher see another class in an item that looks the same.

An adversary who has the public teacher and a few images of a class moves an item, inside a budget, until the
teacher's activations at a cut are those of the class. Every student that took these stages over sees the
class too, whatever its head: the student itself is never asked.

mimic      targeted: activations become those of a class (of one item, or the mean of a few)
displace   untargeted: activations go as far as they can from where they were
copy       the adversary fits a head of their own on the few items, and fools that; towards the wanted class, or
           away from the true one. It matches only what tells classes apart, which a small budget can do better
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tutelage.features.engine import EngineSpec
from tutelage.modality import InputSpec
from tutelage.modality.perturb import Perturb
from tutelage.security.crafted import Arrays, crafted
from tutelage.security.eye import Eye
from tutelage.security.items import Items
from tutelage.security.pursuit import BATCH, Pursuit, pursue
from tutelage.teachers import Teacher

Goal = Literal["mimic", "mimic one", "displace", "copy", "copy away"]
UNTARGETED = ("displace", "copy away")
"""Goals without a wanted class."""
Tell = Callable[[int], None]

RIDGE = 0.1
"""Penalty of the adversary's own head, in mean squared lengths."""

ENOUGH = 1.0
"""Margin of their own head (targets are 0 and 1) beyond which nothing is gained."""


@dataclass(frozen=True)
class Crafter:
    """Who crafts: a teacher that an adversary holds, and how windows are made ready for it.

    Attributes:
        teacher: public.
        spec: the student's sizes with the teacher's own normalisation.
        perturb: of the modality.
        seed: of random starts.
        device: where the teacher runs; no part of a set's name.
        engine: runs it where the modality searches by itself; see ``Eye``.
    """

    teacher: Teacher
    spec: InputSpec
    perturb: Perturb
    seed: int
    device: str = "cpu"
    engine: EngineSpec | None = None

    def craft(self, items: Items, goal: Goal, cut: int, reads: Sequence[int], budget: float, how: Pursuit, tell: Tell | None = None) -> Arrays:  # fmt: skip
        """Windows that look alike and mean something else to the teacher; from the cache, if they are there.

        Args:
            items: what is attacked, and what is imitated.
            goal: see the head of this file.
            cut: stages 1..L whose output is compared.
            reads: stages before it whose pooled output is compared too.
            budget: see ``Perturb``.
            how: the pursuit.
            tell: hears how many items are done.

        Returns:
            ``windows`` (N, ...), and ``residual`` (N,): squared distance to the goal after over before, 0 being
            perfect mimicry; for ``displace`` the squared displacement in deviations, larger being farther; for copies the
            loss, which is -1 (``copy away``) or between -1 and 0 where their own head is fooled for sure.
        """
        facts = {
            "teacher": self.teacher.card.weights_digest, "spec": self.spec.as_json(), "items": items.digest, "goal": goal,
            "cut": cut, "reads": [k for k in reads if k < cut], "budget": budget, "how": how.as_json(), "seed": self.seed,
            **({"engine": self.engine.as_json()} if self.engine else {}),
        }  # fmt: skip
        return crafted(facts, lambda: self._make(items, goal, cut, reads, budget, how, tell))

    def _make(self, items: Items, goal: Goal, cut: int, reads: Sequence[int], budget: float, how: Pursuit, tell: Tell | None) -> Arrays:  # fmt: skip
        eye = Eye(self.teacher, self.spec, cut, reads, self.device, self.engine)
        eye.calibrate(items.references)
        if self.perturb.search is not None:
            return self._searched(items, goal, eye, budget, how.steps, tell)
        losses = Goals(eye, items, goal)
        windows = pursue(
            losses, items.windows, budget, self.perturb, how, self.seed, tell, eye.device
        )
        return {"windows": windows, "residual": losses.residual(windows)}

    def _searched(self, items: Items, goal: Goal, eye: Eye, budget: float, rounds: int, tell: Tell | None) -> Arrays:  # fmt: skip
        """Where windows are no numbers, the modality looks itself, an item at a time."""
        assert self.perturb.search is not None
        losses, rng = Goals(eye, items, goal), np.random.default_rng(self.seed)
        found = []
        for row in range(len(items)):
            objective = losses.asked(row)
            found.append(self.perturb.search(objective, items.windows[row : row + 1], budget, rounds, rng))  # fmt: skip
            if tell is not None:
                tell(row + 1)
        windows = np.concatenate(found)
        return {"windows": windows, "residual": losses.residual(windows)}


class Goals:
    """The losses of a goal; what items and classes look like at the cut is computed a batch at a time."""

    def __init__(self, eye: Eye, items: Items, goal: Goal) -> None:
        self.eye, self.items, self.goal = eye, items, goal
        self._rows: slice | None = None
        self._aim = self._start = torch.empty(0)
        looks = (
            eye.look(items.references) if goal in ("mimic", "copy", "copy away") else torch.empty(0)
        )
        self._classes = class_looks(looks, items) if goal in ("mimic", "copy") else {}
        self._head = own_head(looks, items) if goal.startswith("copy") else None

    def __call__(self, values: Tensor, rows: slice) -> Tensor:
        """See ``pursuit.Losses``."""
        return self.judged(self.eye(values), rows)

    def judged(self, looks: Tensor, rows: slice) -> Tensor:
        """The losses (B,) of looks (B, F); see ``__call__``."""
        self._prepare(rows)
        squared: Tensor = ((looks - self._aim) ** 2).sum(1)
        if self.goal == "displace":
            return -squared
        if self._head is None:
            return squared / self._start
        lost = -self._margin(self._head(looks), rows).clamp_max(ENOUGH) / ENOUGH
        return lost if self.goal == "copy away" else lost + squared / self._start

    def _margin(self, logits: Tensor, rows: slice) -> Tensor:
        """By how much the adversary's own head prefers what is wanted: the target, or anything but the truth."""
        away = self.goal == "copy away"
        aim = torch.from_numpy((self.items.truth if away else self.items.targets)[rows]).to(
            logits.device
        )
        aim = aim.expand(len(logits))  # many looks at one item, or one at each
        own = logits.gather(1, aim[:, None])[:, 0]
        others = logits.scatter(1, aim[:, None], -torch.inf).amax(1)
        margin: Tensor = own - others
        return -margin if away else margin

    def _prepare(self, rows: slice) -> None:
        if self._rows == rows:
            return
        before = self.eye.look(self.items.windows[rows])
        self._aim = before if self.goal in UNTARGETED else self._targets(rows)
        self._start = ((before - self._aim) ** 2).sum(1).clamp_min(1e-12)
        self._rows = rows

    def _targets(self, rows: slice) -> Tensor:
        wanted = self.items.targets[rows]
        if self._classes:
            return torch.stack([self._classes[int(t)] for t in wanted])
        return self.eye.look(np.stack([self.items.references[one(self.items, int(t))] for t in wanted]))  # fmt: skip

    def asked(self, row: int) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.floating]]:
        """The loss of one item, for a modality's own search."""
        self._prepare(slice(row, row + 1))

        @torch.no_grad()
        def loss(windows: npt.NDArray[Any]) -> npt.NDArray[np.floating]:
            found: npt.NDArray[np.floating] = self.judged(self.eye.look(windows), slice(row, row + 1)).cpu().numpy()  # fmt: skip
            return found

        return loss

    @torch.no_grad()
    def residual(self, windows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """How far real windows are from their goal (N,); see ``Crafter.craft``."""
        parts = []
        for start in range(0, len(windows), BATCH):
            rows = slice(start, min(start + BATCH, len(windows)))
            found = self.judged(self.eye.look(windows[rows]), rows)
            parts.append(-found if self.goal == "displace" else found)
        return torch.cat(parts).cpu().numpy().astype(np.float32)


def one(items: Items, target: int) -> int:
    """Number of the reference that stands for a class where only one item is imitated."""
    return int(np.flatnonzero(items.reference_truth == target)[0])


def own_head(looks: Tensor, items: Items) -> Callable[[Tensor], Tensor]:
    """Ridge regression on the looks of the references, to 0 and 1: (N, F) -> (N, C)."""
    centre = looks.mean(0)
    rows, truth = looks - centre, torch.from_numpy(items.reference_truth).to(looks.device)
    wanted = nn.functional.one_hot(truth, len(items.classes)).float()
    gram = rows @ rows.T
    ridge = RIDGE * gram.diagonal().mean()
    weight = rows.T @ torch.linalg.solve(gram + ridge * torch.eye(len(rows), device=rows.device), wanted - wanted.mean(0))  # fmt: skip
    bias = wanted.mean(0)
    return lambda x: (x - centre) @ weight + bias


def class_looks(looks: Tensor, items: Items) -> dict[int, Tensor]:
    """The mean look of each class's references."""
    truth = torch.from_numpy(items.reference_truth).to(looks.device)
    return {c: looks[truth == c].mean(0) for c in np.unique(items.reference_truth).tolist()}
