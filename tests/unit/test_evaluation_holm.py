"""Holm's p-values against the closed test that they are a shortcut for, by brute force."""

from itertools import combinations

import numpy as np
import pytest

from tutelage.evaluation.holm import holm


def closed(p_values):
    """A hypothesis is rejected if every set that holds it is, by Bonferroni's test of the set."""
    every = range(len(p_values))
    sets = [s for size in range(1, len(p_values) + 1) for s in combinations(every, size)]
    return [
        max(min(1.0, len(s) * min(p_values[i] for i in s)) for s in sets if index in s)
        for index in every
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_it_is_the_closed_bonferroni_test(count):
    rng = np.random.default_rng(count)
    for _ in range(50):
        p_values = np.round(rng.random(count) ** 3, 2).tolist()
        assert holm(p_values) == pytest.approx(closed(p_values))


def test_the_order_given_is_kept_and_nothing_exceeds_one():
    assert holm([0.022, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []
