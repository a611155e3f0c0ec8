"""The law of the cut, proved for one network before it is believed, and the sizes that it takes."""

from __future__ import annotations

import contextlib
import io

import torch
from torch import Tensor, nn

from tutelage.network.stages import Activation, Network

SIZES = (32, 64, 96, 128, 160, 192, 224, 256)
"""Sizes in pixels that are tried, from the smallest."""


@torch.no_grad()
def faults(network: Network, given: Tensor | Activation, reference: Tensor | None = None) -> list[str]:  # fmt: skip
    """Where a network breaks the law of the cut; empty if nowhere.

    What crosses a cut must not be changed by the stage that reads it, the same input must give the
    same output, and ``classifier(backbone(x))`` must be the module's own answer, bit by bit. Then
    ``tail(trunk(x)) == backbone(x)`` holds at every cut, because both are the same stages in turn.

    Args:
        network: in eval mode.
        given: an activation at cut 0; a bare tensor is its ``x``, e.g. pixels ``(N, C, H, W)``.
        reference: the module's own answer before anything was changed about it.
    """
    start = {"x": given} if isinstance(given, Tensor) else dict(given)
    found, activation = [], start
    for stage in network.stages:
        kept = {name: tensor.clone() for name, tensor in activation.items()}
        after, again = stage.module(activation), stage.module(kept)
        if any(not torch.equal(activation[name], kept[name]) for name in kept):
            found.append(f"stage {stage.name} changes what it reads")
        if any(not torch.equal(after[name], again[name]) for name in after):
            found.append(f"stage {stage.name} gives another answer when asked again")
        activation = after
    if activation["x"].ndim != 2:
        found.append(f"the last stage gives {tuple(activation['x'].shape)}, not (N, D)")
    if network.classifier is not None:
        own = network.model(start["x"]) if reference is None else reference
        if not torch.equal(network.logits(start), own):
            found.append("classifier(backbone(x)) is not the network's own answer")
    return found


@torch.no_grad()
def smallest(network: Network, example: Tensor) -> int:
    """The smallest size in pixels from which on its stages still agree with the network; its own at most.

    Args:
        example: one example at its own size, ``(1, C, H, W)``.
    """
    own, least = example.shape[-1], example.shape[-1]
    for size in reversed([s for s in SIZES if s < own]):
        if not _takes(network, nn.functional.interpolate(example, (size, size))):
            break
        least = size
    return int(least)


def _takes(network: Network, example: Tensor) -> bool:
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # traced code tells there where it fails
            return not faults(network, example)
    except (RuntimeError, ValueError, AssertionError, IndexError, TypeError):
        return False  # too small for its kernels, or made for one size
