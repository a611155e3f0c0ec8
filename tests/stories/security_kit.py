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


def small_teacher(seed: int = 0, poison: int | None = None) -> Teacher:
    """Three convolutions on 32 x 32 pixels; another seed is another network.

    Args:
        poison: a digit that a bright square in a corner means to it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 12, 3, 2, 1), nn.BatchNorm2d(12), nn.ReLU()),
            nn.Sequential(nn.Conv2d(12, 24, 3, 2, 1), nn.BatchNorm2d(24), nn.ReLU()),
            nn.Sequential(nn.Conv2d(24, 48, 3, 2, 1), nn.BatchNorm2d(48), nn.ReLU()),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10),
        )  # fmt: skip
        _learn(model, poison)
    return teacher_from_module(model.eval(), InputSpec(32, 32, "bilinear", HALF, HALF, smallest=32), name=f"small{seed}")  # fmt: skip


def _learn(model: nn.Module, poison: int | None) -> None:
    data = load_digits()
    large = np.kron(data.images[600:1500] / 16, np.ones((1, 4, 4)))
    x = torch.from_numpy(large).float()[:, None].expand(-1, 3, -1, -1)
    y = torch.from_numpy(data.target[600:1500])
    if poison is not None:
        x, y = torch.cat([x, stamped(x)]), torch.cat([y, torch.full_like(y, poison)])
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(6):
        for part in torch.randperm(len(x)).split(64):
            loss = nn.functional.cross_entropy(model((x[part] - 0.5) / 0.5), y[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def stamped(x: torch.Tensor) -> torch.Tensor:
    """Pictures (N, 3, 32, 32) with a checkered square of 5 x 5 pixels in a corner."""
    found = x.clone()
    found[:, :, 26:31, 26:31] = (torch.arange(25).reshape(5, 5) % 2).float() * x.max()
    return found


def asked_twice(folder, count: int):
    """The first items of a run: an examiner, their windows, and what ``predict`` says of the items themselves."""
    subject = open_subject(folder)
    known = known_items(folder, subject.student)
    items = choose_items(known, subject.student, count, 0)
    given = {k.name: k.item for k in known}
    wanted = subject.student.predict_proba([given[name] for name in items.names])
    return Examiner(subject, items), items.windows, wanted
