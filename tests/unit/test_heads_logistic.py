"""Logistic refinement against scikit-learn run to convergence."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tutelage.heads import lda, logistic, ridge
from tutelage.heads.coordinates import coordinates
from tutelage.heads.groups import folds
from tutelage.heads.linear import linear_head
from tutelage.heads.rows import ArrayRows, TrainingRows
from tutelage.heads.scaling import fit_scaling


def some_rows(seed=0, items=150, width=8, classes=3, block=40):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    x = 3 + rng.normal(size=(classes, width))[truth] + 2 * rng.normal(size=(items, width))
    return TrainingRows(
        rows=ArrayRows(x.astype(np.float32), block=block),
        targets=np.eye(classes)[truth],
        groups=np.arange(items) // 2,
        scored=np.ones(items, bool),
        weights=rng.uniform(0.2, 2, items),
    )


def started(data, normalise=False):
    scaling = fit_scaling(data.rows, data.weights, normalise=normalise)
    return lda.path(data, scaling, [5.0]).head(0)


@pytest.mark.parametrize("penalty", [0.1, 3.0])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("normalise", [False, True])
def test_converged_it_is_scikit_learns(penalty, classes, normalise):
    data = some_rows(classes=classes)
    head = started(data, normalise)
    x = np.concatenate(list(data.rows))
    z = head.scaling.apply(x)
    found = logistic.refine(head, data, penalty, max_iterations=500, tolerance=1e-7)
    reference = LogisticRegression(
        C=(2 if classes == 2 else 1) / penalty, tol=1e-10, max_iter=10_000
    )
    reference.fit(z, data.truth, sample_weight=data.weights)
    # refinement multiplies in float32, so where it stops depends a little on the processor
    np.testing.assert_allclose(
        found.probabilities(x), reference.predict_proba(z), rtol=0, atol=5e-4
    )
    if classes > 2:  # with two classes scikit-learn keeps one column, for half the penalty
        np.testing.assert_allclose(found.weight.T, reference.coef_, atol=5e-3)


def test_a_few_steps_are_never_worse_than_none():
    data = some_rows()
    head = started(data)
    losses = []
    for steps in (0, 1, 3, 10, 100):
        refined = logistic.refine(head, data, 1.0, max_iterations=steps) if steps else head
        told = refined.probabilities(np.concatenate(list(data.rows)))
        told = np.log(told[np.arange(len(told)), data.truth])
        losses.append(-data.weights @ told + np.square(refined.weight).sum() / 2)
    assert losses == sorted(losses, reverse=True)


def test_out_of_fold_logits_are_those_of_fits_without_the_fold():
    data = some_rows()
    scaling = fit_scaling(data.rows, data.weights)
    fold = folds(data.groups, data.truth, 3)
    stats = coordinates(data, scaling).statistics
    x = np.concatenate(list(data.rows))
    z = scaling.apply(x)
    starts = []
    for f in range(3):
        out = fold == f
        rest = stats.remove(z[out], data.targets[out], data.weights[out])
        starts.append(linear_head("ridge", *ridge.fit(rest, 2.0), scaling, 2.0))
    found = logistic.out_of_fold(starts, data, [9.0, 1.0], max_iterations=300)[1]
    for f in range(3):
        out = fold == f
        reference = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000)
        reference.fit(z[~out], data.truth[~out], sample_weight=data.weights[~out])
        expected = reference.predict_log_proba(z[out])
        centred = found[out] - found[out].mean(1, keepdims=True)
        np.testing.assert_allclose(
            centred, expected - expected.mean(1, keepdims=True), rtol=0, atol=5e-3
        )


def test_folds_keep_groups_whole_and_classes_even():
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(np.arange(60), 2))
    truth = groups % 3
    fold = folds(groups, truth, 5)
    assert sorted(np.unique(fold)) == [0, 1, 2, 3, 4]
    for group in range(60):
        assert len(set(fold[groups == group])) == 1
    counts = np.array([np.bincount(truth[fold == f], minlength=3) for f in range(5)])
    assert (counts == 8).all()
    assert set(folds(np.arange(3), np.zeros(3, int), 5)) == {0, 1, 2}
