"""The law of leaving out: exactly what a fit without the group says, for every head and penalty.

The reference below fits anew for every group, from the definitions, in feature space.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.errors import DataError, TrainingError
from tutelage.heads import lda, nearest_mean, ridge
from tutelage.heads.rows import ArrayRows, TrainingRows, Wear
from tutelage.heads.scaling import Scaling, fit_scaling
from tutelage.heads.wear import SHARE

PENALTIES = (0.3, 4.0, 60.0)


def ridge_reference(z, targets, weights, penalty, pressed=0.0):
    augmented = np.hstack([np.ones((len(z), 1)), z])
    ridge_matrix = penalty * np.eye(z.shape[1] + 1)
    ridge_matrix[0, 0] = 0
    ridge_matrix[1:, 1:] += pressed
    normal = augmented.T @ (weights[:, None] * augmented) + ridge_matrix
    solution = np.linalg.solve(normal, augmented.T @ (weights[:, None] * targets))
    return lambda x: np.hstack([np.ones((len(x), 1)), x]) @ solution


def lda_reference(z, targets, weights, penalty, priors=None, pressed=0.0):
    truth, classes = targets.argmax(1), targets.shape[1]
    scatter, means, mass = penalty * np.eye(z.shape[1]) + pressed, [], []
    for c in range(classes):
        members, share = z[truth == c], weights[truth == c]
        mass.append(share.sum())
        means.append(np.average(members, axis=0, weights=share) if len(members) else None)
        for row, w in zip(members, share, strict=True):
            scatter += w * np.outer(row - means[c], row - means[c])
    precision = np.linalg.inv(scatter) * weights.sum()
    prior = np.array(mass) / weights.sum() if priors is None else priors

    def logits(x):
        told = np.full((len(x), classes), -np.inf)
        for c in range(classes):
            if means[c] is not None:
                told[:, c] = x @ precision @ means[c] - means[c] @ precision @ means[c] / 2
                told[:, c] += np.log(prior[c])
        return told

    return logits


def mean_reference(z, targets, weights, penalty):
    truth, classes = targets.argmax(1), targets.shape[1]

    def logits(x):
        told = np.full((len(x), classes), -np.inf)
        for c in range(classes):
            if (truth == c).any():
                mean = np.average(z[truth == c], axis=0, weights=weights[truth == c])
                told[:, c] = (np.square(x).sum(1) - np.square(x - mean).sum(1)) / 2
        return told

    return logits


HEADS = {
    "ridge": (ridge.path, ridge_reference),
    "lda": (lda.path, lda_reference),
    "nearest mean": (nearest_mean.path, mean_reference),
}


def some_rows(seed, items=30, views=1, width=12, classes=3, copies=0, mixed=False, block=11):
    """Items with views; some items share a group with another one (of any class, if mixed)."""
    rng = np.random.default_rng(seed)
    truth = np.arange(items) % classes
    groups = np.arange(items)
    for _ in range(copies):
        a, b = rng.choice(items, 2, replace=False)
        if mixed or truth[a] == truth[b]:
            groups[groups == groups[b]] = groups[a]
    centres = rng.normal(size=(classes, width))
    base = centres[truth] + rng.normal(size=(items, width))
    x = np.repeat(base, views, 0) + 0.3 * rng.normal(size=(items * views, width))
    weights = np.repeat(rng.uniform(0.3, 2.0, items), views) / views
    return TrainingRows(
        rows=ArrayRows(x.astype(np.float32), block=block),
        targets=np.repeat(np.eye(classes)[truth], views, 0),
        groups=np.repeat(groups, views),
        scored=np.tile(np.arange(views) == 0, items),
        weights=weights,
    )


def brute_force(data, scaling, reference, penalty):
    z = scaling.apply(np.concatenate(list(data.rows)))
    told = np.empty(data.targets.shape)
    for group in np.unique(data.groups):
        out = data.groups == group
        fitted = reference(z[~out], data.targets[~out], data.weights[~out], penalty)
        told[out] = fitted(z[out])
    return told[data.scored]


def agree(found, expected):
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
    possible = np.isfinite(expected)
    np.testing.assert_allclose(found[possible], expected[possible], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize(
    "shape",
    [
        {"items": 60, "width": 12},
        {"items": 20, "width": 50},
        {"items": 18, "views": 4, "width": 20},
        {"items": 9, "views": 4, "width": 80},
        {"items": 50, "width": 10, "copies": 12},
        {"items": 20, "views": 2, "width": 90, "copies": 6, "mixed": True},
        {"items": 45, "views": 2, "width": 7, "copies": 40, "mixed": True},
        {"items": 40, "width": 40, "copies": 8, "block": 1000},
    ],
    ids=str,
)
def test_leaving_out_is_fitting_without(kind, normalise, shape):
    path_of, reference = HEADS[kind]
    data = some_rows(1, **shape)
    scaling = fit_scaling(data.rows, data.weights, normalise=normalise)
    path = path_of(data, scaling, PENALTIES)
    for k, penalty in enumerate(path.penalties):
        agree(path.leave_one_out(k), brute_force(data, scaling, reference, penalty))


@pytest.mark.parametrize("kind", ["ridge", "lda"])
@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("shape", [{"items": 60, "width": 12}, {"items": 20, "width": 60}, {"items": 12, "views": 2, "width": 50, "copies": 3}, {"items": 45, "views": 2, "width": 7, "copies": 40, "mixed": True}], ids=str)  # fmt: skip
def test_what_moves_under_wear_is_pressed_whatever_is_left_out(kind, normalise, shape):
    """The penalty |E B|^2 of movements E is the same in every fit, with and without a group."""
    path_of, reference = HEADS[kind]
    data = some_rows(4, **shape)
    rng = np.random.default_rng(5)
    plain = np.concatenate(list(data.rows))[:8]
    worn = (plain + rng.normal(0.5, 1, plain.shape)).astype(np.float32)
    data = replace(data, wear=Wear(plain, worn))
    scaling = fit_scaling(data.rows, data.weights, normalise=normalise)
    moved = scaling.apply(worn) - scaling.apply(plain)
    pressed = SHARE * data.weights.sum() / 8 * moved.T @ moved
    path = path_of(data, scaling, PENALTIES)
    for k, penalty in enumerate(path.penalties):
        expected = brute_force(data, scaling, partial(reference, pressed=pressed), penalty)
        agree(path.leave_one_out(k), expected)
        assert np.abs(expected - brute_force(data, scaling, reference, penalty)).max() > 1e-5


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6), kind=st.sampled_from(sorted(HEADS)), items=st.integers(7, 30),
    views=st.sampled_from([1, 2, 4]), width=st.integers(1, 40), classes=st.integers(2, 4),
    copies=st.integers(0, 15), mixed=st.booleans(), block=st.integers(1, 40),
)  # fmt: skip
def test_the_law_holds_for_any_shape(
    seed, kind, items, views, width, classes, copies, mixed, block
):
    data = some_rows(seed, items, views, width, classes, copies, mixed, block)
    path_of, reference = HEADS[kind]
    scaling = fit_scaling(data.rows, data.weights)
    if len(np.unique(data.groups)) == 1:
        return
    path = path_of(data, scaling, PENALTIES)
    last = len(path.penalties) - 1
    expected = brute_force(data, scaling, reference, path.penalties[last])
    agree(path.leave_one_out(last), expected)


@pytest.mark.parametrize("kind", HEADS)
def test_the_head_is_the_fit_on_all_rows(kind):
    path_of, reference = HEADS[kind]
    for shape in ({"items": 40, "width": 9}, {"items": 15, "width": 33}):
        data = some_rows(3, **shape)
        scaling = fit_scaling(data.rows, data.weights)
        x = np.concatenate(list(data.rows))
        path = path_of(data, scaling, PENALTIES)
        for k, penalty in enumerate(path.penalties):
            z = scaling.apply(x)
            expected = reference(z, data.targets, data.weights, penalty)(z)
            agree(path.head(k).logits(x), expected)


@pytest.mark.parametrize("kind", HEADS)
def test_left_out_logits_do_not_depend_on_how_many_penalties_fit_in_memory(kind, monkeypatch):
    data = some_rows(4, copies=5)
    scaling = fit_scaling(data.rows, data.weights)
    at_once = HEADS[kind][0](data, scaling, PENALTIES)
    monkeypatch.setattr("tutelage.heads.path.ROOM", 1)
    one_by_one = HEADS[kind][0](data, scaling, PENALTIES)
    for k in range(len(at_once.penalties)):
        agree(one_by_one.leave_one_out(k), at_once.leave_one_out(k))


def test_fixed_priors_stay_fixed():
    data, priors = some_rows(5, copies=4, mixed=True), np.array([0.5, 0.3, 0.2])
    scaling = Scaling(np.zeros(12), np.ones(12))
    path = lda.path(data, scaling, [2.0], priors=priors)

    def reference(z, targets, weights, penalty):
        return lda_reference(z, targets, weights, penalty, priors)

    agree(path.leave_one_out(0), brute_force(data, scaling, reference, 2.0))


def test_ridge_takes_targets_of_any_kind():
    data = some_rows(6, copies=6, mixed=True)
    soft = np.random.default_rng(0).normal(size=data.targets.shape)
    data = TrainingRows(data.rows, soft, data.groups, data.scored, data.weights)
    scaling = fit_scaling(data.rows, data.weights)
    path = ridge.path(data, scaling, [2.0])
    agree(path.leave_one_out(0), brute_force(data, scaling, ridge_reference, 2.0))
    with pytest.raises(DataError):
        lda.path(data, scaling, [2.0]).leave_one_out(0)


@pytest.mark.parametrize("costs", [0, 1e9], ids=["own decomposition", "ridge's decomposition"])
def test_lda_is_the_same_from_either_decomposition(costs, monkeypatch):
    monkeypatch.setattr(lda, "SHARED_COSTS", costs)
    for data in (some_rows(3, items=60, width=9), some_rows(4, items=14, width=40)):
        scaling = fit_scaling(data.rows, data.weights)
        path = lda.path(data, scaling, [1e-3, 2.0])
        for k, penalty in enumerate(path.penalties):
            agree(path.leave_one_out(k), brute_force(data, scaling, HEADS["lda"][1], penalty))


def test_a_row_that_weighs_nothing_is_judged_by_the_plain_fit():
    data = some_rows(7, items=40, width=8)
    weights = data.weights.copy()
    weights[3] = 0.0
    data = TrainingRows(data.rows, data.targets, data.groups, data.scored, weights)
    scaling = fit_scaling(data.rows, data.weights)
    for path_of, reference in HEADS.values():
        path = path_of(data, scaling, [2.0])
        agree(path.leave_one_out(0), brute_force(data, scaling, reference, path.penalties[0]))


def test_a_single_group_cannot_be_left_out():
    data = some_rows(8)
    data = TrainingRows(data.rows, data.targets, np.zeros(30, np.int64), data.scored, data.weights)
    with pytest.raises(TrainingError, match="one group"):
        ridge.path(data, fit_scaling(data.rows, data.weights), [1.0])
