"""The figures of the atlas against independent references: CKA, separability, movement, fields, patches."""

import copy

import numpy as np
import pytest
import torch
from sklearn.feature_selection import f_classif
from torch import nn

from tutelage.network.fold import fold_held
from tutelage.network.stages import Network, Stage, Through, hold
from tutelage.viewing.cka import linear_cka
from tutelage.viewing.field import field_of
from tutelage.viewing.filters import first_filters
from tutelage.viewing.look import look
from tutelage.viewing.moved import moved
from tutelage.viewing.patches import LEAST, cut, top_patches
from tutelage.viewing.places import as_map, centres, places_of
from tutelage.viewing.separability import separability, telling


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def made(seed=0, width=4):
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, width, 3, 2, 1), nn.Conv2d(width, 5, 3, 1, 1)]
    stages = (
        Stage("one", Through(layers[0])),
        Stage("two", Through(layers[1], nn.ReLU())),
        Stage("pool", Through(nn.AdaptiveAvgPool2d(1), nn.Flatten())),
    )
    return hold_network(Network(nn.ModuleList(layers), stages))


def hold_network(network):
    hold(network.model)
    return network


class Prepare(nn.Module):
    def forward(self, batch):
        return {**batch, "x": batch["x"].permute(0, 3, 1, 2).float() / 255}


def test_cka_is_the_formula_in_feature_space(rng):
    x, y = rng.normal(size=(40, 7)), rng.normal(size=(40, 5))
    y[:, :3] += x[:, :3]
    a, b = x - x.mean(0), y - y.mean(0)
    expected = np.linalg.norm(b.T @ a) ** 2 / np.linalg.norm(a.T @ a) / np.linalg.norm(b.T @ b)
    assert linear_cka(x, y) == pytest.approx(expected, abs=1e-12)
    turn = np.linalg.qr(rng.normal(size=(7, 7)))[0]
    assert linear_cka(x, 3 * x @ turn + 2) == pytest.approx(1)
    assert linear_cka(x, np.ones((40, 2))) == 0


def test_separability_is_the_f_test_in_other_words(rng):
    truth = np.repeat([0, 1, 2], [10, 20, 15])
    table = rng.normal(size=(45, 6)) + np.outer(truth, [0, 0.3, 1, 3, 0, 0])
    f, _ = f_classif(table, truth)
    share = 2 * f / (2 * f + 42)
    expected = np.clip(1 - (1 - share) * 44 / 42, 0, 1)
    assert separability(table, truth) == pytest.approx(expected, abs=1e-12)
    assert separability(np.ones((45, 2)), truth).tolist() == [0, 0]
    assert separability(table[:3], np.array([0, 1, 2])).tolist() == [0] * 6
    assert telling(np.array([0.2, 0.9, 0.2, 0.4]), 3) == (1, 3, 0)


def test_moved_is_the_length_of_the_change():
    before, after = made(), made()
    with torch.no_grad():
        after.stages[1].module.modules_in_order[0].weight *= 1.5
    weight = before.stages[1].module.modules_in_order[0]
    size = np.sqrt(float(weight.weight.square().sum() + weight.bias.square().sum()))
    expected = 0.5 * np.sqrt(float(weight.weight.square().sum())) / size
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert moved(before, after, 0, {"x": x}) == pytest.approx((0, expected, 0))
    with torch.no_grad():
        crossing = before.trunk(1)({"x": x})
    assert moved(before, after, 1, crossing) == pytest.approx((0, expected, 0))


