"""Intervals over items and seeds: their special cases, a table worked by hand, and simulations with known truth."""

import numpy as np
import pytest
from scipy.stats import binomtest, t

from tutelage.errors import DataError
from tutelage.evaluation.compare import paired_difference
from tutelage.evaluation.crossed import mean_accuracy, mean_gain


@pytest.mark.parametrize(("right", "items"), [(0, 9), (7, 9), (80, 100), (100, 100)])
def test_of_one_seed_it_is_the_wilson_interval_that_scipy_computes(right, items):
    reference = binomtest(right, items).proportion_ci(0.95, method="wilson")
    found = mean_accuracy([[1] * right + [0] * (items - right)])
    assert found == pytest.approx((right / items, reference.low, reference.high), abs=1e-4)


def test_of_one_seed_each_the_gain_is_that_of_bonett_and_price():
    rng = np.random.default_rng(0)
    for items in (1, 5, 60, 700):
        a, b = rng.random(items) < 0.8, rng.random(items) < 0.6
        assert mean_gain([a], [b]) == pytest.approx(paired_difference(a, b))


def test_a_table_worked_by_hand():
    """Items' means 1, 1, 1/2, 1/2, 0, 0; seeds' means 2/3 and 1/3."""
    table = [[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]]
    items, seeds = (4 * 0.5**2 / 6) / 6, (2 * (1 / 6) ** 2 / 1) / 2
    freedom = (items + seeds) ** 2 / (seeds**2 / 1)
    effective = 0.25 / (items + seeds) * (1.959964 / t.ppf(0.975, freedom)) ** 2
    spread = 1.96**2 / effective
    half = 1.96 * np.sqrt(0.25 / effective + spread / (4 * effective)) / (1 + spread)
    assert mean_accuracy(table) == pytest.approx((0.5, 0.5 - half, 0.5 + half), abs=1e-5)


def test_seeds_that_agree_never_count_as_more_items():
    row = [1] * 17 + [0] * 3
    assert mean_accuracy([row] * 3) == pytest.approx(mean_accuracy([row]))
    assert mean_accuracy([[1] * 20] * 5) == pytest.approx(mean_accuracy([[1] * 20]))
    nearly = np.ones((3, 20), bool)
    nearly[0, 0] = False
    assert mean_accuracy(nearly)[1] < mean_accuracy([[1] * 20])[1]


def test_seeds_that_differ_widen_it():
    rng = np.random.default_rng(1)
    level = np.array([[0.9], [0.7], [0.5]])
    far = rng.random((3, 2000)) < level
    mean, low, high = mean_accuracy(far)
    assert high - low > 0.3 and low < mean < high
    _, low, high = mean_gain(far, rng.random((1, 2000)) < 0.5)
    assert high - low > 0.5


def test_items_of_a_group_count_once():
    """Six views of each of 50 patients say what 50 patients say, up to the factor for few groups."""
    rng = np.random.default_rng(2)
    a, b = rng.random((1, 50)) < 0.8, rng.random((1, 50)) < 0.5
    names = [f"patient {i}" for i in range(50)]
    six = lambda table: np.repeat(table, 6, axis=1)  # noqa: E731
    grouped = mean_accuracy(six(a), np.repeat(names, 6).tolist())
    assert grouped == pytest.approx(mean_accuracy(a), abs=0.01)
    low, high = mean_gain(six(a), six(b), np.repeat(names, 6).tolist())[1:]
    assert high - low == pytest.approx(np.diff(mean_gain(a, b)[1:])[0], rel=0.06)
    assert mean_gain(a, b, names) == mean_gain(a, b)
    assert mean_accuracy(a, ["one"] * 50)[1:] == (0.0, 1.0)
    assert mean_gain(a, b, ["one"] * 50)[1:] == (-1.0, 1.0)
    assert mean_accuracy([[1] * 9], list("aaabbbccc")) == mean_accuracy([[1] * 3])


@pytest.mark.parametrize("items", [40, 300])
@pytest.mark.parametrize("luck", [0.0, 0.3])
def test_simulated_truth_is_covered(items, luck):
    """Items have their difficulty, seeds their luck; deep has one seed, scratch three."""
    rng = np.random.default_rng(3)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    many = np.random.default_rng(4).normal(size=(2, 400_000))
    deep, scratch = sigmoid(2 + 3 * many[0]).mean(), sigmoid(0.5 + 3 * many[0] + luck * many[1]).mean()  # fmt: skip
    covered = np.zeros(2)
    for _ in range(600):
        ease = rng.normal(size=items)
        a = rng.random((1, items)) < sigmoid(2 + 3 * ease)
        b = rng.random((3, items)) < sigmoid(0.5 + 3 * ease + luck * rng.normal(size=(3, 1)))
        found = (mean_gain(a, b), deep - scratch), (mean_accuracy(b), scratch)
        covered += [low <= truth <= high for (_, low, high), truth in found]
    assert (covered / 600 > 0.93).all(), covered / 600


@pytest.mark.parametrize(
    "call",
    [
        lambda: mean_accuracy([]), lambda: mean_accuracy([1, 0]), lambda: mean_accuracy([[1, 0]], ["a"]),
        lambda: mean_gain([[1, 0]], [[1]]), lambda: mean_gain([[]], [[]]),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(call):
    with pytest.raises(DataError):
        call()
