"""Paired comparison against scipy's binomial test and a simulation."""

import numpy as np
import pytest
from scipy.stats import binomtest

from tutelage.errors import DataError
from tutelage.evaluation.compare import mcnemar, paired_difference


def judged(both, only_a, only_b, neither):
    a = [1] * both + [1] * only_a + [0] * only_b + [0] * neither
    b = [1] * both + [0] * only_a + [1] * only_b + [0] * neither
    return a, b


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(0, 0), (1, 0), (9, 2), (2, 9), (40, 40), (700, 610)]
)
def test_mcnemar_is_the_exact_binomial_test(only_a, only_b):
    found = mcnemar(*judged(50, only_a, only_b, 7))
    assert (found.only_a, found.only_b) == (only_a, only_b)
    trials = only_a + only_b
    if trials:
        assert found.two_sided == pytest.approx(binomtest(only_a, trials).pvalue)
        greater = binomtest(only_a, trials, alternative="greater").pvalue
        assert found.one_sided == pytest.approx(greater)
    else:
        assert found.two_sided == found.one_sided == 1.0


def test_interval_is_the_one_computed_by_hand():
    delta, low, high = paired_difference(*judged(1, 1, 7, 12))
    assert delta == pytest.approx(-6 / 21)
    # Bonett and Price: add one to each discordant cell; (10/23 - (6/23)^2) / 23 = 0.015945
    assert (low, high) == pytest.approx((-6 / 23 - 0.247490, -6 / 23 + 0.247490), abs=1e-5)


def test_interval_covers_the_truth_about_95_times_in_100():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(1000):
        draw = rng.choice(4, size=80, p=[0.7, 0.15, 0.08, 0.07])
        delta, low, high = paired_difference(np.isin(draw, (0, 1)), np.isin(draw, (0, 2)))
        assert low <= delta <= high
        covered += low <= 0.07 <= high
    assert 930 <= covered <= 980


def test_agreement_on_every_item_still_has_an_interval():
    delta, low, high = paired_difference([1] * 20, [1] * 20)
    assert delta == 0 and -0.2 < low < 0 < high < 0.2


def test_different_items_are_refused():
    with pytest.raises(DataError):
        mcnemar([1, 0], [1])
    with pytest.raises(DataError):
        paired_difference([], [])
