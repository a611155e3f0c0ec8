"""Changes to an architecture that its library does not make: TensorFlow's padding, other channels."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from tutelage.errors import TeacherError


def pad_as_tensorflow(model: nn.Module) -> None:
    """Give every strided convolution and max-pooling TensorFlow's "same" padding, in place.

    TensorFlow pads the least amount, the odd pixel right and below; PyTorch's modules pad both
    sides alike. Where the stride is 1 the two agree. The parameters stay the same objects.
    """
    from timm.layers import Conv2dSame, create_pool2d

    for name, module in list(model.named_modules()):
        if type(module) is nn.Conv2d and max(module.stride) > 1 and max(module.kernel_size) > 1:
            padded = Conv2dSame(
                module.in_channels, module.out_channels, module.kernel_size, stride=module.stride,
                dilation=module.dilation, groups=module.groups, bias=module.bias is not None,
            )  # fmt: skip
            padded.weight, padded.bias = module.weight, module.bias
            replace(model, name, padded)
        elif type(module) is nn.MaxPool2d and module.stride not in (1, (1, 1)):
            pool = create_pool2d("max", module.kernel_size, module.stride, padding="same")
            replace(model, name, pool)


def first_convolution(model: nn.Module) -> str:
    """Name of the convolution that sees the image.

    Raises:
        TeacherError: the first convolution does not take three channels.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            if module.in_channels == 3 and module.groups == 1:
                return str(name)
            break
    raise TeacherError(
        "channels", given=f"{type(model).__name__} has no first convolution of three channels",
        expected="a network whose first layer is one", next="Leave out --channels: images are then read as RGB.",
    )  # fmt: skip


def widen(model: nn.Module, channels: int) -> None:
    """Make the first convolution one of ``channels`` inputs, in place, by the rule of ``wide``."""
    name = first_convolution(model)
    layer = copy.deepcopy(model.get_submodule(name))
    assert isinstance(layer, nn.Conv2d)
    layer.in_channels = channels
    layer.weight = nn.Parameter(wide(layer.weight.detach(), channels))
    replace(model, name, layer)


def wide(kernel: Tensor, channels: int) -> Tensor:
    """A kernel for RGB ``(O, 3, h, w)`` -> one for other channels ``(O, C, h, w)``.

    The rule (that of timm's ``adapt_input_conv``): for one channel the three are summed, so that a
    grey picture gives what it gave as RGB; for others they are repeated in turn and scaled by
    3 / channels, so that the layer answers as strongly as before.
    """
    if channels == 1:
        return kernel.sum(1, keepdim=True)
    turns = -(-channels // 3)
    return kernel.repeat(1, turns, 1, 1)[:, :channels] * (3 / channels)


def replace(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in place of the one of that name."""
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)


def quiet(model: nn.Module) -> nn.Module:
    """Switch off work in place (``ReLU(inplace=True)``): what crosses a cut must stay what it was."""
    for module in model.modules():
        if isinstance(getattr(module, "inplace", None), bool):
            setattr(module, "inplace", False)  # noqa: B010 - not declared by nn.Module
    return model


def forget(model: nn.Module) -> nn.Module:
    """Random values in every parameter, in place: for a control that must not know what was learned.

    Layers are asked to draw their own (``reset_parameters``, which also resets running statistics).
    Parameters of modules that cannot: matrices and more from a normal distribution of deviation
    0.02 (as of vision transformers' tokens, Dosovitskiy et al., ICLR 2021), vectors called weight,
    gamma or scale one, others zero.
    """
    for module in model.modules():
        if callable(reset := getattr(module, "reset_parameters", None)):
            reset()
            continue
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)
            else:
                nn.init.constant_(parameter, float(name in ("weight", "gamma", "scale")))
    return model
