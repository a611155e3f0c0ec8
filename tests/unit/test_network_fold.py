"""Folding held batch norm changes nothing but speed, and what is learned while folded comes back."""

import pytest
import torch
from torch import nn

from tutelage.network.fold import fold_held
from tutelage.network.stages import Through
from tutelage.network.taps import Tapped, joined, pooled


def tail(bias: bool = False) -> nn.Module:
    torch.manual_seed(0)
    block = nn.Sequential(nn.Conv2d(3, 8, 3, bias=bias), nn.BatchNorm2d(8), nn.ReLU())
    block[1].running_mean.uniform_(-1, 1)
    block[1].running_var.uniform_(0.5, 2)
    nn.init.uniform_(block[1].weight, 0.5, 2)
    nn.init.uniform_(block[1].bias, -1, 1)
    return Through(block).eval()


@pytest.mark.parametrize("bias", [False, True])
def test_folded_and_unfolded_compute_the_same(bias):
    net, x = tail(bias), {"x": torch.randn(4, 3, 9, 9)}
    names = list(net.state_dict())
    before = net(x)["x"]
    unfold = fold_held(net, x)
    assert not [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    torch.testing.assert_close(net(x)["x"], before, rtol=1e-4, atol=1e-5)
    unfold()
    assert list(net.state_dict()) == names
    torch.testing.assert_close(net(x)["x"], before, rtol=1e-4, atol=1e-5)


def test_what_is_learned_while_folded_stays():
    net, x = tail(), {"x": torch.randn(4, 3, 9, 9)}
    statistics = net.state_dict()["modules_in_order.0.1.running_var"].clone()
    before, unfold = net(x)["x"].detach(), fold_held(net, x)
    optimiser = torch.optim.SGD(net.parameters(), 0.1)
    net(x)["x"].square().mean().backward()
    optimiser.step()
    learned = net(x)["x"].detach()
    unfold()
    assert not torch.allclose(learned, before, atol=1e-3)
    torch.testing.assert_close(net(x)["x"], learned, rtol=1e-4, atol=1e-5)
    assert torch.equal(net.state_dict()["modules_in_order.0.1.running_var"], statistics)


class Apart(nn.Module):
    """Batch norm follows in the list, but something is in between."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        nn.init.uniform_(self.norm.bias, 1, 2)

    def forward(self, x):
        return self.norm(torch.tanh(self.convolution(x)))


def test_a_pair_that_is_none_is_left_alone():
    torch.manual_seed(0)
    net, x = Through(Apart()).eval(), {"x": torch.randn(2, 3, 5, 5)}
    kept = {n: t.clone() for n, t in net.state_dict().items()}
    before = net(x)["x"]
    fold_held(net, x)()
    assert torch.equal(net(x)["x"], before)
    assert all(torch.equal(kept[n], t) for n, t in net.state_dict().items())


def test_taps_are_the_pooled_outputs_of_their_stages_and_travel_over_a_cut():
    torch.manual_seed(0)
    stages = [Through(nn.Conv2d(3, 4, 1)), Through(nn.Conv2d(4, 5, 1)), Through(nn.Conv2d(5, 6, 1))]
    x = {"x": torch.randn(2, 3, 7, 7)}
    whole = Tapped(stages, (1, 2))(x)
    first = stages[0](x)
    assert torch.equal(whole["tap.1"], first["x"].mean((2, 3)))
    assert torch.equal(whole["tap.2"], stages[1](first)["x"].mean((2, 3)))
    trunk = Tapped(stages[:2], (1,))(x)
    tail = Tapped(stages[2:], (1,), start=2)(trunk)
    assert torch.equal(tail["tap.1"], whole["tap.1"]) and torch.equal(tail["x"], whole["x"])
    vector = {**whole, "x": whole["x"].mean((2, 3))}
    assert torch.equal(joined(vector, (1, 2)), torch.cat([whole["tap.1"], whole["tap.2"], vector["x"]], 1))  # fmt: skip


def test_pooling_knows_where_the_channels_are():
    assert pooled(torch.ones(2, 5, 7, 7)).shape == (2, 5)
    assert pooled(torch.ones(2, 7, 7, 5)).shape == (2, 5)
    assert pooled(torch.ones(2, 9, 5)).shape == (2, 5)
    assert pooled(torch.ones(2, 5)).shape == (2, 5)
