"""The law of the cut for the whole zoo: at every offered cut, for every family, bit by bit."""

import pytest
import torch

from tutelage.errors import TeacherError
from tutelage.modality import InputSpec
from tutelage.network.proof import faults, smallest
from tutelage.network.stages import count_parameters
from tutelage.teachers import architectures

NAMES = """
torchvision:alexnet torchvision:vgg11_bn torchvision:resnet18 torchvision:resnet50
torchvision:squeezenet1_0 torchvision:squeezenet1_1 torchvision:densenet121
torchvision:inception_v3 torchvision:googlenet torchvision:shufflenet_v2_x0_5 torchvision:mobilenet_v2
torchvision:mobilenet_v3_small torchvision:mnasnet0_5 torchvision:efficientnet_b0 torchvision:regnet_y_400mf
torchvision:convnext_tiny timm:swin_tiny_patch4_window7_224 torchvision:maxvit_t
timm:resnet18 timm:efficientnet_b0 timm:tf_efficientnet_lite0 timm:vit_tiny_patch16_224
timm:deit_tiny_distilled_patch16_224 timm:convnext_atto timm:convnextv2_atto timm:eca_nfnet_l0 timm:xcit_nano_12_p16_224
timm:coat_lite_tiny timm:hrnet_w18_small timm:dla34 timm:res2net50_26w_4s timm:regnety_002
timm:mobilenetv3_small_050 timm:mobilenetv4_conv_small timm:ghostnet_100 timm:mixer_s32_224 timm:poolformer_s12
timm:edgenext_xx_small timm:efficientformer_l1 timm:repvgg_a0 timm:rexnet_100 timm:selecsls42b timm:ese_vovnet19b_dw
timm:cspresnet50 timm:skresnet18 timm:resnest14d timm:levit_128s timm:pit_ti_224 timm:twins_svt_small timm:pvt_v2_b0
timm:tnt_s_legacy_patch16_224 timm:mobilevit_xxs timm:tinynet_e timm:lcnet_035 timm:tiny_vit_5m_224 timm:repvit_m0_9
timm:starnet_s1 timm:efficientvit_b0 timm:efficientvit_m0 timm:inception_next_atto timm:hgnet_tiny timm:fasternet_t0
"""
ZOO = NAMES.split()

LONG = """
torchvision:vgg11_bn torchvision:maxvit_t timm:eca_nfnet_l0 timm:cspresnet50 timm:res2net50_26w_4s timm:twins_svt_small
timm:tnt_s_legacy_patch16_224 timm:selecsls42b timm:dla34 timm:coat_lite_tiny torchvision:densenet121 timm:resnest14d
timm:swin_tiny_patch4_window7_224 timm:hgnet_tiny timm:efficientformer_l1 timm:repvgg_a0
"""
"""Of these, the ones that take seconds; they are among the slow tests."""

FAMILIES = 40
"""Different first words of the names above, at least."""

ONE_STAGE = {"timm:crossvit_9_240": "two branches, so that two tensors cross every place"}
"""Families that cannot be cut, with why; they serve as frozen features."""


FIXED = ("vit", "deit", "xcit", "coat", "mixer", "levit", "pit", "twins", "tnt", "efficientformer", "maxvit", "tiny", "crossvit", "efficientvit_m0", "swin")  # fmt: skip
"""Beginnings of names of networks that take one size only."""


def size_of(name: str) -> int:
    """128 px where the network allows it: the law is the same, and three times as quick."""
    own = {"timm:crossvit_9_240": 240, "torchvision:inception_v3": 160}
    return own.get(name, 224 if name.split(":")[1].startswith(FIXED) else 128)


def staged(architecture: str, spec: InputSpec, module: torch.nn.Module):
    """The module as stages, with the values that it has."""
    return architectures.staged(module, architectures.read_blueprint(architecture), spec)


def made(name: str, size: int | None = None):
    """A network with random weights through which a signal passes, and what its own module answers."""
    spec = InputSpec(size or size_of(name))
    torch.manual_seed(1)
    module = architectures._module(architectures.read_blueprint(name)).eval()
    pixels = torch.randn(2, 3, spec.size, spec.size)
    with torch.no_grad():
        for part in module.modules():  # real statistics, or deep random networks forget their input
            if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
                part.momentum = 1.0
                part.train()
        module(torch.randn(4, 3, spec.size, spec.size))
        answer = module.eval()(pixels.clone())
    return staged(name, spec, module), pixels, answer


CASES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in LONG.split() else []) for name in ZOO
]


@pytest.mark.parametrize("name", CASES)
def test_tail_after_trunk_is_the_backbone_at_every_cut(name):
    network, pixels, answer = made(name)
    assert len(network.stages) >= 3
    with torch.no_grad():
        features = network.tail(0)({"x": pixels})["x"]
        assert features.ndim == 2 and len(features) == 2
        assert not torch.equal(features[0], features[1]), "the input does not reach the features"
        assert torch.equal(network.logits({"x": pixels}), answer)
        crossing = {"x": pixels}
        for cut, stage in enumerate(network.stages):
            kept = crossing["x"].clone()
            assert torch.equal(network.tail(cut)(crossing)["x"], features), f"cut {cut}"
            assert torch.equal(crossing["x"], kept), f"the tail after cut {cut} changed its input"
            crossing = stage.module(crossing)
    owners = network.owners()
    assert set(owners) == set(network.model.state_dict())
    assert "classifier" in owners.values() and len(set(network.names)) == len(network.names)


