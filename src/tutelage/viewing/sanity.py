"""Sanity of attributions: a map that stays when the weights are random shows the picture, not the network.

Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, section 3: randomise the weights, and
compare the maps by rank correlation.
"""

from __future__ import annotations

import copy

import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from tutelage.viewing.answer import Answer


def randomised(answer: Answer, rng: torch.Generator) -> Answer:
    """A copy with random weights, of the same spread in each tensor: the values of each are put in another order.

    Statistics of normalisation layers are those of the copy's own channels in another order too.
    """
    other = copy.deepcopy(answer)
    with torch.no_grad():
        for tensor in _values(other):
            order = torch.randperm(tensor.numel(), generator=rng)
            tensor.copy_(tensor.flatten()[order].view(tensor.shape))
    return other


def _values(module: nn.Module) -> list[Tensor]:
    tensors = [*module.parameters(), *module.buffers()]
    return [t for t in tensors if t.is_floating_point()]


def rank_correlation(first: Tensor, second: Tensor) -> list[float]:
    """Spearman's rank correlation of maps (N, ...), a number a row; 0 where a map is flat."""
    found = []
    for a, b in zip(first.flatten(1), second.flatten(1), strict=True):
        flat = float(a.std()) == 0 or float(b.std()) == 0
        found.append(0.0 if flat else float(spearmanr(a.numpy(), b.numpy()).statistic))
    return found
