"""McNemar's test over seeds, against scipy's binomial test, by hand, and under a true null hypothesis."""

import numpy as np
import pytest
from scipy.stats import binomtest

from tutelage.errors import DataError
from tutelage.evaluation.repeated import mcnemar_over_seeds


def judged(only_a, only_b, both=30):
    return [1] * (both + only_a) + [0] * only_b, [1] * both + [0] * only_a + [1] * only_b


def test_of_one_pair_it_is_the_exact_test():
    a, b = judged(12, 3)
    assert mcnemar_over_seeds([a], [b]) == pytest.approx(binomtest(12, 15).pvalue)
    assert mcnemar_over_seeds(a, b) == mcnemar_over_seeds([a], [b])


def test_of_three_pairs_two_must_agree():
    """The second smallest of three, times three halves."""
    columns = np.arange(60)
    base = columns < 20

    def worse(count):
        return base & (columns >= count)

    p_values = sorted(binomtest(count, count).pvalue for count in (9, 6, 1))
    found = mcnemar_over_seeds([base] * 3, [worse(9), worse(6), worse(1)])
    assert found == pytest.approx(1.5 * p_values[1])
    assert mcnemar_over_seeds([base], [worse(9), worse(6), worse(1)]) == pytest.approx(found)


def test_one_lucky_seed_of_three_proves_nothing():
    same = [1] * 40 + [0] * 40
    worse = [0] * 40 + [0] * 40
    assert mcnemar_over_seeds([same] * 3, [worse, same, same]) == 1.0


def test_a_true_null_hypothesis_is_rejected_no_more_often_than_promised():
    """Three seeds of each, on the same items of differing difficulty: the tests depend on each other."""
    rng, rejected = np.random.default_rng(0), 0
    for _ in range(1000):
        ease = rng.random(80)
        a, b = rng.random((3, 80)) < ease, rng.random((3, 80)) < ease
        rejected += mcnemar_over_seeds(a, b) <= 0.05
    assert rejected <= 65


def test_other_items_are_refused():
    with pytest.raises(DataError):
        mcnemar_over_seeds([[1, 0]], [[1]])
