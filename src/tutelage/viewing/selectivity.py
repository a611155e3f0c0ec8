"""Selectivity: what a channel prefers, measured with gratings as physiologists do it.

Gratings of every direction, at a few frequencies and phases, and coloured ones: a channel is selective for
direction if its answer depends on it (one minus the circular variance: Ringach, Shapley, Hawken,
J. Neuroscience 22, 2002), and for colour if coloured gratings excite it more than grey ones of the same
contrast (after Johnson, Hawken, Shapley, Nature Neuroscience 4, 2001).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float64]

DIRECTIONS = 8
PERIODS = (4.0, 6.0, 10.0, 16.0)
"""Pixels a grating repeats after."""

PHASES = 2
AXES = ((1.0, 1.0, 1.0), (1.0, -1.0, 0.0), (0.5, 0.5, -1.0))
"""Grey, red against green, yellow against blue."""


@dataclass(frozen=True)
class Selectivity:
    """Of each channel (D,), 0 to 1.

    Attributes:
        direction: one minus circular variance of the answers to grey gratings.
        colour: (c - g) / (c + g), c and g being the answers to the best coloured and grey grating; 0 where grey is best.
    """

    direction: Floats
    colour: Floats


def selectivity(model: Callable[[Tensor], Tensor], size: int) -> Selectivity:
    """Of every channel of a stage.

    Args:
        model: pictures (N, 3, H, W) in 0..1 -> map (N, D, h, w).
        size: height = width of the gratings in pixels.
    """
    with torch.inference_mode():
        rest = _spread(model(torch.full((1, 3, size, size), 0.5)))
        answers = np.stack([_answers(model, size, axis) for axis in AXES]) - rest
    answers = np.maximum(answers, 0.0)
    grey = answers[0].max(1)
    turns = np.exp(2j * math.pi * np.arange(DIRECTIONS) / DIRECTIONS)
    total = grey.sum(0)
    direction = np.abs((grey * turns[:, None]).sum(0)) / np.where(total > 0, total, 1)
    best, coloured = grey.max(0), answers[1:].max((0, 1, 2))
    both = best + coloured
    colour = np.maximum(coloured - best, 0) / np.where(both > 0, both, 1)
    return Selectivity(direction, colour)


def _answers(model: Callable[[Tensor], Tensor], size: int, axis: tuple[float, ...]) -> Floats:
    """Mean over phases of how strongly each channel answers: (directions, periods, D)."""
    found = _spread(model(gratings(size, axis)))
    means: Floats = found.reshape(DIRECTIONS, len(PERIODS), PHASES, -1).mean(2)
    return means


def gratings(size: int, axis: tuple[float, ...]) -> Tensor:
    """(directions x periods x phases, 3, size, size) in 0..1, all of the same contrast along a colour axis."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    colour = torch.tensor(axis) / max(abs(value) for value in axis)
    pictures = []
    for number in range(DIRECTIONS):
        angle = math.pi * number / DIRECTIONS
        along = columns * math.cos(angle) + rows * math.sin(angle)
        for period in PERIODS:
            for phase in range(PHASES):
                wave = (2 * math.pi * (along / period + phase / (2 * PHASES))).sin()
                pictures.append(0.5 + 0.45 * colour[:, None, None] * wave)
    return torch.stack(pictures)


def _spread(x: Tensor) -> Floats:
    """How strongly each channel answers to each picture (N, D): the root mean square over places."""
    found: Floats = x.double().square().mean((2, 3)).sqrt().numpy()
    return found