def test_there_are_enough_of_them():
    assert len(ZOO) - len(LONG.split()) >= 40 and set(LONG.split()) < set(ZOO)
    assert len({name.split(":")[1].split("_")[0].rstrip("0123456789") for name in ZOO}) >= FAMILIES


@pytest.mark.parametrize("name", ONE_STAGE)
def test_what_cannot_be_cut_says_so_and_gives_features(name):
    with pytest.raises(TeacherError) as told:
        architectures.build(name, InputSpec(size_of(name)))
    assert told.value.kind == "untraceable"
    network = architectures.build(f"{name}?cuts=none", InputSpec(size_of(name)))
    pixels = torch.randn(2, 3, size_of(name), size_of(name))
    assert network.names == ("features",)
    assert faults(network, pixels) == []
    assert network.tail(0)({"x": pixels})["x"].ndim == 2


def test_networks_without_classes_are_backbone_throughout():
    network = architectures.build("timm:resnet18?args=%7B%22num_classes%22%3A%200%7D", InputSpec())
    pixels = torch.randn(2, 3, 224, 224)
    assert network.classifier is None
    assert torch.equal(network.tail(0)({"x": pixels})["x"], network.model(pixels))


def test_inceptions_auxiliary_head_is_dropped_and_its_input_transform_kept():
    network, pixels, answer = made("torchvision:inception_v3")
    owners = network.owners()
    assert {n.split(".")[0] for n, place in owners.items() if place == "dropped"} == {"AuxLogits"}
    assert network.names[0] == "Conv2d_1a_3x3" and network.names[-1] == "pool"
    from torchvision.models import Inception3

    plain = Inception3(transform_input=False, init_weights=False).eval()
    plain.load_state_dict(network.model.state_dict())
    with torch.no_grad():
        assert not torch.equal(plain(pixels), answer), "without the transform it answers otherwise"


def test_the_smallest_size_is_found():
    free, _, _ = made("torchvision:resnet18", 224)
    fixed, _, _ = made("timm:vit_tiny_patch16_224")
    pixels = torch.randn(1, 3, 224, 224)
    assert smallest(free, pixels) == 32
    assert smallest(fixed, pixels) == 224
    assert smallest(made("torchvision:alexnet", 224)[0], pixels) == 64


def test_known_parameter_counts():
    """torchvision's documentation: 61,100,840 / 25,557,032 / 27,161,264 parameters."""
    for name, count in (
        ("alexnet", 61_100_840),
        ("resnet50", 25_557_032),
        ("inception_v3", 27_161_264),
    ):
        with torch.device("meta"):
            module = architectures._module(architectures.read_blueprint(f"torchvision:{name}"))
        assert count_parameters(module) == count


class Rude(torch.nn.Module):
    """Writes into what it reads, in every way that PyTorch knows."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Conv2d(3, 8, 3), torch.nn.Conv2d(8, 8, 3)
        self.relu, self.last = torch.nn.ReLU(inplace=True), torch.nn.Linear(8, 2)

    def forward(self, x):
        x = self.first(x)
        x += 1
        x = self.relu(x)
        x = self.second(x)
        x.mul_(2)
        return self.last(torch.nn.functional.relu(x, inplace=True).mean((2, 3)))


def test_work_in_place_does_not_reach_what_crosses_a_cut():
    torch.manual_seed(0)
    rude, pixels = Rude().eval(), torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        answer = rude(pixels.clone())
    network = staged("module:Rude", InputSpec(16), rude)
    assert len(network.stages) >= 2
    assert faults(network, pixels, answer) == []


class Fickle(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.last = torch.nn.Conv2d(3, 8, 3), torch.nn.Linear(8, 2)

    def forward(self, x):
        x = self.body(x)
        return self.last((x + torch.rand_like(x)).mean((2, 3)))


def test_a_network_that_answers_otherwise_each_time_is_found_out():
    network = staged("module:Fickle", InputSpec(16), Fickle())
    assert any("another answer" in fault for fault in faults(network, torch.randn(2, 3, 16, 16)))


class Choosing(torch.nn.Module):
    """Its course depends on values: it cannot be traced."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.last = torch.nn.Conv2d(3, 8, 3), torch.nn.Linear(8, 2)

    def forward(self, x):
        x = self.body(x)
        if x.mean() > 0:
            x = x * 2
        return self.last(x.mean((2, 3)))


def test_an_untraceable_network_serves_as_features():
    module, pixels = Choosing().eval(), torch.randn(2, 3, 16, 16)
    with pytest.raises(TeacherError, match="cannot be traced"):
        staged("module:Choosing", InputSpec(16), module)
    network = staged("module:Choosing?cuts=none", InputSpec(16), module)
    assert network.tail(0)({"x": pixels})["x"].shape == (2, 8)
