"""Closed-form heads against scikit-learn; statistics, scaling and rows against plain arithmetic."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import StandardScaler

from tutelage.errors import ArtefactError, DataError, TrainingError
from tutelage.heads import lda, nearest_mean, ridge
from tutelage.heads.coordinates import coordinates, scaled_statistics
from tutelage.heads.groups import rounds, whole_groups
from tutelage.heads.linear import LinearHead
from tutelage.heads.rows import ArrayRows, TrainingRows
from tutelage.heads.scaling import Scaling, fit_scaling
from tutelage.heads.statistics import Statistics
from tutelage.heads.weights import class_weights


def some_rows(seed=0, items=90, width=10, classes=3, weighted=False):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    truth[:classes] = np.arange(classes)
    x = 5 + rng.normal(size=(classes, width))[truth] + rng.normal(size=(items, width)) * 2
    return TrainingRows(
        rows=ArrayRows(x.astype(np.float32), block=23),
        targets=np.eye(classes)[truth],
        groups=np.arange(items),
        scored=np.ones(items, bool),
        weights=rng.uniform(0.2, 2, items) if weighted else np.ones(items),
    )


def whole(data):
    return np.concatenate(list(data.rows))


@pytest.mark.parametrize("items", [90, 14])  # more rows than features, and fewer
@pytest.mark.parametrize("penalty", [0.01, 3.0])
def test_ridge_is_scikit_learns(items, penalty):
    data = some_rows(items=items, width=20, weighted=True)
    scaling = fit_scaling(data.rows, data.weights)
    z = scaling.apply(whole(data))
    head = ridge.path(data, scaling, [penalty]).head(0)
    reference = Ridge(alpha=penalty).fit(z, data.targets, sample_weight=data.weights)
    np.testing.assert_allclose(head.logits(whole(data)), reference.predict(z), atol=1e-7)
    np.testing.assert_allclose(head.weight.T, reference.coef_, atol=1e-7)


@pytest.mark.parametrize("items", [90, 14])
def test_lda_is_scikit_learns(items):
    data = some_rows(items=items, width=20)
    scaling = Scaling(np.zeros(20), np.ones(20))
    x = whole(data).astype(np.float64)
    scatter = scaled_statistics(data, scaling).within / items
    share = 0.3  # scikit-learn's: (1 - share) S + share tr(S)/D; a common factor moves the rest
    penalty = items * share / (1 - share) * np.trace(scatter) / 20
    reference = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=share).fit(x, data.truth)
    head = lda.path(data, scaling, [penalty]).head(0)
    priors = np.log(data.targets.mean(0))
    found = head.logits(x) - priors
    expected = (x @ reference.coef_.T + reference.intercept_ - priors) * (1 - share)
    np.testing.assert_allclose(
        found - found.mean(1, keepdims=True),
        expected - expected.mean(1, keepdims=True),
        atol=1e-6,
    )


def test_nearest_mean_is_scikit_learns():
    data = some_rows()
    scaling = fit_scaling(data.rows, data.weights)
    z = scaling.apply(whole(data))
    head = nearest_mean.path(data, scaling).head(0)
    reference = NearestCentroid().fit(z, data.truth)
    assert (head.logits(whole(data)).argmax(1) == reference.predict(z)).all()


def test_one_penalty_alone_gives_the_head_of_the_path():
    data = some_rows(weighted=True)
    scaling = fit_scaling(data.rows, data.weights)
    stats = coordinates(data, scaling).statistics
    for module in (ridge, lda):
        head = module.path(data, scaling, [2.0]).head(0)
        weight, bias = module.fit(stats, 2.0)
        np.testing.assert_allclose(weight, head.weight, atol=1e-10)
        np.testing.assert_allclose(bias, head.bias, atol=1e-10)


def test_a_class_without_rows_cannot_win():
    data = some_rows()
    data = TrainingRows(
        data.rows, np.insert(data.targets, 1, 0.0, axis=1), data.groups, data.scored, data.weights
    )
    scaling = fit_scaling(data.rows, data.weights)
    for module in (lda, nearest_mean):
        head = module.path(data, scaling, [2.0]).head(0)
        assert (head.probabilities(whole(data))[:, 1] == 0).all()
        assert all(np.isfinite(a).all() for a in head.as_arrays().values())


# -- statistics ------------------------------------------------------------------------------------


def equal(a: Statistics, b: Statistics):
    for name, array in a.as_arrays().items():
        np.testing.assert_allclose(array, b.as_arrays()[name], rtol=1e-12, atol=1e-9)


def test_statistics_do_not_depend_on_blocks_and_grow_by_addition():
    data = some_rows(weighted=True)
    scaling = fit_scaling(data.rows, data.weights)
    stats, z = scaled_statistics(data, scaling), scaling.apply(whole(data))
    part, rest = slice(0, 30), slice(30, None)

    def of(rows):
        return (z[rows], data.targets[rows], data.weights[rows])

    empty = stats.remove(*of(slice(None)))
    np.testing.assert_allclose(empty.outer, 0, atol=1e-9)
    equal(empty.add(*of(part)).add(*of(rest)), stats)
    equal(stats.remove(*of(part)), empty.add(*of(rest)))
    np.testing.assert_allclose(stats.outer, (z * data.weights[:, None]).T @ z, atol=1e-9)


def test_forgetting_rows_is_never_having_seen_them():
    data = some_rows(weighted=True)
    scaling = fit_scaling(data.rows, data.weights)
    kept = np.arange(90) % 4 != 0
    z = scaling.apply(whole(data))
    gone = coordinates(data, scaling).statistics.remove(
        z[~kept], data.targets[~kept], data.weights[~kept]
    )
    fewer = TrainingRows(
        ArrayRows(whole(data)[kept]), data.targets[kept], data.groups[kept], data.scored[kept],
        data.weights[kept],
    )  # fmt: skip
    for module in (ridge, lda):
        weight, bias = module.fit(gone, 3.0)
        head = module.path(fewer, scaling, [3.0]).head(0)
        np.testing.assert_allclose(weight, head.weight, atol=1e-10)
        np.testing.assert_allclose(bias, head.bias, atol=1e-10)
    equal(coordinates(data, scaling).without(~kept), gone)


def test_statistics_survive_being_saved_bit_for_bit():
    data = some_rows(weighted=True)
    stats = scaled_statistics(data, fit_scaling(data.rows, data.weights))
    again = Statistics.from_arrays(stats.as_arrays())
    assert (again.outer == stats.outer).all() and again.total == stats.total
    with pytest.raises(ArtefactError, match="outer"):
        Statistics.from_arrays({"sum": stats.sum})


def test_within_scatter_is_that_of_a_loop():
    data = some_rows(weighted=True)
    scaling = fit_scaling(data.rows, data.weights)
    z, expected = scaling.apply(whole(data)), np.zeros((10, 10))
    for c in range(3):
        members, share = z[data.truth == c], data.weights[data.truth == c]
        mean = np.average(members, axis=0, weights=share)
        expected += sum(
            w * np.outer(r - mean, r - mean) for r, w in zip(members, share, strict=True)
        )
    np.testing.assert_allclose(scaled_statistics(data, scaling).within, expected, atol=1e-9)


# -- scaling ---------------------------------------------------------------------------------------


def test_scaling_is_scikit_learns_standard_scaler():
    data = some_rows(weighted=True)
    x = whole(data).astype(np.float64)
    reference = StandardScaler().fit(x, sample_weight=data.weights)
    found = fit_scaling(data.rows, data.weights)
    np.testing.assert_allclose(found.apply(x), reference.transform(x), atol=1e-12)
    shared = fit_scaling(data.rows, data.weights, each=False)
    np.testing.assert_allclose(shared.scale, 1 / np.sqrt(reference.var_.mean()))


def test_rows_of_length_one():
    data = some_rows()
    scaling = fit_scaling(data.rows, data.weights, normalise=True)
    np.testing.assert_allclose(np.linalg.norm(scaling.apply(whole(data)), axis=1), 1)
    assert (scaling.apply(scaling.shift[None]) == 0).all()


def test_a_feature_that_varies_by_rounding_alone_is_left_out():
    """A layer norm whose gain is nearly zero gives one; by its own deviation it would be enlarged ten million times."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.1, (50, 3))
    x[:, 1] = rng.normal(0, 1e-9, 50)
    scale = fit_scaling(ArrayRows(x), np.ones(50)).scale
    assert scale[1] == 0 and scale.max() < 20


