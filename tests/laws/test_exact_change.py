"""The law of exact change: a head after adding or removing rows is that of a fit on what is there then."""

import numpy as np
import pytest

from tutelage.heads import lda, nearest_mean, ridge
from tutelage.heads.candidate import average, best_of
from tutelage.heads.choose import fit_heads
from tutelage.heads.refit import Part, part_of, refit, row_weights
from tutelage.heads.rows import ArrayRows, TrainingRows
from tutelage.heads.scaling import fit_scaling
from tutelage.heads.spanned import Spanned
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
@pytest.mark.parametrize("width, spanned", [(20, False), (90, False), (90, True), (400, True)])
def test_a_class_is_added_and_items_are_forgotten(kind, width, spanned):
    x, y = rows_of(60, width)
    old, gone = y[:, 3] == 0, np.arange(60) < 7
    scaling = fit_scaling(ArrayRows(x), np.ones(60), each=True, normalise=False)
    z = scaling.apply(x)
    before = Spanned(gather(width, 3, [(z[old], y[old][:, :3], np.ones(old.sum()))]))
    if spanned:
        basis, _ = np.linalg.qr(z[old].T)
        before = Spanned(before.statistics.turned(basis), basis)
    after = before.widened(4).add(z[~old], y[~old], np.ones((~old).sum()))
    after = Spanned.from_arrays(after.as_arrays()).remove(z[gone], y[gone], np.ones(7))
    found = refit([Part(kind, 3.0)], after, scaling)
    expected = fitted_anew(kind, x[~gone], y[~gone], np.ones(53), scaling, found.penalty)
    assert np.abs(found.logits(x) - expected.logits(x)).max() < 1e-6
    assert found.kind == kind


def test_few_rows_of_many_features_are_kept_small_and_forgotten_whole():
    """No direction that only a forgotten row had is left; one that others share is."""
    x, y = rows_of(30, 500)
    data = TrainingRows(ArrayRows(x), y, np.arange(30), np.ones(30, bool), np.ones(30))
    choice = fit_heads(data, classes=4)
    z, gone = choice.head.scaling.apply(x), np.arange(30) < 5
    kept = choice.statistics.as_arrays()
    assert sum(a.nbytes for a in kept.values()) < 0.2 * 8 * 500 * 501 / 2
    rest = Spanned.from_arrays(kept).remove(z[gone], y[gone], np.ones(5))
    inside = np.linalg.norm(z @ rest.basis, axis=1) / np.linalg.norm(z, axis=1)
    assert rest.basis.shape == (500, 25)
    assert inside[~gone].min() > 1 - 1e-9 and inside[gone].max() < 0.9


def test_rows_of_a_known_span_add_no_direction():
    x, y = rows_of(30, 500)
    spanned = fit_heads(TrainingRows(ArrayRows(x), y, np.arange(30), np.ones(30, bool), np.ones(30)), classes=4).statistics  # fmt: skip
    mixed = np.random.default_rng(1).normal(size=(6, 30)) @ (spanned.basis.T)[:30]
    assert spanned.add(mixed, y[:6], np.ones(6)).basis.shape == spanned.basis.shape


def test_many_rows_are_kept_in_all_dimensions():
    """Half as many directions as features: the basis would be larger than the triangle."""
    z = np.random.default_rng(0).normal(size=(30, 60))
    y = np.eye(2)[np.arange(30) % 2]
    plain = gather(60, 2, [(z, y, np.ones(30))])
    basis, _ = np.linalg.qr(z.T)
    kept = Spanned(plain.turned(basis), basis).as_arrays()
    assert "basis" not in kept
    np.testing.assert_allclose(Spanned.from_arrays(kept).statistics.outer, plain.outer, atol=1e-9)


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
    again = refit(parts, Spanned(gather(30, 3, [(scaling.apply(x), y, np.ones(80))])), scaling)
    assert again.kind == both.head.kind == "ridge + lda"
    assert np.abs(again.logits(x) - both.head.logits(x)).max() < 1e-6


def test_new_rows_weigh_as_their_class_does():
    x, y = rows_of(40, 5, 2)
    weights = np.where(y[:, 0] == 1, 0.5, 1.5)
    statistics = gather(5, 2, [(x, y, weights)]).widened(3)
    assert row_weights(statistics, {0: 3, 2: 20}).tolist()[:2] == pytest.approx([0.5, 1.5])
    assert row_weights(statistics, {2: 5})[2] == pytest.approx(2 * row_weights(statistics, {2: 20})[2])  # fmt: skip
    even = gather(5, 2, [(x, y, np.full(40, 0.25))]).widened(3)
    assert row_weights(even, {2: 7})[2] == 0.25
