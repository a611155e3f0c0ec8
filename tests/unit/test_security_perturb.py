"""Perturbations of images: what is handed to a student is exactly the window that was attacked."""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d

from tutelage.modality import InputSpec
from tutelage.modality.images import IMAGES, images_of
from tutelage.modality.images_corrupt import CORRUPTIONS
from tutelage.modality.images_dssim import WEIGHTS, dssim, dssim_relaxed, scales
from tutelage.modality.images_perturb import PERTURB, settle
from tutelage.modality.perturb import windows_of

RNG = np.random.default_rng(7)
SPECS = [
    InputSpec(size=224, resize=256),
    InputSpec(size=224, resize=256, interpolation="bilinear"),
    InputSpec(size=224, resize=235),
    InputSpec(size=64, resize=64),
    InputSpec(size=299, resize=299),
    InputSpec(size=65, resize=90),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.size}-{s.resize}-{s.interpolation}")
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_item_made_of_a_window_is_seen_as_that_window(spec, channels):
    modality = images_of(channels)
    windows = RNG.integers(0, 256, (2, spec.size, spec.size, channels), dtype=np.uint8)
    items = [modality.perturb.item(window, spec) for window in windows]
    assert np.array_equal(windows_of(items, modality, spec), windows)


def test_settled_windows_are_whole_inside_the_budget_and_on_the_scale():
    origin = RNG.integers(0, 256, (3, 9, 9, 3), dtype=np.uint8)
    wish = origin + RNG.normal(0, 30, origin.shape)
    for budget in (0.0, 1.0, 4.0, 4.7):
        found = settle(wish, origin, budget)
        assert found.dtype == np.uint8
        assert np.abs(found.astype(int) - origin).max() <= budget
    assert np.array_equal(settle(wish, origin, 0.0), origin)


def blurred(x):
    """Gaussian mean under whole windows, by scipy."""
    at = np.arange(11) - 5
    kernel = np.exp(-(at**2) / (2 * 1.5**2))
    kernel /= kernel.sum()
    return correlate1d(correlate1d(x, kernel, axis=0), kernel, axis=1)[5:-5, 5:-5]


def reference(a, b):
    """(1 - MS-SSIM) / 2 of two images (H, W) straight from the paper's formulas, in numpy."""
    c1, c2, product = (0.01 * 255) ** 2, (0.03 * 255) ** 2, 1.0
    weights = WEIGHTS if len(a) >= 161 else (1.0,)
    for place, weight in enumerate(weights):
        ma, mb = blurred(a), blurred(b)
        va, vb, vab = blurred(a * a) - ma**2, blurred(b * b) - mb**2, blurred(a * b) - ma * mb
        value = (2 * vab + c2) / (va + vb + c2)
        if place == len(weights) - 1:
            value = value * (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
        product *= value.mean() ** weight
        a, b = (
            x[: len(x) // 2 * 2, : len(x) // 2 * 2].reshape(len(x) // 2, 2, -1, 2).mean((1, 3))
            for x in (a, b)
        )
    return (1 - product) / 2


@pytest.mark.parametrize("side", [32, 176])
def test_dssim_is_that_of_the_formulas(side):
    smooth = np.cumsum(np.cumsum(RNG.normal(0, 1, (2, side, side, 3)), 1), 2)
    first = np.clip(128 + 40 * smooth / smooth.std(), 0, 255).round()
    second = np.clip(first + RNG.normal(0, 12, first.shape), 0, 255).round()
    wanted = [
        np.mean([1 - 2 * reference(a[..., c], b[..., c]) for c in range(3)])
        for a, b in zip(first, second, strict=True)
    ]
    assert dssim(first, second) == pytest.approx((1 - np.array(wanted)) / 2, rel=1e-6)
    assert dssim(first, first) == pytest.approx(0, abs=1e-9)
    assert scales(side) == (5 if side >= 161 else 1)


def test_dssim_has_gradients():
    first = torch.randint(0, 256, (2, 40, 40, 3)).double()
    moved = (first + torch.randn_like(first)).requires_grad_(True)
    dssim_relaxed(moved, first).sum().backward()
    assert moved.grad.abs().max() > 0


@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_corruptions_keep_form_and_grow(name, channels):
    rows, columns = np.mgrid[:144, :144]
    window = np.stack(
        [127 + 100 * np.sin(rows / (9 + c)) * np.cos(columns / 12) for c in range(channels)], 2
    ).astype(np.uint8)
    made = [CORRUPTIONS[name](window, s, np.random.default_rng(0)) for s in (1, 3, 5)]
    assert all(m.shape == window.shape and m.dtype == np.uint8 for m in made)
    away = [np.abs(m.astype(float) - window).mean() for m in made]
    assert 0 < away[0] < away[1] < away[2]
    assert np.array_equal(made[1], CORRUPTIONS[name](window, 3, np.random.default_rng(0)))


def test_images_offer_perturbations():
    assert IMAGES.perturb is PERTURB and PERTURB.graded in PERTURB.budgets