def test_a_feature_that_never_varies_is_left_out():
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    x[:, 1] = 7.3
    scaling = fit_scaling(ArrayRows(x, block=7), np.ones(40))
    assert scaling.scale[1] == 0 and np.isfinite(scaling.apply(x * 2)).all()


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_broken_features_are_named(broken):
    x = np.ones((30, 4), np.float32)
    x[17, 2] = broken
    with pytest.raises(TrainingError, match="row 17"):
        fit_scaling(ArrayRows(x, block=8), np.ones(30))


def test_weightless_rows_are_refused():
    with pytest.raises(TrainingError):
        fit_scaling(ArrayRows(np.ones((3, 2), np.float32)), np.zeros(3))


# -- rows and groups -------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 5, 64])
def test_every_group_comes_whole_and_once(block):
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 25, 60)
    x = rng.normal(size=(60, 2)).astype(np.float32)
    data = TrainingRows(
        ArrayRows(x, block), np.ones((60, 1)), groups, np.ones(60, bool), np.ones(60)
    )
    seen = []
    for batch in whole_groups(data):
        np.testing.assert_array_equal(batch.rows, x[batch.index.reshape(-1)])
        for index in batch.index:
            assert sorted(index) == sorted(np.flatnonzero(groups == groups[index[0]]))
        seen += batch.index.reshape(-1).tolist()
    assert sorted(seen) == list(range(60))


