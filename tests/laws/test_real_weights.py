"""Real published weights: our logits of fixed pixels are those of the library run directly, bit by bit."""

import sys
from pathlib import Path

import pytest
import torch

from shared import SHARED, needs_shared
from tutelage.network.proof import faults
from tutelage.teachers import Asked, load_teacher

pytestmark = needs_shared
STORIES = Path(__file__).parents[1] / "stories"
NAMES = ["squeezenet1_0", "squeezenet1_1", "mobilenet_v2"]


def direct(name: str):
    """torchvision's own model with the file loaded by torchvision's names, run as torchvision runs it."""
    from torchvision.models import get_model

    model = get_model(name, weights=None).eval()
    tensors = torch.load(SHARED / "weights" / f"{name}.fp16.pth", weights_only=True)
    model.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    )
    return model


@pytest.fixture(scope="module")
def pixels():
    return torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_the_librarys(name, pixels):
    teacher = load_teacher(Asked(str(SHARED / "weights" / f"{name}.fp16.pth"), arch=name))
    with torch.no_grad():
        assert torch.equal(teacher.network.logits({"x": pixels}), direct(name)(pixels))
    assert faults(teacher.network, pixels) == []
    assert teacher.card.notes == ()


@pytest.mark.parametrize("name", NAMES)
def test_every_cut_of_real_weights(name, pixels):
    network = load_teacher(Asked(str(SHARED / "weights" / f"{name}.fp16.pth"), arch=name)).network
    with torch.no_grad():
        whole = network.tail(0)({"x": pixels})["x"]
        for cut in range(len(network.stages) + 1):
            assert torch.equal(network.tail(cut)(network.trunk(cut)({"x": pixels}))["x"], whole)


def test_tensorflow_padding_is_timms(pixels, tmp_path):
    """Against timm's tf_mobilenetv2_100, the same network built by others, with the file's tensors by position."""
    import timm

    card = tmp_path / "tf.json"
    card.write_text('{"spec": {"padding": "same"}}')
    teacher = load_teacher(
        Asked(
            str(SHARED / "weights" / "mobilenet_v2.fp16.pth"), arch="mobilenet_v2", card=str(card)
        )
    )
    reference = timm.create_model("mobilenetv2_100", pretrained=False, pad_type="same").eval()
    with torch.no_grad():
        ours = list(teacher.network.model.state_dict().values())
        names = list(reference.state_dict())
        assert len(ours) == len(names)
        reference.load_state_dict(dict(zip(names, ours, strict=True)))
        expected = reference(pixels)
        assert torch.allclose(teacher.network.logits({"x": pixels}), expected, atol=1e-4)
        plain = load_teacher(
            Asked(str(SHARED / "weights" / "mobilenet_v2.fp16.pth"), arch="mobilenet_v2")
        )
        assert not torch.allclose(plain.network.logits({"x": pixels}), expected, atol=0.5)


def test_the_users_own_resnet20(monkeypatch):
    monkeypatch.syspath_prepend(str(STORIES))
    sys.modules.pop("my_net", None)
    from my_net import build

    weights = SHARED / "weights" / "resnet20-12fca82f.th"
    teacher = load_teacher(Asked(f"{STORIES / 'my_net.py'}:build", weights=str(weights)))
    model = build().eval()
    saved = torch.load(weights, map_location="cpu", weights_only=True)["state_dict"]
    model.load_state_dict({k.removeprefix("module."): v for k, v in saved.items()})
    pixels = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        assert torch.equal(teacher.network.logits({"x": pixels}), model(pixels))
        whole = teacher.network.tail(0)({"x": pixels})["x"]
        for cut in range(len(teacher.network.stages) + 1):
            assert torch.equal(
                teacher.network.tail(cut)(teacher.network.trunk(cut)({"x": pixels}))["x"], whole
            )
    assert teacher.card.names == ("conv1", "layer1", "layer2", "layer3", "pool")
    assert teacher.card.digest == "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8"
