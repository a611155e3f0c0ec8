"""Transferability scores against brute force: every reference here is written from the formula, the slow way."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import multivariate_normal
from sklearn.covariance import LedoitWolf, ledoit_wolf
from sklearn.linear_model import BayesianRidge
from sklearn.mixture import GaussianMixture

from tutelage.advisor.hscore import hscore
from tutelage.advisor.leep import leep
from tutelage.advisor.logme import logme
from tutelage.advisor.nleep import nleep
from tutelage.errors import DataError, TrainingError

ON_FEATURES = [logme, hscore, nleep]
SHAPES = [(60, 8), (24, 40), (30, 30)]  # more items than features, fewer, and as many


def task(items=60, width=8, classes=3, seed=0, apart=0.7):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    truth[:classes] = np.arange(classes)
    features = rng.normal(size=(classes, width))[truth] * apart + rng.normal(size=(items, width))
    return features + 0.5, truth


def turn(width, seed=5):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0]


def guesses(items=50, teacher=7, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    return rng.dirichlet(np.full(teacher, 0.5), items), truth


# LEEP


def leep_by_loops(table, truth):
    items, teacher = table.shape
    joint = {(y, z): 0.0 for y in set(truth.tolist()) for z in range(teacher)}
    for i in range(items):
        for z in range(teacher):
            joint[truth[i], z] += table[i, z] / items
    total = 0.0
    for i in range(items):
        expected = 0.0
        for z in range(teacher):
            marginal = sum(joint[y, z] for y in set(truth.tolist()))
            if marginal:
                expected += joint[truth[i], z] / marginal * table[i, z]
        total += math.log(expected)
    return total / items


@pytest.mark.parametrize("seed", range(3))
def test_leep_is_the_double_loop(seed):
    table, truth = guesses(seed=seed)
    table[:, 2] = 0  # a class that the teacher never guesses
    table /= table.sum(1, keepdims=True)
    assert leep(table, truth) == pytest.approx(leep_by_loops(table, truth), abs=1e-12)


def test_leep_of_a_teacher_that_knows_is_nought_and_of_one_that_does_not_the_entropy():
    truth = np.array([0, 0, 0, 1, 2, 2])
    assert leep(np.eye(3)[truth], truth) == pytest.approx(0, abs=1e-12)
    share = np.bincount(truth) / 6
    entropy = -(share * np.log(share)).sum()
    assert leep(np.full((6, 4), 0.25), truth) == pytest.approx(-entropy, abs=1e-12)


def test_leep_takes_half_precision_but_no_logits():
    table, truth = guesses(teacher=100)
    assert leep(table.astype(np.float16), truth) == pytest.approx(leep(table, truth), abs=1e-2)
    with pytest.raises(DataError, match="softmax") as caught:
        leep(table * 3, truth)
    assert caught.value.kind == "not-probabilities"
    with pytest.raises(DataError, match="softmax"):
        leep(np.array([[1.5, -0.5], [0.5, 0.5]]), [0, 1])


# LogME


def evidence_by_search(features, target):
    """The log of N(y; 0, I / beta + F F' / alpha), maximised by scipy from several places."""
    items = len(target)
    gram = features @ features.T

    def minus(log):
        alpha, beta = np.exp(np.clip(log, -30, 30))
        covariance = np.eye(items) / beta + gram / alpha
        return -multivariate_normal(np.zeros(items), covariance, allow_singular=False).logpdf(
            target
        )

    starts = [(a, b) for a in (-2.0, 2.0, 6.0) for b in (0.0, 3.0)]
    found = [
        minimize(
            minus,
            start,
            method="Nelder-Mead",
            options={"xatol": 1e-6, "fatol": 1e-9, "maxiter": 4000},
        )
        for start in starts
    ]
    return -min(f.fun for f in found) / items


@pytest.mark.parametrize(("items", "width"), [(40, 6), (18, 40), (20, 20)])
@pytest.mark.parametrize("seed", range(2))
def test_logme_is_the_evidence_maximised_directly(items, width, seed):
    features, truth = task(items, width, seed=seed, apart=0.3)
    expected = np.mean([evidence_by_search(features, (truth == c).astype(float)) for c in range(3)])
    assert logme(features, truth) == pytest.approx(expected, abs=2e-6)


def test_logme_is_the_evidence_of_scikit_learns_bayesian_ridge():
    features, truth = task(80, 6, seed=3)
    told = []
    for c in range(3):
        model = BayesianRidge(
            fit_intercept=False, compute_score=True, max_iter=2000, tol=1e-10,
            alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0,
        )  # fmt: skip
        told.append(model.fit(features, (truth == c).astype(float)).scores_[-1] / 80)
    assert logme(features, truth) == pytest.approx(np.mean(told), abs=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_logme_is_unmoved_by_rotation_scale_and_order(shape):
    features, truth = task(*shape)
    told = logme(features, truth)
    assert logme(features @ turn(shape[1]), truth) == pytest.approx(told, abs=1e-7)
    for scale in (1e-4, 1e4):
        assert logme(features * scale, truth) == pytest.approx(told, abs=1e-7)
    order = np.random.default_rng(1).permutation(shape[0])
    assert logme(features[order], truth[order]) == pytest.approx(told, abs=1e-9)


def test_logme_counts_only_directions_that_the_items_span():
    features, truth = task(18, 12, apart=0.3)
    padded = np.hstack([features, np.zeros((18, 30))])
    assert logme(padded, truth) == pytest.approx(logme(features, truth), abs=1e-9)


def test_logme_of_classes_told_perfectly_and_of_features_that_are_nought():
    truth = np.repeat(np.arange(3), 20)
    perfect = logme(np.eye(3)[truth], truth)

    def minus(log):  # three directions of energy 20, and 1e-5 squares that nothing explains
        t = math.exp(log)
        squares = 20 * t / (t + 20) + 1e-5
        return 30 * (1 + math.log(2 * math.pi * squares / 60)) + 1.5 * math.log(1 + 20 / t)

    best = min(minimize_scalar(minus, (at, at + 1)).fun for at in (-12, -6, 0, 6))
    assert perfect == pytest.approx(-best / 60, abs=1e-6)
    assert perfect > logme(task(60, 8)[0], truth)
    share = (
        20 / 60
    )  # nothing explained: a normal distribution about 0, its variance the mean square
    assert logme(np.zeros((60, 4)), truth) == pytest.approx(
        -0.5 * (1 + math.log(2 * math.pi * share))
    )


# H-score


def hscore_by_inverse(features, truth, shrinkage):
    """tr(S_a^-1 (1 - a) cov(E[f | y])), with the inverse and both covariances written out."""
    items, width = features.shape
    mean = features.mean(0)
    whole, between = np.zeros((width, width)), np.zeros((width, width))
    for i in range(items):
        whole += np.outer(features[i] - mean, features[i] - mean) / items
        of_class = features[truth == truth[i]].mean(0)
        between += np.outer(of_class - mean, of_class - mean) / items
    shrunk = (1 - shrinkage) * whole + shrinkage * np.trace(whole) / width * np.eye(width)
    return np.trace(np.linalg.inv(shrunk) @ ((1 - shrinkage) * between))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shrinkage", [0.05, 0.6])
def test_hscore_is_the_trace_with_the_inverse(shape, shrinkage):
    features, truth = task(*shape)
    expected = hscore_by_inverse(features, truth, shrinkage)
    assert hscore(features, truth, shrinkage=shrinkage) == pytest.approx(expected, rel=1e-9)


def test_hscore_without_shrinkage_is_the_trace_with_the_inverse():
    features, truth = task(60, 8)
    expected = hscore_by_inverse(features, truth, 0.0)
    assert hscore(features, truth, shrinkage=0) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_hscore_shrinks_as_scikit_learns_ledoit_wolf(shape):
    features, truth = task(*shape)
    share = ledoit_wolf(features)[1]
    assert 0 < share < 1
    expected = hscore_by_inverse(features, truth, share)
    assert hscore(features, truth) == pytest.approx(expected, rel=1e-9)
    assert LedoitWolf().fit(features).shrinkage_ == pytest.approx(share)


def test_hscore_without_shrinkage_is_unmoved_by_invertible_maps():
    features, truth = task(60, 8)
    told = hscore(features, truth, shrinkage=0)
    moved = features @ np.random.default_rng(2).normal(size=(8, 8)) + 7
    assert hscore(moved, truth, shrinkage=0) == pytest.approx(told, rel=1e-8)
    assert hscore(moved, truth) != pytest.approx(hscore(features, truth), rel=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_hscore_is_unmoved_by_rotation_and_scale(shape):
    features, truth = task(*shape)
    moved = 1e3 * features @ turn(shape[1]) - 5
    assert hscore(moved, truth) == pytest.approx(hscore(features, truth), rel=1e-8)


def test_hscore_of_classes_told_perfectly_is_their_number_less_one():
    truth = np.repeat(np.arange(4), 5)
    assert hscore(np.eye(4)[truth], truth, shrinkage=0) == pytest.approx(3)
    features, scattered = task(20, 40, classes=4)
    assert hscore(features, scattered, shrinkage=0) == pytest.approx(3)  # N < D: any labels


# NLEEP


def test_nleep_is_leep_of_a_mixture_on_principal_components():
    features, truth = task(120, 6, apart=2)
    centred = features - features.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = next(k for k in range(1, 7) if values[:k].sum() / values.sum() > 0.8)
    rows = centred @ vectors[:, :kept]
    rows = rows / math.sqrt(np.square(rows).sum() / rows.size)
    mixture = GaussianMixture(15, covariance_type="diag", random_state=0).fit(rows)
    expected = leep_by_loops(mixture.predict_proba(rows), truth)
    assert nleep(features, truth) == pytest.approx(expected, abs=1e-6)


def test_nleep_of_clusters_apart_is_nought_and_of_features_that_do_not_vary_the_entropy():
    truth = np.repeat(np.arange(3), 30)
    rng = np.random.default_rng(0)
    features = 100 * np.eye(3)[truth] + rng.normal(size=(90, 3))
    assert nleep(features, truth) == pytest.approx(0, abs=1e-6)
    assert nleep(np.full((90, 5), 0.1), truth) == pytest.approx(-math.log(3), abs=1e-9)


def test_nleep_does_not_praise_random_labels_for_being_few():
    rng = np.random.default_rng(0)
    features, truth = rng.normal(size=(20, 30)), np.repeat(np.arange(4), 5)
    assert nleep(features, truth) < -0.5 * math.log(4)


def test_nleep_is_unmoved_by_scale_and_the_same_for_a_seed():
    features, truth = task(100, 12)
    assert nleep(features, truth) == nleep(features, truth)
    for scale in (1e-4, 1e4):
        assert nleep(features * scale, truth) == pytest.approx(nleep(features, truth), abs=1e-6)


# All of them


@pytest.mark.parametrize("score", ON_FEATURES)
@pytest.mark.parametrize("shape", [(90, 10), (45, 80)])
def test_every_score_prefers_the_labels_to_shuffled_ones(score, shape):
    features, truth = task(*shape, apart=2)
    told = score(features, truth)
    rng = np.random.default_rng(9)
    for _ in range(5):
        assert told > score(features, rng.permutation(truth))


def test_leep_prefers_the_labels_to_shuffled_ones():
    truth = np.repeat(np.arange(3), 30)
    table = 0.7 * np.eye(5)[truth] + 0.06
    assert leep(table, truth) > leep(table, np.random.default_rng(0).permutation(truth))


@pytest.mark.parametrize("score", ON_FEATURES)
@pytest.mark.parametrize("shape", SHAPES)
def test_columns_that_repeat_or_do_not_vary_do_no_harm(score, shape):
    features, truth = task(*shape)
    odd = np.hstack([features, features, np.full((len(truth), 2), 0.1)]).astype(np.float32)
    told = score(odd, truth)
    assert math.isfinite(told)
    assert isinstance(told, float)
    assert math.isfinite(score(np.full_like(odd, 0.1), truth))


def test_repeated_columns_change_nothing_where_the_formula_says_so():
    features, truth = task()
    twice = np.hstack([features, features])  # F F' doubles: a change of scale
    assert logme(twice, truth) == pytest.approx(logme(features, truth), abs=1e-7)
    single = hscore(features, truth, shrinkage=0)
    assert hscore(twice, truth, shrinkage=0) == pytest.approx(single, rel=1e-8)


@pytest.mark.parametrize("shape", [(60, 8), (12, 40)])
def test_a_constant_column_tells_the_hscore_nothing(shape):
    features, truth = task(*shape)
    odd = np.hstack([features, np.full((len(truth), 1), 0.1)])
    single = hscore(features, truth, shrinkage=0)
    assert hscore(odd, truth, shrinkage=0) == pytest.approx(single, rel=1e-8)
    assert hscore(np.full((9, 3), 0.1), [0, 1, 2] * 3) == 0.0


@pytest.mark.parametrize("score", ON_FEATURES)
def test_names_of_classes_do_not_matter(score):
    features, truth = task()
    assert score(features, truth * 5 + 2) == pytest.approx(score(features, truth), abs=1e-12)


@pytest.mark.parametrize("score", [*ON_FEATURES, leep])
def test_every_score_refuses_what_cannot_be_scored(score):
    table = np.array([[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])
    cases = [
        (np.where(np.eye(3, 2) > 0, np.nan, table), [0, 1, 0], TrainingError, None),
        (np.where(np.eye(3, 2) > 0, np.inf, table), [0, 1, 0], TrainingError, None),
        (table, [1, 1, 1], DataError, "one-class"),
        (table[:1], [0], DataError, "too-few-items"),
        (table[:0], [], DataError, "too-few-items"),
        (table, [0, 1], DataError, "unpaired"),
        (table[0], [0, 1], DataError, "unpaired"),
    ]
    for values, truth, error, kind in cases:
        with pytest.raises(error) as caught:
            score(values, truth)
        assert kind is None or caught.value.kind == kind
        assert caught.value.kind.startswith("broken-") == (kind is None)


@pytest.mark.parametrize("score", ON_FEATURES)
def test_two_items_can_be_scored(score):
    assert math.isfinite(score(np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 2.0]]), [0, 1]))
