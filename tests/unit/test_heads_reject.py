"""The reject rule against its formulas and a fit without each group."""

import numpy as np
import pytest
from sklearn.covariance import OAS

from tutelage.errors import ArtefactError
from tutelage.heads.choose import fit_heads
from tutelage.heads.coordinates import coordinates
from tutelage.heads.reject import RejectRule, energy, fit_reject, shrinkage
from tutelage.heads.rows import ArrayRows, TrainingRows
from tutelage.heads.scaling import Scaling, fit_scaling


def native(rng, count, width=20, classes=3):
    truth = np.arange(count) % classes
    x = 4 * np.eye(classes, width)[truth] + rng.normal(size=(count, width))
    return x.astype(np.float32), truth


def training(x, truth, classes=3, groups=None):
    count = len(x)
    return TrainingRows(
        rows=ArrayRows(x, block=37),
        targets=np.eye(classes)[truth],
        groups=np.arange(count) if groups is None else groups,
        scored=np.ones(count, bool),
        weights=np.ones(count),
    )


@pytest.fixture
def fitted():
    data = training(*native(np.random.default_rng(0), 150))
    choice = fit_heads(data, classes=3, budget=0)
    return data, choice, fit_reject(data, choice.head, left_out_logits=choice.left_out_logits)


def test_shrinkage_is_scikit_learns_oas():
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(60, 15)) * np.linspace(0.2, 3, 15)).astype(np.float32)
    x -= x.mean(0)
    data = training(x, np.zeros(60, int), classes=1)
    stats = coordinates(data, Scaling(np.zeros(15), np.ones(15))).statistics
    penalty = shrinkage(stats, 15)
    found = (stats.within + penalty * np.eye(15)) / stats.total
    expected = OAS(assume_centered=True).fit(x).covariance_
    np.testing.assert_allclose(found / np.trace(found), expected / np.trace(expected), rtol=2e-5)


@pytest.mark.parametrize("count", [150, 12])  # more and fewer rows than features
def test_distance_is_mahalanobis(count):
    x, truth = native(np.random.default_rng(2), count)
    data = training(x, truth)
    head = fit_heads(data, classes=3, budget=0).head
    rule = fit_reject(data, head)
    scaling = Scaling(rule.shift, rule.scale, normalise=True)
    z, new = scaling.apply(x), scaling.apply(native(np.random.default_rng(3), 9)[0])
    means = np.stack([z[truth == c].mean(0) for c in range(3)])
    scatter = (z - means[truth]).T @ (z - means[truth])
    penalty = shrinkage(coordinates(data, scaling).statistics, 20)
    inverse = np.linalg.inv((scatter + penalty * np.eye(20)) / count)
    expected = [min((row - m) @ inverse @ (row - m) for m in means) for row in new]
    found = rule.distance(native(np.random.default_rng(3), 9)[0])
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_energy_is_the_formula():
    logits = np.random.default_rng(4).normal(size=(7, 3)) * 50
    with np.errstate(over="ignore"):
        expected = -np.log(np.exp(logits / 2).sum(1))
    np.testing.assert_allclose(energy(logits, 2.0), expected)


def test_the_threshold_keeps_95_of_100_left_out_items():
    rng = np.random.default_rng(5)
    data = training(*native(rng, 400))
    choice = fit_heads(data, classes=3, budget=0)
    rule = fit_reject(data, choice.head, left_out_logits=choice.left_out_logits)
    fresh = native(rng, 2000)[0]
    kept = (rule.score(fresh, choice.head.logits(fresh)) <= rule.threshold).mean()
    assert 0.92 < kept < 0.98


def test_few_training_rows_are_not_taken_for_typical():
    """Scored as training rows, 30 points in 20 dimensions look closer than new ones are."""
    rng = np.random.default_rng(6)
    data = training(*native(rng, 30))
    choice = fit_heads(data, classes=3, budget=0)
    rule = fit_reject(data, choice.head, left_out_logits=choice.left_out_logits)
    fresh = native(rng, 2000)[0]
    kept = (rule.score(fresh, choice.head.logits(fresh)) <= rule.threshold).mean()
    assert kept > 0.85


def test_copies_are_left_out_together():
    rng = np.random.default_rng(7)
    shape = np.linspace(0.1, 3, 20)
    x, truth = native(rng, 60)
    x, groups = np.repeat(x * shape, 2, 0).astype(np.float32), np.repeat(np.arange(60), 2)
    head = fit_heads(training(x, np.repeat(truth, 2)), classes=3, budget=0).head
    honest = fit_reject(training(x, np.repeat(truth, 2), groups=groups), head)
    fooled = fit_reject(training(x, np.repeat(truth, 2)), head)
    fresh = honest.distance(native(rng, 4000)[0] * shape).mean()
    assert honest.centre[0] == pytest.approx(fresh, rel=0.12)
    assert fooled.centre[0] < 0.9 * fresh < honest.centre[0]


def test_foreign_items_are_rejected(fitted):
    _, choice, rule = fitted
    foreign = np.random.default_rng(8).normal(size=(200, 20)).astype(np.float32)
    foreign[:, 10] += 12
    scores = rule.score(foreign, choice.head.logits(foreign))
    assert (scores > rule.threshold).mean() > 0.9


def test_either_opinion_raises_a_suspicion(fitted):
    data, choice, rule = fitted
    x = next(iter(data.rows))
    logits = choice.head.logits(x)
    far = (rule.distance(x) - rule.centre[0]) / rule.spread[0]
    np.testing.assert_allclose(
        rule.score(x, logits - 1e4), (1e4 + 0 * far) / rule.temperature / rule.spread[1], rtol=0.05
    )
    np.testing.assert_allclose(rule.score(x, logits + 1e4), far)


def test_items_given_as_left_out_place_the_threshold(fitted):
    data, choice, _ = fitted
    given = native(np.random.default_rng(9), 100)[0]
    rule = fit_reject(data, choice.head, left_out=given)
    scores = rule.score(given, choice.head.logits(given))
    assert (scores <= rule.threshold).mean() == pytest.approx(0.95, abs=0.011)


def test_it_survives_being_saved_bit_for_bit(fitted):
    data, choice, rule = fitted
    again = RejectRule.from_arrays(rule.as_arrays())
    x = next(iter(data.rows))
    logits = choice.head.logits(x)
    assert again.threshold == rule.threshold
    assert (again.score(x, logits) == rule.score(x, logits)).all()
    with pytest.raises(ArtefactError, match="means"):
        RejectRule.from_arrays({n: a for n, a in rule.as_arrays().items() if n != "means"})


def test_a_blank_rule_rejects_nothing(fitted):
    data, choice, _ = fitted
    rule = RejectRule.blank(choice.head)
    x = next(iter(data.rows)) * 1e6
    assert (rule.score(x, choice.head.logits(x)) <= rule.threshold).all()
    assert all(np.isfinite(a).all() for a in rule.as_arrays().values())


@pytest.mark.parametrize("count", [3, 6])
def test_one_or_two_items_a_class_still_give_a_rule(count):
    data = training(*native(np.random.default_rng(10), count))
    choice = fit_heads(data, classes=3)
    rule = fit_reject(data, choice.head, left_out_logits=choice.left_out_logits)
    x = next(iter(data.rows))
    assert np.isfinite(rule.score(x, choice.head.logits(x))).all()


def test_scaling_of_the_rule_is_its_own(fitted):
    data, _, rule = fitted
    expected = fit_scaling(data.rows, data.weights, each=False)
    np.testing.assert_array_equal(rule.shift, expected.shift)
