"""The law of exact change: a head after adding or removing rows is that of a fit on what is there then."""

import numpy as np
import pytest

from tutelage.heads import lda, nearest_mean, ridge
from tutelage.heads.candidate import average, best_of
from tutelage.heads.choose import fit_heads
from tutelage.heads.refit import Part, part_of, refit, row_weights, widened
from tutelage.heads.rows import ArrayRows, TrainingRows
from tutelage.heads.scaling import fit_scaling
from tutelage.heads.statistics import gather

PATHS = {"ridge": ridge.path, "lda": lda.path, "nearest mean": nearest_mean.path}


def rows_of(n, width=20, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(n) % classes)
    x = rng.normal(size=(n, width)) + 2 * rng.normal(size=(classes, width))[truth]
    return x.astype(np.float32), np.eye(classes)[truth]


def fitted_anew(kind, x, y, weights, scaling, penalty):
    data = TrainingRows(ArrayRows(x), y, np.arange(len(x)), np.ones(len(x), bool), weights)
    return PATHS[kind](data, scaling, [penalty]).head(0)


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("width", [20, 90])
def test_a_class_is_added_and_items_are_forgotten(kind, width):
    x, y = rows_of(60, width)
    scaling = fit_scaling(ArrayRows(x), np.ones(60), each=True, normalise=False)
    old = y[:, 3] == 0
    gone = np.arange(60) < 7
    z = scaling.apply(x)
    before = gather(width, 3, [(z[old], y[old][:, :3], np.ones(old.sum()))])
    after = widened(before, 4).add(z[~old], y[~old], np.ones((~old).sum()))
    after = after.remove(z[gone], y[gone], np.ones(7))
    found = refit([Part(kind, 3.0)], after, scaling)
    expected = fitted_anew(kind, x[~gone], y[~gone], np.ones(53), scaling, found.penalty)
    assert np.abs(found.logits(x) - expected.logits(x)).max() < 1e-6
    assert found.kind == kind


@pytest.mark.parametrize("seed", range(4))
def test_a_fitted_head_comes_again_from_its_parts(seed):
    x, y = rows_of(80, 30, 3, seed)
    x += (np.random.default_rng(seed).normal(size=x.shape) * seed).astype(np.float32)
    data = TrainingRows(ArrayRows(x), y, np.arange(80), np.ones(80, bool), np.ones(80))
    choice = fit_heads(data, classes=3)
    again = refit(choice.parts, choice.statistics, choice.head.scaling)
    assert again.kind == choice.head.kind
    assert np.abs(again.logits(x) - choice.head.logits(x)).max() < 1e-6


def test_the_mean_of_two_heads_comes_again_from_both():
    x, y = rows_of(80, 30, 3)
    data = TrainingRows(ArrayRows(x), y, np.arange(80), np.ones(80, bool), np.ones(80))
    scaling, truth, all_ = fit_scaling(data.rows, data.weights), y.argmax(1), np.ones(80, bool)
    two = [best_of(PATHS[kind](data, scaling, [0.5]), truth, all_) for kind in ("ridge", "lda")]
    both = average(*two, truth, all_)
    parts = [part_of(candidate.head, alone=False) for candidate in two]
    again = refit(parts, gather(30, 3, [(scaling.apply(x), y, np.ones(80))]), scaling)
    assert again.kind == both.head.kind == "ridge + lda"
    assert np.abs(again.logits(x) - both.head.logits(x)).max() < 1e-6


def test_new_rows_weigh_as_their_class_does():
    x, y = rows_of(40, 5, 2)
    weights = np.where(y[:, 0] == 1, 0.5, 1.5)
    statistics = widened(gather(5, 2, [(x, y, weights)]), 3)
    assert row_weights(statistics, {0: 3, 2: 20}).tolist()[:2] == pytest.approx([0.5, 1.5])
    assert row_weights(statistics, {2: 5})[2] == pytest.approx(2 * row_weights(statistics, {2: 20})[2])  # fmt: skip
    even = widened(gather(5, 2, [(x, y, np.full(40, 0.25))]), 3)
    assert row_weights(even, {2: 7})[2] == 0.25