def test_a_round_holds_one_group_of_each_class():
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
    groups = np.array([5, 5, 3, 8, 1, 2, 2, 0, 9, 7])
    found = rounds(groups, truth)
    assert found.tolist() == [0, 0, 1, 2, 0, 1, 1, 2, 0, 1]


def test_rows_and_facts_must_agree():
    data = some_rows()
    with pytest.raises(DataError, match="90 rows"):
        TrainingRows(data.rows, data.targets[:80], data.groups, data.scored, data.weights)


# -- the head as a record ----------------------------------------------------------------------------


def test_a_head_survives_being_saved_bit_for_bit():
    data = some_rows()
    head = lda.path(data, fit_scaling(data.rows, data.weights, normalise=True), [2.0]).head(0)
    again = LinearHead.from_arrays(head.as_arrays())
    assert (again.kind, again.normalise, again.penalty) == ("lda", True, 2.0)
    assert (again.probabilities(whole(data)) == head.probabilities(whole(data))).all()
    with pytest.raises(ArtefactError, match="weight"):
        LinearHead.from_arrays({"kind": np.zeros(1, np.uint8)})


def test_class_weights():
    even = np.repeat(np.eye(2), [30, 12], axis=0)
    assert (class_weights(even) == 1).all()
    skewed = np.repeat(np.eye(2), [16, 4], axis=0)
    found = class_weights(skewed)
    assert found.mean() == pytest.approx(1) and found[-1] / found[0] == pytest.approx(2)
    copies = np.r_[np.zeros(13), np.arange(1, 8)]  # 13 copies are one piece of evidence: 4 to 4
    assert (class_weights(skewed, copies) == 1).all()


def test_heads_and_evaluation_import_nothing_heavy():
    names = [
        "linear",
        "rows",
        "path",
        "choose",
        "reject",
        "logistic",
        "lda",
        "ridge",
        "nearest_mean",
    ]
    code = ";".join(
        [*(f"import tutelage.heads.{n}" for n in names), "import tutelage.evaluation.task"]
    )
    code += ";import sys;print([m for m in ('torch','sklearn','scipy') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
