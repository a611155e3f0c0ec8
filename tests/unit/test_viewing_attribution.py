"""Attributions against captum, an independent implementation, and the sanity check by random weights."""

import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradCam
from torch import nn

from tutelage.errors import TeacherError
from tutelage.modality import InputSpec
from tutelage.network.stages import Through, hold
from tutelage.teachers import architectures
from tutelage.viewing.answer import Answer, teachers_answer
from tutelage.viewing.grad_cam import grad_cam
from tutelage.viewing.integrated_gradients import integrated_gradients
from tutelage.viewing.sanity import randomised, rank_correlation

TARGETS = [3, 7]


class Plain(nn.Module):
    """A student with a joint head, written down without stages: what captum is asked about."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 6, 3, 2, 1), nn.Conv2d(6, 9, 3, 2, 1)
        self.third, self.head = nn.Conv2d(9, 12, 3, padding=1), nn.Linear(6 + 9 + 12, 10)

    def forward(self, x):
        first = self.first(x).relu()
        second = self.second(first).tanh()
        third = self.third(second).relu()
        read = torch.cat([first.mean((2, 3)), second.mean((2, 3)), third.mean((2, 3))], 1)
        return self.head(read)


@pytest.fixture(scope="module")
def pair():
    """The same network as captum sees it, and as stages whose taps the head reads."""
    plain = hold(Plain())
    stages = [
        Through(plain.first, nn.ReLU()),
        Through(plain.second, nn.Tanh()),
        Through(plain.third, nn.ReLU()),
        Through(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    ]
    return plain, Answer(stages, (1, 2), plain.head)


@pytest.fixture
def x():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def close(ours, theirs):
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) <= 1e-4 * max(1.0, float(theirs.abs().max()))


def test_the_answer_with_taps_is_the_networks(pair, x):
    plain, answer = pair
    assert torch.allclose(answer(x), plain(x), atol=1e-6)
    for stage, seen in enumerate(answer.on_the_way({"x": x})):
        assert torch.allclose(answer.after(seen, stage), plain(x), atol=1e-6)


@pytest.mark.parametrize(("stage", "layer"), [(3, "third"), (2, "second"), (1, "first")])
def test_grad_cam_through_a_joint_head_is_captums(pair, x, stage, layer):
    plain, answer = pair
    module = plain.get_submodule(layer)
    squash = torch.tanh if layer == "second" else torch.relu
    ours = grad_cam(answer, {"x": x}, TARGETS, stage).values

    class After(nn.Module):
        """Captum looks at modules, so that the squashing gets one."""

        def forward(self, value):
            return squash(value)

    after = After()
    names = ("first", "second", "third")

    def forward(pixels):
        outs, now = [], pixels
        for name in names:
            raw = plain.get_submodule(name)(now)
            now = after(raw) if name == layer else (raw.tanh() if name == "second" else raw.relu())
            outs.append(now.mean((2, 3)))
        return plain.head(torch.cat(outs, 1))

    assert module is not None
    theirs = LayerGradCam(forward, after).attribute(
        x.requires_grad_(), TARGETS, relu_attributions=True
    )
    close(ours, theirs[:, 0])


def test_integrated_gradients_through_a_joint_head_are_captums(pair, x):
    plain, answer = pair
    ours = integrated_gradients(answer, x, TARGETS, steps=20)
    theirs = IntegratedGradients(plain).attribute(x, torch.zeros_like(x), TARGETS, n_steps=20)
    close(ours.values, theirs)
    close(integrated_gradients(answer, x, TARGETS, torch.ones(1, 3, 32, 32), steps=20).values,
          IntegratedGradients(plain).attribute(x, torch.ones_like(x), TARGETS, n_steps=20))  # fmt: skip
    assert float(ours.missing.abs().max()) < 0.02


def network(name, size):
    torch.manual_seed(0)
    blueprint = architectures.read_blueprint(name)
    module = hold(architectures._module(blueprint))
    return architectures.staged(module, blueprint, InputSpec(size))


@pytest.mark.parametrize(
    ("name", "size", "stage", "layer"),
    [
        ("timm:resnet18", 64, "layer4", "layer4"),
        ("torchvision:squeezenet1_1", 64, "features.12", "features.12"),
        ("timm:vit_tiny_patch16_224", 224, "blocks.10", "blocks.10"),
    ],
)
def test_teachers_of_other_families_too(name, size, stage, layer):
    staged = network(name, size)
    x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(2))
    answer = teachers_answer(staged)
    assert torch.allclose(answer(x), staged.model(x), atol=1e-5)
    number = list(staged.names).index(stage) + 1
    ours = grad_cam(answer, {"x": x}, [5], number).values[0]
    module = staged.model.get_submodule(layer)
    kept = LayerGradCam(staged.model, module)
    if name.startswith("timm:vit"):
        return _tokens(kept, module, staged.model, x, ours)
    close(ours, kept.attribute(x.clone().requires_grad_(), 5, relu_attributions=True)[0, 0])
    theirs = IntegratedGradients(staged.model).attribute(x, torch.zeros_like(x), 5, n_steps=4)
    close(integrated_gradients(answer, x, [5], steps=4).values, theirs)
    return None


def _tokens(kept, module, model, x, ours):
    """Captum takes axis 1 for channels; of tokens the sum by hand: mean slope of the 196 that are places."""
    seen = {}
    handle = module.register_forward_hook(lambda m, given, out: seen.setdefault("out", out))
    logit = model(x.clone().requires_grad_())[0, 5]
    handle.remove()
    (slope,) = torch.autograd.grad(logit, [seen["out"]])
    values, slopes = seen["out"][0, 1:].detach(), slope[0, 1:]
    by_hand = (values @ slopes.mean(0)).relu().view(14, 14)
    close(ours, by_hand)


def test_a_transformers_last_places_are_passed_over():
    staged = network("timm:vit_tiny_patch16_224", 224)
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(2))
    heat = grad_cam(teachers_answer(staged), {"x": x}, [5])
    assert heat.values.shape == (1, 14, 14) and float(heat.values.abs().sum()) > 0
    assert staged.names[heat.stage - 1] == "blocks.10", (
        "nothing depends on the places after the last"
    )


def test_a_stage_without_places_is_refused(pair, x):
    with pytest.raises(TeacherError, match="no places"):
        grad_cam(pair[1], {"x": x}, TARGETS, 4)


def test_random_weights_change_the_map_and_leave_the_network_alone(pair, x):
    plain, answer = pair
    before = plain(x)
    other = randomised(answer, torch.Generator().manual_seed(0))
    assert torch.equal(plain(x), before) and not torch.allclose(other(x), before)
    same = [sorted(a.flatten().tolist()) == sorted(b.flatten().tolist())
            for a, b in zip(answer.parameters(), other.parameters(), strict=True)]  # fmt: skip
    assert all(same), "each tensor keeps its values, in another order"


def test_rank_correlation_is_one_for_the_same_order_and_none_for_a_flat_map():
    first = torch.tensor([[[1.0, 2.0], [3.0, 9.0]]])
    assert rank_correlation(first, first.square()) == pytest.approx([1.0])
    assert rank_correlation(first, -first) == pytest.approx([-1.0])
    assert rank_correlation(first, torch.zeros_like(first)) == [0.0]
