"""A leak: rectifiers let some gradient through where they are shut, so that a silent channel can be woken.

From noise most channels of a late stage are silent everywhere, and a silent rectifier has no gradient to climb.
What the network answers stays exactly as it is; only the way there changes (the idea is Lucid's, which
redirects gradients at rectifiers for the first steps).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

RECTIFIERS: tuple[Callable[..., Any], ...] = (
    functional.relu, functional.relu6, functional.hardtanh, torch.relu, Tensor.relu,
)  # fmt: skip


class Leak(TorchFunctionMode):
    """While it is entered, shut rectifiers pass a share of the gradient.

    Args:
        share: of the gradient.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Any:  # fmt: skip
        """The function's own value; of a rectifier with another slope."""
        named = dict(kwargs or {})
        if self.share == 0 or func not in RECTIFIERS:
            return func(*args, **named)
        x = args[0]
        bounds = {**dict(BOUNDS), **named, **dict(zip(dict(BOUNDS), args[1:3], strict=False))}
        limited = func is functional.hardtanh
        opened = func(x, bounds["min_val"], bounds["max_val"]) if limited else func(x)
        shut = (x.detach() <= (bounds["min_val"] if limited else 0.0)) * self.share
        return opened + shut * (x - x.detach())


BOUNDS = (("min_val", -1.0), ("max_val", 1.0))
"""Arguments of ``hardtanh`` with their defaults."""
