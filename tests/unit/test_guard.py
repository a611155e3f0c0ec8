"""The guard: what validation items and what was expected say together."""

import numpy as np
import pytest

from tutelage.training.guard import gain_error, guard, weighed


def logits(right, sure=3.0):
    """Two classes, the truth is 0: right items have the first logit on top."""
    table = np.zeros((len(right), 2))
    table[np.arange(len(right)), np.where(right, 0, 1)] = sure
    return table


def told(before, after, prior=None):
    truth = np.zeros(len(before), int)
    return guard(logits(np.array(before)), logits(np.array(after)), truth, prior)


def test_a_tail_that_is_better_ships_and_one_that_is_worse_does_not():
    better = told([1] * 60 + [0] * 40, [1] * 80 + [0] * 20)
    assert better.ships and better.gain == pytest.approx(0.2)
    worse = told([1] * 80 + [0] * 20, [1] * 60 + [0] * 40)
    assert not worse.ships and "frozen head is shipped" in worse.because


def test_equal_accuracy_with_worse_log_loss_does_not_ship():
    truth, right = np.zeros(400, int), np.array([1] * 300 + [0] * 100)
    before, after = logits(right), logits(right)
    after[:, :] = np.where(np.arange(400)[:, None] < 300, after * 0.05, after)
    assert not guard(before, after, truth).ships


def test_few_items_are_weighed_against_what_was_expected():
    before, after = [1] * 7 + [0] * 3, [1] * 6 + [0] * 4
    assert not told(before, after).ships
    assert told(before, after, prior=(0.08, 0.02)).ships
    assert told(before, [1] * 7 + [0] * 3, prior=(-0.05, 0.02)).ships is False
    assert weighed(-0.1, 0.2, (0.08, 0.02)) > 0 > weighed(-0.1, 0.02, (0.08, 0.2))


def test_the_weight_is_that_of_two_normal_distributions():
    mean = (0.1 / 0.03**2 + 0.02 / 0.01**2) / (1 / 0.03**2 + 1 / 0.01**2)
    assert weighed(0.1, 0.03, (0.02, 0.01)) == pytest.approx(mean)


def test_no_difference_is_not_certainty():
    assert gain_error(np.zeros(10)) == pytest.approx(np.sqrt(2 / 12 / 12))
