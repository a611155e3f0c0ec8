"""Who builds the network: ``SOURCE:NAME`` -> an untrained ``Network`` with its stages.

A family is an adapter of a few lines from the library's module to ordered stages.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from torch import nn

from tutelage.errors import TeacherError
from tutelage.network.stages import Network
from tutelage.teachers import efficientnet

Adapter = Callable[[nn.Module], Network]

FAMILIES: tuple[tuple[str, Adapter], ...] = ((r"timm:(tf_)?efficientnet_.*", efficientnet.stages),)
"""Pattern of the architecture's name -> its family's adapter; the first match wins."""


def build(architecture: str) -> Network:
    """The network with the weights that its library initialises it with, in eval mode.

    Raises:
        TeacherError: no such source or family.
    """
    for pattern, adapter in FAMILIES:
        if re.fullmatch(pattern, architecture):
            network = adapter(_module(architecture))
            network.model.eval()
            return network
    raise TeacherError(
        "unknown-architecture", given=architecture, expected="a family with an adapter",
        next="See what there is: tutelage doctor",
    )  # fmt: skip


def _module(architecture: str) -> nn.Module:
    source, name = architecture.split(":", 1)
    import timm

    if source != "timm" or not timm.is_model(name):
        raise TeacherError(
            "unknown-architecture", given=architecture, expected="a model that timm has",
            next="pip install --upgrade timm",
        )  # fmt: skip
    module: nn.Module = timm.create_model(name, pretrained=False)
    return module
