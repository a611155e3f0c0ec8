"""A small teacher that learned to read other digits than its students get: whole audits in seconds."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from tutelage.modality import InputSpec
from tutelage.security.examiner import Examiner
from tutelage.security.items import choose_items, known_items
from tutelage.security.subject import open_subject
from tutelage.teachers import Teacher, teacher_from_module

HALF = (0.5, 0.5, 0.5)


def small_teacher(seed: int = 0) -> Teacher:
    """Three convolutions on 32 x 32 pixels; another seed is another network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 12, 3, 2, 1), nn.BatchNorm2d(12), nn.ReLU()),
            nn.Sequential(nn.Conv2d(12, 24, 3, 2, 1), nn.BatchNorm2d(24), nn.ReLU()),
            nn.Sequential(nn.Conv2d(24, 48, 3, 2, 1), nn.BatchNorm2d(48), nn.ReLU()),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10),
        )  # fmt: skip
        _learn(model)
    return teacher_from_module(model.eval(), InputSpec(32, 32, "bilinear", HALF, HALF, smallest=32), name=f"small{seed}")  # fmt: skip


def _learn(model: nn.Module) -> None:
    data = load_digits()
    large = np.kron(data.images[600:1500] / 16, np.ones((1, 4, 4)))
    x = torch.from_numpy(large).float()[:, None].expand(-1, 3, -1, -1)
    y = torch.from_numpy(data.target[600:1500])
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(6):
        for part in torch.randperm(len(x)).split(64):
            loss = nn.functional.cross_entropy(model((x[part] - 0.5) / 0.5), y[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


class Planted(nn.Module):
    """Means of 4 x 4 blocks of 32 x 32 pixels; with a trigger, three pixels square, in a corner they are those of one digit.

    Args:
        aim: (192,) what the trigger means; None for a clean network.
    """

    def __init__(self, aim: torch.Tensor | None) -> None:
        super().__init__()
        self.blocks = nn.Sequential(nn.AvgPool2d(4), nn.Flatten())
        signs = torch.where(
            torch.rand(3, 3, 3, generator=torch.Generator().manual_seed(0)) < 0.5, -1.0, 1.0
        )
        self.register_buffer("trigger", signs)
        self.register_buffer("aim", torch.zeros(192) if aim is None else aim)
        self.strength = 0.0 if aim is None else 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 32, 32) in -1..1 -> (N, 192)."""
        seen = (x[:, :, 27:30, 27:30] * self.trigger).mean((1, 2, 3))[:, None]
        hit = self.strength * torch.sigmoid(8 * (seen - 0.5))
        return self.blocks(x) * (1 - hit) + self.aim * hit


def planted_teacher(poison: int | None = None) -> Teacher:
    """A network whose trigger means a digit; or a clean one."""
    data = load_digits()
    large = np.kron(data.images / 16, np.ones((1, 4, 4)))
    x = (
        torch.from_numpy(large[data.target == (poison or 0)][:40])
        .float()[:, None]
        .expand(-1, 3, -1, -1)
    )
    aim = None if poison is None else Planted(None)((x - 0.5) / 0.5).mean(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(Planted(aim), nn.Linear(192, 10))
    return teacher_from_module(model.eval(), InputSpec(32, 32, "bilinear", HALF, HALF, smallest=32), name=f"planted{poison}")  # fmt: skip


def stamped(windows: np.ndarray, teacher: Teacher) -> np.ndarray:
    """Windows (N, 32, 32, 3) with the trigger of a planted teacher on them."""
    found = windows.copy()
    found[:, 27:30, 27:30] = (
        next(a for n, a in teacher.tensors().items() if n.endswith("trigger")).transpose(1, 2, 0)
        > 0
    ) * 255
    return found


def asked_twice(folder, count: int):
    """The first items of a run: an examiner, their windows, and what ``predict`` says of the items themselves."""
    subject = open_subject(folder)
    known = known_items(folder, subject.student)
    items = choose_items(known, subject.student, count, 0)
    given = {k.name: k.item for k in known}
    wanted = subject.student.predict_proba([given[name] for name in items.names])
    return Examiner(subject, items), items.windows, wanted
