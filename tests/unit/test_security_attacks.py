"""Attacks: they keep their budgets, they find what an independent library finds, and they count failures as failures."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from tutelage.modality.images_perturb import PERTURB
from tutelage.security.perceptual import feasible, pursue_perceptual
from tutelage.security.pursuit import Pursuit, pursue
from tutelage.security.square import square
from tutelage.security.whitebox import apgd, pgd, slope_sizes

HELD = 400


class Small(nn.Module):
    """A small network on 8 x 8 digits shown at 24 x 24, from values 0..255 (N, 24, 24, 1) to logits."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.AvgPool2d(3),
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(256, 48),
            nn.ReLU(),
            nn.Linear(48, 10),
        )

    def forward(self, values):
        return self.body(values.permute(0, 3, 1, 2) / 255)


@pytest.fixture(scope="module")
def trained():
    """The network, and test items that it gets right."""
    data = load_digits()
    windows = np.rint(data.images[..., None] * (255 / 16)).astype(np.uint8)
    windows = np.kron(windows, np.ones((1, 3, 3, 1), np.uint8))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Small()
        optimiser = torch.optim.Adam(model.parameters(), 3e-3)
        x, y = torch.from_numpy(windows[HELD:]).float(), torch.from_numpy(data.target[HELD:])
        for _ in range(60):
            for part in torch.randperm(len(x)).split(128):
                loss = nn.functional.cross_entropy(model(x[part]), y[part])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    model.eval().requires_grad_(False)
    right = told(model, windows[:HELD]) == data.target[:HELD]
    return model, windows[:HELD][right], data.target[:HELD][right]


@torch.no_grad()
def told(model, windows):
    return model(torch.from_numpy(np.ascontiguousarray(windows)).float()).argmax(1).numpy()


def shares(model):
    def ask(windows):
        with torch.no_grad():
            return torch.softmax(model(torch.from_numpy(windows).float()), 1).numpy()

    return ask


@pytest.fixture(scope="module")
def art(trained):
    """The same network as the independent library sees it: (N, 1, 24, 24) in 0..1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from art.estimators.classification import PyTorchClassifier

    class Moved(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = trained[0]

        def forward(self, x):
            return self.model(x.permute(0, 2, 3, 1) * 255)

    return PyTorchClassifier(
        Moved(), nn.CrossEntropyLoss(), (1, 24, 24), 10, clip_values=(0.0, 1.0), device_type="cpu"
    )


@pytest.mark.parametrize("budget", [16.0, 28.0])
def test_pgd_agrees_with_an_independent_library(trained, art, budget):
    from art.attacks.evasion import ProjectedGradientDescent

    model, windows, truth = trained
    own = pgd(model, windows, truth, budget, PERTURB, steps=20, seed=0)
    assert np.abs(own.astype(int) - windows).max() <= budget
    attack = ProjectedGradientDescent(
        art,
        eps=budget / 255,
        eps_step=2.5 * budget / 255 / 20,
        max_iter=20,
        num_random_init=1,
        batch_size=512,
        verbose=False,
    )
    theirs = attack.generate(windows.transpose(0, 3, 1, 2).astype(np.float32) / 255, truth)
    theirs = PERTURB.settle(theirs.transpose(0, 2, 3, 1) * 255, windows, budget)
    rates = [(told(model, w) != truth).mean() for w in (own, theirs)]
    assert 0.05 < rates[1] < 0.98
    assert rates[0] == pytest.approx(rates[1], abs=0.02)
    stronger = apgd(model, windows, truth, budget, PERTURB, steps=40)
    assert (told(model, stronger) != truth).mean() >= rates[0] - 0.02


def test_square_agrees_with_an_independent_library(trained, art):
    """The library draws one square for a whole batch, so that small batches say more about it than a large one."""
    from art.attacks.evasion import SquareAttack

    model, windows, truth = trained
    budget, queries, theirs = 32.0, 150, []
    attack = SquareAttack(art, eps=budget / 255, max_iter=queries - 2, p_init=0.3, nb_restarts=1, batch_size=64, verbose=False)  # fmt: skip
    np.random.seed(0)
    for start in range(0, len(windows), 26):
        part = windows[start : start + 26].transpose(0, 3, 1, 2).astype(np.float32) / 255
        theirs.append(attack.generate(part, truth[start : start + 26]))
    theirs = PERTURB.settle(np.concatenate(theirs).transpose(0, 2, 3, 1) * 255, windows, budget)
    own = [square(shares(model), windows, truth, budget, PERTURB, queries=queries, seed=s) for s in range(3)]  # fmt: skip
    assert max(np.abs(w.astype(int) - windows).max() for w in own) <= budget
    rate, wanted = np.mean([(told(model, w) != truth).mean() for w in own]), (told(model, theirs) != truth).mean()  # fmt: skip
    assert 0.05 < wanted < 0.98
    assert rate == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("optimiser", ["sign", "adam"])
def test_a_pursuit_stays_inside_and_gets_nearer(trained, optimiser):
    model, windows, _ = trained
    few = windows[:20]
    how = Pursuit(15, start=0.5, optimiser=optimiser)

    def losses(values, rows):
        return model(values)[:, 0]

    found = pursue(losses, few, 8.0, PERTURB, how, 0)
    assert np.abs(found.astype(int) - few).max() <= 8
    before, after = (model(torch.from_numpy(w).float())[:, 0] for w in (few, found))
    assert (after < before).all()
    assert np.array_equal(found, pursue(losses, few, 8.0, PERTURB, how, 0))
    assert np.array_equal(pursue(losses, few, 0.0, PERTURB, how, 0), few)


@pytest.mark.parametrize("budget", [0.001, 0.01])
def test_the_perceptual_budget_is_met_exactly_on_every_window(trained, budget):
    model, windows, truth = trained
    large = windows[:24]
    aim = torch.from_numpy(truth[:24])

    def losses(values, rows):
        return -nn.functional.cross_entropy(model(values), aim[rows], reduction="none")

    found = pursue_perceptual(losses, large, budget, PERTURB, steps=40)
    far = PERTURB.distance(found, large)
    assert found.dtype == np.uint8 and (far <= budget).all()
    assert (far > 0).mean() > 0.9
    after, before = (
        losses(torch.from_numpy(w).float(), slice(0, 24)).mean() for w in (found, large)
    )
    assert after < before


def test_what_cannot_be_done_gives_the_item_back():
    windows = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 1), dtype=np.uint8)
    assert np.array_equal(feasible(255.0 - windows, windows, 0.0, PERTURB), windows)


def test_masked_gradients_are_seen(trained):
    model, windows, truth = trained
    assert (slope_sizes(model, windows[:16], truth[:16]) > 0).all()
    masked = slope_sizes(lambda v: model(v.round().detach() + 0 * v), windows[:16], truth[:16])
    assert (masked == 0).all()
