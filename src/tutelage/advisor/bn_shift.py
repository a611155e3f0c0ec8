"""Batch-norm shift: how far data lies from the statistics that a teacher's batch norms hold of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tutelage.network.stages import Activation, Network

Floats = npt.NDArray[np.float64]


@dataclass
class Moments:
    """What one layer was given, item by item, measured from the mean that it holds.

    Attributes:
        variance: held, (C,).
        eps: the layer's own.
        first: mean over places of ``x - held mean``, a block (n, C) a batch.
        second: mean over places of its square, likewise.
    """

    variance: Floats
    eps: float
    first: list[npt.NDArray[np.float32]]
    second: list[npt.NDArray[np.float32]]

    def shift(self) -> float:
        """``D(l)`` of all items; see ``bn_shift``."""
        away = np.concatenate(self.first).mean(0, dtype=np.float64)
        square = np.concatenate(self.second).mean(0, dtype=np.float64)
        variance = np.maximum(square - np.square(away), 0.0)
        return divergence(away, variance, self.variance, self.eps)


def bn_shift(network: Network, batches: Iterable[Activation]) -> dict[str, float] | None:
    """Batch-norm shift of each layer, in nats a channel, in the order in which they run; 0 is no shift.

    ``D(l) = mean_c 1/2 [(mu_t - mu_s)^2 / s + t / s - 1 - ln(t / s)]`` with ``s = var_s + eps`` and
    ``t = var_t + eps``: the Kullback-Leibler divergence of two normal distributions, that of what the
    layer gets from the data and the one that it holds. ``eps`` is the layer's own, in both, for a
    channel that is silent on either side. Statistics of batch norm as a measure of how far data has
    drifted from a model's own: Lee et al., "Unsupervised Model Drift Estimation with Batch
    Normalization Statistics", 2021 (arXiv 2107.00191).

    It is the larger the fewer items there are, by about a constant over their number.

    Args:
        network: in eval mode; it is left as it was.
        batches: activations at cut 0.

    Returns:
        Name of the layer in the model -> D; None for a network without batch norm.

    Example:
        ``bn_shift(teacher.network, [teacher.prepare(spec)(batch)])["bn1"]``
    """
    backbone = network.trunk(len(network.stages))
    with watched(network.model) as seen, torch.no_grad():
        for batch in batches:
            backbone(batch)
    return shifts(seen)


def shifts(seen: Mapping[str, Moments]) -> dict[str, float] | None:
    """``D(l)`` of each watched layer; None if there is none."""
    return {name: moments.shift() for name, moments in seen.items()} or None


def divergence(away: Floats, variance: Floats, held: Floats, eps: float) -> float:
    """The formula of ``bn_shift``: mean over channels, in nats.

    Args:
        away: ``mu_t - mu_s`` (C,).
        variance: ``var_t`` (C,).
        held: ``var_s`` (C,).
    """
    scale = held + eps
    ratio = (variance + eps) / scale
    return float(0.5 * (np.square(away) / scale + ratio - 1 - np.log(ratio)).mean())


@contextmanager
def watched(model: nn.Module) -> Iterator[dict[str, Moments]]:
    """While it lasts, every ``BatchNorm2d`` with held statistics tells what it is given; no hook stays."""
    seen: dict[str, Moments] = {}
    layers = [
        (name, part) for name, part in model.named_modules() if isinstance(part, nn.BatchNorm2d)
    ]
    handles = [
        layer.register_forward_pre_hook(lambda _, given, n=name, part=layer: _note(seen, n, part, given[0]))
        for name, layer in layers if layer.running_mean is not None
    ]  # fmt: skip
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _note(seen: dict[str, Moments], name: str, layer: nn.BatchNorm2d, x: Tensor) -> None:
    """Moments of ``x`` (N, C, H, W) about the held mean, where float32 squares lose nothing that counts."""
    mean, variance = layer.running_mean, layer.running_var
    assert mean is not None and variance is not None
    away = x.detach().permute(0, 2, 3, 1).flatten(1, 2) - mean  # channels last: a view, and fast
    if name not in seen:
        seen[name] = Moments(variance.double().cpu().numpy(), layer.eps, [], [])
    seen[name].first.append(away.mean(1).float().cpu().numpy())
    seen[name].second.append(away.square_().mean(1).float().cpu().numpy())
