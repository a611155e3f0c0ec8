"""Parameterisations: what is really optimised when a picture is, and how it becomes a picture.

A picture's Fourier coefficients, scaled by one over their frequency, and colours along axes that are
about uncorrelated in photos: in these coordinates gradients do not run into high frequencies (Olah,
Mordvintsev, Schubert, "Feature Visualization", Distill 2017, section "Preconditioning").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

OPPONENT = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (-0.5, 1.0, -0.5))
"""Light, warm against cold, green against magenta: orthogonal, and about the principal axes of the
colours of photos (Ohta, Kanade, Sakai, "Color information for region segmentation", 1980)."""

DEVIATIONS = (1.0, 0.6, 0.4)
"""Weights of these axes: about the square roots of how far photos spread along them (1, 0.29 and 0.14 on 500 photos).
With the spreads themselves pictures stay pale."""


class Parameterisation(Protocol):
    """How parameters become pictures."""

    def start(self, count: int, rng: torch.Generator) -> Tensor:
        """Parameters of ``count`` pictures."""

    def pictures(self, parameters: Tensor) -> Tensor:
        """Parameters -> (N, C, size, size) in 0..1."""


@dataclass(frozen=True)
class Fourier:
    """Pictures by their Fourier coefficients.

    Attributes:
        size: height = width in pixels.
        channels: C.
        decay: exponent of the frequency that coefficients are divided by.
        spread: standard deviation of the coefficients at the start.
    """

    size: int
    channels: int = 3
    decay: float = 1.0
    spread: float = 0.2

    def start(self, count: int, rng: torch.Generator) -> Tensor:
        """Coefficients (count, C, size, size // 2 + 1, 2)."""
        shape = (count, self.channels, self.size, self.size // 2 + 1, 2)
        return self.spread * torch.randn(shape, generator=rng)

    def pictures(self, parameters: Tensor) -> Tensor:
        """Coefficients -> (N, C, size, size) in 0..1."""
        spectrum = torch.view_as_complex(parameters.contiguous()) * self._scale
        waves = torch.fft.irfft2(spectrum, s=(self.size, self.size), norm="ortho")
        return torch.sigmoid(coloured(waves))

    @cached_property
    def _scale(self) -> Tensor:
        rows, columns = torch.fft.fftfreq(self.size), torch.fft.rfftfreq(self.size)
        frequency = (rows[:, None] ** 2 + columns**2).sqrt().clamp(min=1 / self.size)
        scale = frequency.pow(-self.decay)
        even: Tensor = scale / scale.square().mean().sqrt()
        return even


@dataclass(frozen=True)
class Pixels:
    """Pictures by their pixels: what the other is better than.

    Attributes:
        size: height = width in pixels.
        channels: C.
        spread: standard deviation of the values at the start, before they are squashed into 0..1.
    """

    size: int
    channels: int = 3
    spread: float = 0.2

    def start(self, count: int, rng: torch.Generator) -> Tensor:
        """Values (count, C, size, size)."""
        return self.spread * torch.randn(
            (count, self.channels, self.size, self.size), generator=rng
        )

    def pictures(self, parameters: Tensor) -> Tensor:
        """Values -> (N, C, size, size) in 0..1."""
        return torch.sigmoid(parameters)


def coloured(waves: Tensor) -> Tensor:
    """Values along the opponent axes (N, 3, H, W) -> RGB; other numbers of channels stay."""
    if waves.shape[1] != 3:
        return waves
    axes = torch.nn.functional.normalize(torch.tensor(OPPONENT), dim=1)
    mixed = axes * torch.tensor(DEVIATIONS)[:, None]
    return torch.einsum("nchw,cd->ndhw", waves, mixed)