def test_a_folded_batch_norm_is_no_movement():
    """Training leaves the scale of batch norm in the convolution; that computes the same."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    norm = layers[1]
    norm.weight.data, norm.bias.data = torch.rand(4) + 0.5, torch.randn(4)
    norm.running_mean, norm.running_var = torch.randn(4), torch.rand(4) + 0.5
    teacher = hold_network(Network(layers, (Stage("one", Through(layers)),)))
    student = copy.deepcopy(teacher)
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    fold_held(student.slice(0), {"x": x})()
    written = student.stages[0].module.modules_in_order[0][0].weight
    assert not torch.allclose(written, layers[0].weight)
    assert moved(teacher, student, 0, {"x": x}) == pytest.approx((0,), abs=1e-5)
    written.mul_(2)
    assert moved(teacher, student, 0, {"x": x})[0] > 0.1


def test_the_field_of_kernels_is_known():
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network = made()
    one, two = field_of(network, x, 1), field_of(network, x, 2)
    assert one.support == 3 and two.support == 7, "3, and 3 + 2 * 2 at stride 2"
    assert 1 <= one.effective <= 3 and one.effective < two.effective <= 7
    assert field_of(network, x, 3) is None


def test_a_look_keeps_means_peaks_and_where_they_are(rng):
    network = made()
    images = rng.integers(0, 255, (5, 16, 16, 3), dtype=np.uint8)
    one, two, pool = look(network, Prepare(), [{"x": images[:3]}, {"x": images[3:]}])
    with torch.no_grad():
        maps = network.trunk(2)(Prepare()({"x": torch.from_numpy(images)}))["x"].numpy()
    assert two.pooled == pytest.approx(maps.mean((2, 3)), abs=1e-6) and two.shape == (8, 8)
    assert two.peak == pytest.approx(maps.max((2, 3)), abs=1e-6)
    assert np.array_equal(two.place, maps.reshape(5, 5, -1).argmax(2))
    assert pool.shape is None and pool.pooled == pytest.approx(two.pooled, abs=1e-6)
    assert one.alike is None


def test_a_look_compares_with_the_teacher(rng):
    images = rng.integers(0, 255, (9, 16, 16, 3), dtype=np.uint8)
    teacher, student = made(), made()
    with torch.no_grad():
        student.stages[1].module.modules_in_order[0].weight.normal_()
    sights = look(student, Prepare(), [{"x": images}], teacher, cut=1)
    tables = []
    for network in (student, teacher):
        with torch.no_grad():
            maps = network.trunk(2)(Prepare()({"x": torch.from_numpy(images)}))["x"]
        quarters = maps.unflatten(2, (2, 4)).unflatten(4, (2, 4)).mean((3, 5))
        tables.append(quarters.flatten(1).numpy())
    assert sights[0].alike == 1.0
    assert sights[1].alike == pytest.approx(linear_cka(*tables), abs=1e-6) and sights[1].alike < 1


def test_patches_are_the_most_exciting_places_inside_the_picture(rng):
    images = rng.integers(0, 255, (6, 64, 64, 3), dtype=np.uint8)
    _, two, _ = look(made(), Prepare(), [{"x": images}])
    patches = top_patches(two, 3, 64, 7, 4)
    values = [p.value for p in patches]
    assert values == sorted(values, reverse=True) and values[0] == two.peak[:, 3].max()
    for patch in patches:
        left, top, right, bottom = patch.box
        assert 0 <= left < right <= 64 and 0 <= top < bottom <= 64 and right - left <= LEAST
        (x, y), place = centres(two.place[[patch.item], 3], (32, 32), 64)[0], cut(images[patch.item], patch)  # fmt: skip
        assert left <= x <= right and top <= y <= bottom
        assert np.array_equal(place, images[patch.item, top:bottom, left:right])


def test_places_of_maps_and_tokens():
    assert as_map(torch.zeros(2, 5, 7, 7)).shape == (2, 5, 7, 7)
    assert as_map(torch.zeros(2, 7, 7, 5)).shape == (2, 5, 7, 7)
    tokens = torch.arange(2 * 197 * 3.0).view(2, 197, 3)
    assert torch.equal(as_map(tokens)[1, 2].flatten(), tokens[1, 1:, 2])
    assert as_map(torch.zeros(2, 5)) is None and as_map(torch.zeros(2, 99, 5)) is None


def test_tokens_of_a_text_are_one_row():
    x = torch.arange(2 * 16 * 3.0).view(2, 16, 3)
    assert torch.equal(places_of({"x": x, "mask": torch.ones(2, 16)}, x)[1, 2, 0], x[1, :, 2])
    assert places_of({"x": x}, x).shape == (2, 3, 4, 4)


def test_filters_are_the_first_kernels():
    network = made()
    pictures = first_filters(network, 3)
    kernel = network.stages[0].module.modules_in_order[0].weight[2].detach().numpy()
    assert pictures.shape == (4, 3, 3, 3)
    assert pictures[2].transpose(2, 0, 1) == pytest.approx(127.5 + 127.5 * kernel / np.abs(kernel).max(), abs=0.51)  # fmt: skip
    assert first_filters(network, 4) is None
