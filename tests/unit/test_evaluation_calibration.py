"""Calibration against a grid search and a loop."""

import numpy as np
import pytest
from scipy.special import log_softmax as scipy_log_softmax

from tutelage.errors import TrainingError
from tutelage.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    log_softmax,
    softmax,
)


def some_logits(seed, n=120, classes=5, sharpness=3.0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    return sharpness * (rng.normal(size=(n, classes)) + np.eye(classes)[truth]), truth


def smoothed_loss(logits, truth, temperature, weights):
    """The documented objective, written out row by row."""
    kept = [i for i in range(len(truth)) if np.isfinite(logits[i, truth[i]])]
    loss = 0.0
    for i in kept:
        logp = scipy_log_softmax(logits[i] / temperature)
        possible = np.isfinite(logits[i])
        smooth = 1 / (len(kept) + 2)
        loss -= weights[i] * ((1 - smooth) * logp[truth[i]] + smooth * logp[possible].mean())
    return loss


def test_log_softmax_is_scipys_and_minus_infinity_is_impossible():
    logits, _ = some_logits(0)
    logits[3, 2] = -np.inf
    np.testing.assert_allclose(log_softmax(logits), scipy_log_softmax(logits, axis=1), atol=1e-12)
    assert softmax(logits)[3, 2] == 0
    np.testing.assert_allclose(softmax(logits * 1e4).sum(1), 1)


@pytest.mark.parametrize("sharpness", [0.02, 1.0, 40.0])
@pytest.mark.parametrize("holes", [False, True])
def test_temperature_is_the_best_of_a_fine_grid(sharpness, holes):
    logits, truth = some_logits(1, sharpness=sharpness)
    weights = np.random.default_rng(2).uniform(0.2, 2, len(truth))
    if holes:
        logits[np.arange(0, 40), np.arange(0, 40) % 5] = -np.inf
    grid = sharpness * np.geomspace(0.1, 30, 25)
    coarse = grid[int(np.argmin([smoothed_loss(logits, truth, t, weights) for t in grid]))]
    fine = coarse * np.geomspace(0.8, 1.25, 25)
    losses = [smoothed_loss(logits, truth, t, weights) for t in fine]
    expected = fine[int(np.argmin(losses))]
    assert fit_temperature(logits, truth, weights) == pytest.approx(expected, rel=0.02)
    assert smoothed_loss(logits, truth, fit_temperature(logits, truth, weights), weights) <= min(
        losses
    )


def test_a_perfect_head_on_few_items_does_not_become_certain():
    logits = 10 * np.eye(3)[[0, 1, 2] * 4]
    truth = np.array([0, 1, 2] * 4)
    confidence = softmax(logits / fit_temperature(logits, truth)).max(1)
    assert (confidence > 0.9).all() and (confidence < 0.99).all()


def test_a_useless_head_gets_a_high_temperature():
    logits = np.random.default_rng(3).normal(size=(500, 4)) * 10
    truth = np.random.default_rng(4).integers(0, 4, 500)
    assert softmax(logits / fit_temperature(logits, truth)).max() < 0.5


def test_logits_that_tell_nothing_leave_the_temperature_alone():
    assert fit_temperature(np.zeros((4, 3)), np.array([0, 1, 2, 0])) == 1.0
    assert fit_temperature(np.array([[-np.inf, 1.0]]), np.array([0])) == 1.0


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_broken_logits_are_refused(broken):
    with pytest.raises(TrainingError):
        fit_temperature(np.array([[broken, 1.0]]), np.array([1]))


@pytest.mark.parametrize("bins", [10, 15])
def test_calibration_error_is_that_of_a_loop(bins):
    logits, truth = some_logits(5)
    table = softmax(logits)
    confidence, right = table.max(1), table.argmax(1) == truth
    expected = 0.0
    for b in range(bins):
        inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert expected_calibration_error(table, truth, bins) == pytest.approx(expected)
