"""Who builds the network: a blueprint -> an untrained ``Network`` with its stages.

A family that somebody described gives its stages in an adapter of a few lines; the others get
theirs from their graph (``network.pieces``); a graph that cannot be cut makes a teacher of one
stage, which serves as frozen features or is tuned as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tutelage.errors import TeacherError
from tutelage.modality import InputSpec
from tutelage.network.graph import Opaque
from tutelage.network.pieces import network_of
from tutelage.network.stages import Network
from tutelage.network.uncompiled import uncompiled
from tutelage.network.whole import whole
from tutelage.teachers import adapt, efficientnet
from tutelage.teachers.blueprint import Blueprint, read_blueprint
from tutelage.teachers.origin import Origin

Adapter = Callable[[nn.Module], Network]

FAMILIES: tuple[tuple[str, Adapter], ...] = (
    (r"timm:(tf_)?efficientnet_[^?]*", efficientnet.stages),
)
"""Pattern of the architecture -> its family's adapter; the first match wins."""

TORCHVISION: dict[str, dict[str, Any]] = {
    "inception_v3": {"transform_input": True, "aux_logits": True, "init_weights": False},
    "googlenet": {"transform_input": True, "aux_logits": False, "init_weights": False},
}
"""How the published weights want these two: both undo the ImageNet normalisation inside, because
they were trained on -1..1; Inception's auxiliary head has weights in the file, GoogLeNet's are
dropped by the library itself. It serves training from scratch only, and goes to ``dropped``."""


FORBIDDEN = frozenset(
    ("pretrained", "weights", "weights_backbone", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "features_only")
)  # fmt: skip
"""Arguments of builders that would load weights behind our back, or change what is built."""


def build(architecture: str, spec: InputSpec, own: Callable[[], Any] | None = None) -> Network:
    """The network with the random values that its library gives it (or ``adapt.forget``), in eval mode.

    Args:
        architecture: see ``blueprint``.
        spec: of the input that its graph is looked at with.
        own: makes the network, where no library does.

    Raises:
        TeacherError: no such architecture, or its code must be given.
    """
    blueprint = read_blueprint(architecture)
    made = _made(blueprint, own)
    model = made if isinstance(made, nn.Module) else made.model
    if own is not None:
        adapt.forget(model)  # it may come with its weights
    _adapted(model, blueprint)
    return staged(made, blueprint, spec)


@torch.no_grad()
def loaded(origin: Origin, spec: InputSpec, pixels: Tensor, architecture: str) -> tuple[Network, Tensor]:  # fmt: skip
    """The network with an origin's weights, and the logits that its module gives as its library runs it.

    Args:
        pixels: probes ``(N, C, H, W)``.
    """
    blueprint = read_blueprint(architecture)
    made = _made(blueprint, origin.own)
    model = (made if isinstance(made, nn.Module) else made.model).eval()
    model.load_state_dict(origin.read(model), strict=True)
    _adapted(model, blueprint)
    answer = model(pixels.clone())
    return staged(made, blueprint, spec), answer


def _made(blueprint: Blueprint, own: Callable[[], Any] | None) -> nn.Module | Network:
    made: nn.Module | Network = own() if own is not None else _module(blueprint)
    return made


def _adapted(model: nn.Module, blueprint: Blueprint) -> None:
    if blueprint.padding == "same":
        adapt.pad_as_tensorflow(model)
    if blueprint.channels != 3 and blueprint.source in ("timm", "torchvision"):
        adapt.widen(model, blueprint.channels)


def staged(made: nn.Module | Network, blueprint: Blueprint, spec: InputSpec) -> Network:
    """A module as stages, quiet and in eval mode."""
    if isinstance(made, Network):
        adapt.quiet(made.model.eval())
        return made
    adapt.quiet(made.eval())
    for pattern, adapter in FAMILIES:
        if re.fullmatch(pattern, str(blueprint)):
            return adapter(made)
    pixels = torch.zeros(1, spec.channels, spec.size, spec.size)
    if blueprint.cuts == "none":
        return whole(made, pixels)
    return network_of(made, pixels, _opaque(), labelled=_labelled(made))


def _labelled(model: nn.Module) -> bool:
    """Has it a classifier? timm's headless networks say that they have 0 classes."""
    return getattr(model, "num_classes", None) != 0


def _opaque() -> Opaque:
    from timm.layers import get_notrace_functions, get_notrace_modules

    return Opaque(tuple(get_notrace_modules()), tuple(get_notrace_functions()))


def _module(blueprint: Blueprint) -> nn.Module:
    made = {"timm": _timm, "torchvision": _torchvision}.get(blueprint.source)
    if made is None:
        own = blueprint.source == "code"
        raise TeacherError(
            "own-code", given=f"a network of the user's own, {blueprint.name}",
            expected="the file that builds it" if own else "the teacher object that it was made with",
            next="Give it with --code FILE.py (Python: code=...)" if own else "Load it with: tutelage.load(path, teacher=your_teacher)",
        )  # fmt: skip
    return made(blueprint)


def _timm(blueprint: Blueprint) -> nn.Module:
    with uncompiled():
        import timm

    if not timm.is_model(blueprint.name.partition(".")[0]):
        raise unknown(blueprint)
    return _built(blueprint, partial(timm.create_model, blueprint.name, pretrained=False))


def _torchvision(blueprint: Blueprint) -> nn.Module:
    from torchvision.models import get_model, list_models

    if blueprint.name not in list_models():
        raise unknown(blueprint)
    known = TORCHVISION.get(blueprint.name, {})
    known = {k: v for k, v in known.items() if k not in blueprint.args}
    return _built(blueprint, partial(get_model, blueprint.name, weights=None, **known))


def _built(blueprint: Blueprint, make: Callable[..., nn.Module]) -> nn.Module:
    """The module, with the blueprint's further arguments; none of them may load or fetch anything."""
    why = ", ".join(sorted(FORBIDDEN & set(blueprint.args)))
    try:
        if not why:
            return make(**blueprint.args)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        why = str(error)
    raise TeacherError(
        "bad-architecture", given=f"{blueprint}: {why}", expected="arguments that its library's builder takes",
        next='For example: --arch \'torchvision:resnet50?args={"num_classes": 37}\'',
    )  # fmt: skip


def unknown(blueprint: Blueprint) -> TeacherError:
    """The one error for an architecture that the installed library does not have."""
    return TeacherError(
        "unknown-architecture", given=str(blueprint), expected=f"a model that {blueprint.source} has",
        next=f"See what there is: tutelage teachers; or: pip install --upgrade {blueprint.source}",
    )  # fmt: skip
