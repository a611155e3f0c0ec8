"""LoRA: beside each linear map of the tail a narrow one is trained, and folded in afterwards (Hu et al., ICLR 2022).

    y = W x + (2 / 1) B A x,   A (r, in) random, B (out, r) zero at first, W frozen

The student that comes out has the network of its teacher: nothing of this is left in it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from tutelage.errors import UsageError, missing_extra


def with_lora(tail: nn.Module, rank: int, seed: int) -> Callable[[], None]:
    """Freeze a tail and put narrow maps beside its linear ones, in place; returns what folds them in.

    Args:
        tail: a module whose linear layers are to be adapted.
        rank: r.
        seed: of A.

    Raises:
        UsageError: the package peft is not installed, or the tail has no linear layer.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise missing_extra("peft", "peft", "--lora") from error
    names = [name for name, part in tail.named_modules() if type(part) is nn.Linear]
    if not names:
        raise UsageError(
            "no-linear-layer", given="--lora for stages without a linear layer", expected="stages with linear layers, as an encoder's",
            next="Leave out --lora.",
        )  # fmt: skip
    tail.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names, lora_dropout=0.0)
        inject_adapter_in_model(config, tail)
    return partial(_fold_in, tail)


def _fold_in(tail: nn.Module) -> None:
    """Add what was learned to the weights, and take the narrow maps out again."""
    from peft.tuners.lora import LoraLayer

    for name, part in [(n, m) for n, m in tail.named_modules() if isinstance(m, LoraLayer)]:
        adapted: Any = part
        adapted.merge()
        parent, _, own = name.rpartition(".")
        setattr(tail.get_submodule(parent), own, adapted.get_base_layer())


def trained_in(module: nn.Module) -> int:
    """Scalars that a training step may change."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
