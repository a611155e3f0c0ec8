"""Held batch norm, folded into the convolution before it while a tail is tuned, and unfolded afterwards.

With held statistics batch norm is ``y = g (x - m) / s + b``: a scale and a shift that the convolution
can do itself. Its two passes over every map, forward and backward, then cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import nn

from tutelage.network.stages import Activation, copied

NEAR = 1e-3
"""Relative error of the features from which a fold is not believed: something else was in between."""


@dataclass(frozen=True)
class _Pair:
    """A convolution and the batch norm after it, with where the latter hangs."""

    convolution: nn.Conv2d
    norm: nn.BatchNorm2d
    parent: nn.Module
    name: str
    biased: bool


class Held(nn.Module):
    """A body of one's own in eval mode whose weights take no gradient: what it says of an input, and its slope there.

    Batch norm is folded away at the first batch; with that a gradient costs two thirds (see docs/adr/0014).

    Args:
        body: from activation to activation; it is copied.
        device: where the copy runs; what goes in may be elsewhere.
    """

    def __init__(self, body: nn.Module, device: str = "cpu") -> None:
        super().__init__()
        self.body = copied(body, device).eval().requires_grad_(False)
        self.device, self._folded = device, False

    def forward(self, activation: Activation) -> Activation:
        """As of the body, on the device."""
        there = {name: t.to(self.device) for name, t in activation.items()}
        if not self._folded:
            self._folded = True
            fold_held(self.body, {name: t[:2].detach() for name, t in there.items()})
        seen: Activation = self.body(there)
        return seen


def fold_held(tail: nn.Module, example: Activation) -> Callable[[], None]:
    """Fold in place what can be folded; returns what puts the tail back, with all that was learned since.

    Pairs are found by their order in a container, and believed if the tail still computes the same:
    where it does not, nothing is folded.

    Args:
        tail: in eval mode, from activation to activation.
        example: an activation at its input.
    """
    pairs = list(_pairs(tail))
    if not pairs:
        return partial(_unfold_all, [])
    with torch.no_grad():
        before = tail(example)["x"]
        kept = [_state(pair) for pair in pairs]
        for pair in pairs:
            _fold(pair)
        if _near(tail(example)["x"], before):
            return partial(_unfold_all, pairs)
        for pair, (weight, bias) in zip(pairs, kept, strict=True):
            _put_back(pair, weight, bias)
    return partial(_unfold_all, [])


def _unfold_all(pairs: list[_Pair]) -> None:
    for pair in pairs:
        _unfold(pair)


def _pairs(tail: nn.Module) -> Iterator[_Pair]:
    seen: set[int] = set()
    for parent in tail.modules():
        children = list(parent.named_children())
        for (_, first), (name, second) in pairwise(children):
            if _foldable(first, second) and not {id(first), id(second)} & seen:
                seen |= {id(first), id(second)}
                yield _Pair(first, second, parent, name, first.bias is not None)  # type: ignore[arg-type]


def _foldable(first: nn.Module, second: nn.Module) -> bool:
    return (
        isinstance(first, nn.Conv2d)
        and isinstance(second, nn.BatchNorm2d)
        and second.affine
        and second.running_mean is not None
        and second.num_features == first.out_channels
    )


def _near(after: torch.Tensor, before: torch.Tensor) -> bool:
    return bool(torch.linalg.norm(after - before) <= NEAR * torch.linalg.norm(before))


def _state(pair: _Pair) -> tuple[torch.Tensor, torch.Tensor | None]:
    bias = pair.convolution.bias
    return pair.convolution.weight.detach().clone(), None if bias is None else bias.detach().clone()


def _spread(norm: nn.BatchNorm2d) -> torch.Tensor:
    assert norm.running_var is not None
    return torch.sqrt(norm.running_var + norm.eps)


def _fold(pair: _Pair) -> None:
    convolution, norm = pair.convolution, pair.norm
    assert norm.running_mean is not None
    scale = norm.weight / _spread(norm)
    old = 0.0 if convolution.bias is None else convolution.bias
    bias = norm.bias + (old - norm.running_mean) * scale
    convolution.weight.data = convolution.weight.data * scale[:, None, None, None]
    convolution.bias = nn.Parameter(bias.detach().clone(), convolution.weight.requires_grad)
    extras = [part for part in (getattr(norm, "drop", None), getattr(norm, "act", None)) if part]
    setattr(pair.parent, pair.name, nn.Sequential(*extras))


def _unfold(pair: _Pair) -> None:
    """The scale stays in the convolution; batch norm is left with a scale of one and the shift."""
    convolution, norm = pair.convolution, pair.norm
    assert norm.running_mean is not None and convolution.bias is not None
    with torch.no_grad():
        norm.weight.copy_(_spread(norm))
        norm.bias.copy_(convolution.bias + norm.running_mean)
        _put_back(pair, convolution.weight.detach(), torch.zeros_like(convolution.bias) if pair.biased else None)  # fmt: skip


def _put_back(pair: _Pair, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    pair.convolution.weight.data = weight
    pair.convolution.bias = None if bias is None else nn.Parameter(bias, pair.convolution.weight.requires_grad)  # fmt: skip
    setattr(pair.parent, pair.name, pair.norm)
