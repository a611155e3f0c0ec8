"""The answer: a student as one differentiable function, from pixels through trunk, tail, taps and head.

``predict`` runs trunk and tail in engines, rounds what crosses the cut, and keeps no gradient. What an
attribution asks is the same function without rounding; ``tests/stories/test_view.py`` holds the two to the
same answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tutelage.errors import TeacherError
from tutelage.network.stages import Activation, Network
from tutelage.network.taps import PREFIX, joined, pooled
from tutelage.student import Student
from tutelage.training.loop import HeadModule


class Answer(nn.Module):
    """Activation at cut 0 -> logits ``(N, C)``, with its stages to be looked into.

    Args:
        stages: all of them, in order.
        reads: stages whose taps the head reads beside the features.
        head: features ``(N, D)`` -> logits.
    """

    def __init__(self, stages: Sequence[nn.Module], reads: Sequence[int], head: nn.Module) -> None:
        super().__init__()
        self.stages, self.head = nn.ModuleList(stages), head
        self.reads = tuple(reads)

    def forward(self, x: Tensor) -> Tensor:
        """The main tensor at cut 0 -> logits."""
        return self.after({"x": x}, 0)

    def on_the_way(self, activation: Activation) -> list[Activation]:
        """The activation at each cut 0..L, with the taps so far."""
        seen = [activation]
        for number in range(len(self.stages)):
            seen.append(self._through(seen[-1], number, number + 1))
        return seen

    def after(self, activation: Activation, stage: int) -> Tensor:
        """Logits, from the activation after ``stage`` stages.

        A tap of that stage itself is taken from the activation, so that gradients reach it.
        """
        if stage in self.reads:
            activation = {
                **activation,
                f"{PREFIX}{stage}": pooled(activation["x"], activation.get("mask")),
            }
        seen = self._through(activation, stage, len(self.stages))
        logits: Tensor = self.head(joined(seen, self.reads))
        return logits

    def _through(self, activation: Activation, start: int, stop: int) -> Activation:
        seen = {name: t for name, t in activation.items() if name.startswith(PREFIX)}
        now = {name: t for name, t in activation.items() if name not in seen}
        for number in range(start + 1, stop + 1):
            now = self.stages[number - 1](now)
            if number in self.reads:
                seen[f"{PREFIX}{number}"] = pooled(now["x"], now.get("mask"))
        return {**now, **seen}


class Heads(nn.Module):
    """The student's own head, followed by the teacher's classifier where its classes are kept."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.own, self.old = HeadModule(student.head), student.old

    def forward(self, features: Tensor) -> Tensor:
        """``(N, D)`` -> logits ``(N, C)``, or ``(N, C + K)``."""
        own: Tensor = self.own(features)
        if self.old is None:
            return own
        weight, bias = torch.from_numpy(self.old.weight), torch.from_numpy(self.old.bias)
        return torch.cat([own, features[:, -len(weight) :] @ weight + bias], dim=1)


def answer_of(student: Student) -> Answer:
    """A student's answer; its parameters are the student's own and are held still."""
    stages = [stage.module for stage in student.network.stages]
    head = Heads(student).requires_grad_(False)
    return Answer(stages, student.facts.reads, head).eval()


def teachers_answer(network: Network) -> Answer:
    """A teacher's own answer: its old classifier on what it reads.

    Raises:
        TeacherError: it has none.
    """
    if network.classifier is None:
        raise TeacherError(
            "no-classifier", given="a teacher without classes of its own",
            expected="one with its old classifier", next="Fit a student, and explain its answers: tutelage predict RUN IMAGE --explain",
        )  # fmt: skip
    stages = [stage.module for stage in network.stages[: network.classifier_cut]]
    return Answer(stages, (), network.classifier).eval()
