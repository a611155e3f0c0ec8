"""Suspected label errors against cleanlab, and on a set with labels flipped on purpose."""

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint

from tutelage.evaluation.label_errors import suspected


def noisy(seed, n=600, classes=4, flipped=0.06, sharp=2.0):
    """Probabilities of a fair judge of the true classes, and labels of which some are wrong."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)) + sharp * np.eye(classes)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wrong = rng.random(n) < flipped
    given = np.where(wrong, (truth + rng.integers(1, classes, n)) % classes, truth)
    return probabilities, given, wrong


@pytest.mark.parametrize("seed", range(5))
def test_the_same_items_as_cleanlab(seed):
    probabilities, given, _ = noisy(seed)
    _, expected = compute_confident_joint(
        given, probabilities, return_indices_of_off_diagonals=True
    )
    assert sorted(suspected(probabilities, given).tolist()) == sorted(expected)


def test_flipped_labels_are_found_and_the_surest_come_first():
    probabilities, given, wrong = noisy(0, sharp=6.0)
    found = suspected(probabilities, given)
    assert wrong[found].mean() > 0.9 and wrong[found].sum() > 0.8 * wrong.sum()
    margin = probabilities[found, given[found]] - probabilities[found].max(1)
    assert (np.diff(margin) >= 0).all()


def test_a_class_without_items_is_never_believed():
    probabilities = np.array([[0.4, 0.1, 0.5], [0.45, 0.05, 0.5], [0.1, 0.4, 0.5]])
    assert len(suspected(probabilities, np.array([0, 0, 1]))) == 0
