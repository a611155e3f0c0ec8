"""Synthesis: pictures are in range, repeatable, and excite what they are to excite; parts compose."""

import pytest
import torch
from torch import nn

from tutelage.viewing.leak import Leak
from tutelage.viewing.objective import centre, channels
from tutelage.viewing.parameterisation import Fourier, Pixels
from tutelage.viewing.synthesis import Ascent, synthesise
from tutelage.viewing.transform import composed, moved

SIZE = 24


def stripes(pictures):
    """A stage of two channels: upright and lying edges."""
    grey = pictures.mean(1, keepdim=True)
    upright = (grey[..., 1:] - grey[..., :-1])[:, :, 1:].square()
    lying = (grey[:, :, 1:] - grey[:, :, :-1])[..., 1:].square()
    return torch.cat([upright, lying], 1)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("parameterisation", [Fourier(SIZE), Pixels(SIZE)])
def test_pictures_excite_their_own_channel(parameterisation):
    drawn = synthesise(stripes, channels([0, 1]), parameterisation, 2, rng(), Ascent(40, 0.1))
    again = synthesise(stripes, channels([0, 1]), parameterisation, 2, rng(), Ascent(40, 0.1))
    other = synthesise(stripes, channels([0, 1]), parameterisation, 2, rng(1), Ascent(40, 0.1))
    assert drawn.shape == (2, 3, SIZE, SIZE) and drawn.min() >= 0 and drawn.max() <= 1
    assert torch.equal(drawn, again) and not torch.equal(drawn, other)
    response = stripes(drawn).mean((2, 3))
    assert response[0, 0] > 1.2 * response[0, 1] and response[1, 1] > 1.2 * response[1, 0]
    start = stripes(parameterisation.pictures(parameterisation.start(2, rng()))).mean((2, 3))
    assert response[0, 0] > 5 * start[0, 0]


def test_the_weights_of_the_model_get_no_gradient():
    layer = nn.Conv2d(3, 2, 3)
    synthesise(layer, channels([0, 1]), Fourier(SIZE), 2, rng(), Ascent(2))
    assert layer.weight.grad is None


def test_objectives_add_and_are_weighed():
    x = torch.rand(2, 3, 5, 5, generator=rng())
    both = (channels([1, 2]) + 0.5 * centre([1, 2])).score(x)
    by_hand = [float(x[i, c].mean() + 0.5 * x[i, c, 2, 2]) for i, c in enumerate((1, 2))]
    assert both.tolist() == pytest.approx(by_hand)


def test_fourier_gives_every_frequency_its_share():
    """One over the frequency: octaves have the same energy."""
    parameterisation = Fourier(64, channels=1)
    waves = torch.logit(parameterisation.pictures(parameterisation.start(200, rng())))
    power = torch.fft.fft2(waves[:, 0]).abs().square().mean(0)
    low, high = power[0, 2:5].sum() + power[2:5, 0].sum(), power[0, 8:20].sum() + power[8:20, 0].sum()  # fmt: skip
    expected = sum(f**-2.0 for f in range(2, 5)) / sum(f**-2.0 for f in range(8, 20))
    assert float(low / high) == pytest.approx(expected, rel=0.1)


def test_transforms_move_each_picture_by_itself_and_compose():
    picture = torch.rand(1, 3, 32, 32, generator=rng()).expand(2, -1, -1, -1)
    shaken = moved()(picture, rng())
    assert shaken.shape == picture.shape and not torch.equal(shaken[0], shaken[1])
    assert torch.allclose(moved(0, 0, 0)(picture, rng()), picture, atol=1e-5)
    assert torch.equal(composed()(picture, rng()), picture)
    assert torch.equal(composed(moved())(picture, rng()), shaken)


@pytest.mark.parametrize("rectifier", [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(True), nn.Hardtanh(-2, 2), torch.relu])  # fmt: skip
def test_a_leak_changes_the_slope_of_shut_rectifiers_and_no_value(rectifier):
    given = torch.tensor([-3.0, -0.5, 0.5, 3.0])
    plain = rectifier(given.clone())
    x = given.clone().requires_grad_()
    with Leak(0.1):
        leaky = rectifier(x * 1)
    assert torch.equal(leaky, plain)
    (slope,) = torch.autograd.grad(leaky.sum(), [x])
    floor = {nn.Hardtanh: -2}.get(type(rectifier), 0)
    top = {nn.Hardtanh: 2, nn.ReLU6: 6}.get(type(rectifier), 99)
    assert slope.tolist() == pytest.approx([0.1 if v <= floor else float(v < top) for v in given.tolist()])  # fmt: skip


def test_a_silent_channel_is_woken():
    """It wants light: grey noise leaves it silent everywhere."""
    layer = nn.Sequential(nn.Conv2d(3, 1, 5), nn.ReLU()).requires_grad_(False)
    nn.init.constant_(layer[0].weight, 1 / 75)
    nn.init.constant_(layer[0].bias, -0.8)
    still = synthesise(layer, channels([0]), Fourier(SIZE), 1, rng(), Ascent(60, 0.1, leak=0.0))
    woken = synthesise(layer, channels([0]), Fourier(SIZE), 1, rng(), Ascent(60, 0.1))
    assert float(layer(still).max()) == 0 and float(layer(woken).max()) > 0
