"""Choosing a head: by left-out items, by stated rules, and never by accident."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tutelage.errors import DataError, TrainingError
from tutelage.evaluation.calibration import negative_log_likelihood
from tutelage.heads import lda, logistic, nearest_mean, ridge
from tutelage.heads.candidate import answerable_items, best_of, best_of_each, penalties, some_of
from tutelage.heads.choose import fit_heads
from tutelage.heads.coordinates import coordinates
from tutelage.heads.path import GroupRows, left_out
from tutelage.heads.rows import ArrayRows, TrainingRows, Wear
from tutelage.heads.scaling import fit_scaling


def some_rows(seed=0, each=20, width=12, classes=3, views=1, gap=2.0, groups=None):
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(classes), each)
    x = gap * np.eye(classes, width)[truth] + rng.normal(size=(len(truth), width))
    x = np.repeat(x, views, 0) + 0.1 * rng.normal(size=(len(truth) * views, width))
    items = len(truth)
    return TrainingRows(
        rows=ArrayRows(x.astype(np.float32), block=33),
        targets=np.repeat(np.eye(classes)[truth], views, 0),
        groups=np.repeat(np.arange(items) if groups is None else groups, views),
        scored=np.tile(np.arange(views) == 0, items),
        weights=np.full(items * views, 1 / views),
    )


def features(data):
    return np.concatenate(list(data.rows))


def test_left_out_figures_foretell_those_on_new_data():
    data, new = some_rows(0, each=60), some_rows(99, each=700)
    choice = fit_heads(data, classes=3)
    told = choice.left_out_logits
    left_out = (told.argmax(1) == choice.left_out_truth).mean()
    fresh = choice.head.probabilities(features(new))
    assert left_out == pytest.approx((fresh.argmax(1) == new.truth).mean(), abs=0.06)
    loss = negative_log_likelihood(told / choice.head.temperature, choice.left_out_truth).mean()
    assert loss == pytest.approx(negative_log_likelihood(np.log(fresh), new.truth).mean(), abs=0.12)


def test_the_table_names_every_candidate_and_is_json():
    choice = fit_heads(some_rows(each=120), classes=3)
    kinds = [row["head"] for row in choice.table]
    assert kinds == ["nearest mean", "ridge", "lda", "ridge + lda", "logistic"]
    assert set(choice.table[0]) == {"head", "penalty", "accuracy", "low", "high", "log_loss"}
    json.dumps(choice.table, allow_nan=False)
    assert choice.head.kind in kinds and len(choice.because) >= 2


def test_logistic_is_tried_only_where_it_may_pay():
    for data, budget in ((some_rows(each=40), 1e12), (some_rows(each=120), 0.0)):
        kinds = [row["head"] for row in fit_heads(data, classes=3, budget=budget).table]
        assert "logistic" not in kinds


def test_the_simplest_within_one_standard_error_ships():
    """Round, equally wide classes: nearest mean is the right model, and the others barely differ."""
    choice = fit_heads(some_rows(each=200, width=4, gap=2.0), classes=3)
    assert choice.head.kind == "nearest mean"


def test_correlated_features_need_more_than_the_nearest_mean():
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], 60)
    common = rng.normal(size=(120, 1)) * 5
    x = common + rng.normal(size=(120, 2)) * 0.5 + np.array([[0, 0], [1.5, -1.5]])[truth]
    data = TrainingRows(
        ArrayRows(x.astype(np.float32)), np.eye(2)[truth], np.arange(120), np.ones(120, bool), np.ones(120),
    )  # fmt: skip
    choice = fit_heads(data, classes=2)
    assert choice.head.kind != "nearest mean"
    assert (choice.left_out_logits.argmax(1) == truth).mean() > 0.95


def test_left_out_items_of_few_shots_are_judged_evenly():
    """Leaving out one of two items alone makes heads lean away from its class: 0 % would be told."""
    data, new = some_rows(3, each=2, gap=3.0, width=60), some_rows(98, each=300, gap=3.0, width=60)
    choice = fit_heads(data, classes=3)
    assert any("one of each class" in sentence for sentence in choice.because)
    accuracies = []
    for seed in range(12):
        choice = fit_heads(some_rows(seed, each=2, gap=3.0, width=60), classes=3)
        accuracies.append((choice.left_out_logits.argmax(1) == choice.left_out_truth).mean())
    fresh = (choice.head.logits(features(new)).argmax(1) == new.truth).mean()
    assert np.mean(accuracies) == pytest.approx(fresh, abs=0.25) and np.mean(accuracies) > 0.34


def test_views_and_copies_do_not_flatter():
    """Classes that mean nothing: copies that stayed in would be recognised."""
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(40, 80)), 2, 0).astype(np.float32)
    targets = np.repeat(np.eye(2)[rng.integers(0, 2, 40)], 2, 0)
    rows = (ArrayRows(x), targets)
    rest = (np.ones(80, bool), np.ones(80))
    honest = fit_heads(TrainingRows(*rows, np.repeat(np.arange(40), 2), *rest), classes=2)
    fooled = fit_heads(TrainingRows(*rows, np.arange(80), *rest), classes=2)
    right = [c.left_out_logits.argmax(1) == c.left_out_truth for c in (honest, fooled)]
    assert right[0].mean() < 0.75 < 0.95 < right[1].mean()


def test_views_are_learned_from_but_only_the_plain_one_is_judged():
    choice = fit_heads(some_rows(views=4), classes=3)
    assert choice.left_out_logits.shape == (60, 3)
    assert choice.statistics.statistics.total == pytest.approx(60)


def test_one_item_a_class_still_gives_a_head_and_says_so():
    choice = fit_heads(some_rows(each=1), classes=3)
    assert choice.head.kind == "nearest mean" and choice.table == ()
    assert "no class has an item to leave out" in choice.because[0]


@pytest.mark.parametrize("each", [1, 3, 30])
def test_a_class_without_rows_and_one_with_a_single_row(each):
    data = some_rows(each=each)
    targets = np.insert(data.targets, 1, 0.0, axis=1)
    targets[0] = np.eye(4)[3]
    odd = TrainingRows(data.rows, targets, data.groups, data.scored, data.weights)
    choice = fit_heads(odd, classes=4)
    told = choice.head.probabilities(features(data))
    assert np.isfinite(told).all() and told[:, 1].max() < 1e-3
    json.dumps(choice.table, allow_nan=False)


def test_all_rows_of_one_group_still_give_a_head():
    choice = fit_heads(some_rows(each=15, groups=np.zeros(45, np.int64)), classes=3)
    assert choice.table == ()


def test_the_same_rows_give_the_same_head():
    one, two = (fit_heads(some_rows(each=40, width=64), classes=3).head for _ in range(2))
    assert all((one.as_arrays()[name] == two.as_arrays()[name]).all() for name in one.as_arrays())


def test_thousands_of_items_are_screened_by_a_part():
    data = some_rows(each=800, width=6)
    choice = fit_heads(data, classes=3, budget=0)
    assert choice.left_out_logits.shape == (2400, 3)


def test_penalties_of_many_items_are_compared_on_a_part_and_told_on_all(monkeypatch):
    """Asking about a part is exact: the fit is on all rows, and each group of the part is left out of that."""
    data = some_rows(each=200, width=6)
    within = coordinates(data, fit_scaling(data.rows, data.weights))
    path = ridge.path(data, within.scaling, penalties(within), within=within)
    truth, answerable = data.truth[data.scored], answerable_items(data)
    whole = best_of(path, truth, answerable)
    some = some_of(data, 100)
    rows = np.flatnonzero(np.isin(data.groups, some.groups))
    assert 90 <= len(rows) < 110 and set(some.truth) == set(data.truth)
    np.testing.assert_allclose(path.on(some).leave_one_out(3), path.leave_one_out(3)[rows], rtol=1e-9, atol=1e-9)  # fmt: skip
    monkeypatch.setattr("tutelage.heads.candidate.ENOUGH", 100)
    screened = best_of(path, truth, answerable)
    assert screened.logits.shape == whole.logits.shape
    assert screened.log_loss <= whole.log_loss + 0.01


def test_heads_that_are_asked_together_say_what_each_says_alone(monkeypatch):
    """One pass over the rows, turned once for ridge and LDA, which share their axes."""
    data = some_rows(each=100, width=40)
    within = coordinates(data, fit_scaling(data.rows, data.weights))
    paths = [make(data, within.scaling, penalties(within), within=within) for make in (nearest_mean.path, ridge.path, lda.path)]  # fmt: skip
    turned, along = [], GroupRows.along
    monkeypatch.setattr(GroupRows, "along", lambda self, axes: turned.append(along(self, axes)) or turned[-1])  # fmt: skip
    together = left_out(paths, [slice(0, 1), slice(2, 4), slice(3, 4)])
    assert [len(logits) for logits in together] == [1, 2, 1]
    assert turned[1] is turned[2] and turned[0] is not turned[1]
    for path, logits, first in zip(paths, together, (0, 2, 3), strict=True):
        for at, told in enumerate(logits):
            np.testing.assert_allclose(told, path.leave_one_out(first + at), rtol=1e-9, atol=1e-9)
    other = ridge.path(data, within.scaling, penalties(within))
    with pytest.raises(ValueError, match="same rows"):
        left_out([paths[0], other], [slice(0, 1)] * 2)


def test_many_items_choose_among_penalties_as_each_head_would_alone(monkeypatch):
    data = some_rows(each=200, width=6)
    within = coordinates(data, fit_scaling(data.rows, data.weights))
    paths = [make(data, within.scaling, penalties(within), within=within) for make in (nearest_mean.path, ridge.path, lda.path)]  # fmt: skip
    truth, answerable = data.truth[data.scored], answerable_items(data)
    monkeypatch.setattr("tutelage.heads.candidate.ENOUGH", 100)
    for path, found in zip(paths, best_of_each(paths, truth, answerable), strict=True):
        alone = best_of(path, truth, answerable)
        assert found.head.kind == path.kind and found.head.penalty == alone.head.penalty
        np.testing.assert_allclose(found.logits, alone.logits, rtol=1e-9, atol=1e-9)


def leaning(each=100):
    """Rows whose first feature tells classes best, and means nothing once the items are worn: bare, and with wear."""
    rng, truth = np.random.default_rng(0), np.repeat([0, 1], each)
    x = rng.normal(size=(2 * each, 12)).astype(np.float32)
    x[:, 0] += 4 * truth
    x[:, 1:4] += 1.5 * truth[:, None]
    worn = x.copy()
    worn[:, 0] += 6 * rng.normal(size=2 * each).astype(np.float32)
    bare = TrainingRows(ArrayRows(x), np.eye(2)[truth], np.arange(2 * each), np.ones(2 * each, bool), np.ones(2 * each))  # fmt: skip
    return bare, replace(bare, wear=Wear(x[:40], worn[:40])), worn


@pytest.mark.parametrize("kind", ["ridge", "lda", "logistic"])
def test_a_feature_that_wear_moves_is_not_relied_on(kind):
    bare, pressed, worn = leaning()
    right = {}
    for name, data in (("bare", bare), ("pressed", pressed)):
        scaling = fit_scaling(data.rows, data.weights)
        head = (ridge if kind == "ridge" else lda).path(data, scaling, [1.0]).head(0)
        head = logistic.refine(head, data, 1.0) if kind == "logistic" else head
        right[name] = [float((head.logits(rows).argmax(1) == data.truth).mean()) for rows in (features(data), worn)]  # fmt: skip
    assert right["bare"][0] > 0.98 and right["bare"][1] < 0.75
    assert right["pressed"][0] > 0.93 and right["pressed"][1] > right["bare"][1] + 0.1


def test_how_often_wear_changes_an_answer_is_told():
    bare, pressed, worn = leaning()
    assert not any("worn" in line for line in fit_heads(bare, classes=2).because)
    choice = fit_heads(pressed, classes=2)
    told = [choice.head.logits(rows[:40]).argmax(1) for rows in (features(bare), worn)]
    share = float((told[0] != told[1]).mean())
    assert share > 0
    assert f"answers {share:.1%} of 40 items differently once they are worn" in choice.because[-1]


def test_broken_features_and_targets_are_refused():
    data = some_rows()
    x = features(data).copy()
    x[5, 5] = np.nan
    broken = TrainingRows(ArrayRows(x), data.targets, data.groups, data.scored, data.weights)
    with pytest.raises(TrainingError, match="row 5"):
        fit_heads(broken, classes=3)
    soft = TrainingRows(data.rows, data.targets * 0.5, data.groups, data.scored, data.weights)
    with pytest.raises(DataError):
        fit_heads(soft, classes=3)
    with pytest.raises(DataError, match="4 classes"):
        fit_heads(data, classes=4)


@pytest.mark.parametrize(("groups", "each"), [(2, 505), (3, 1050), (4, 800)])
def test_a_few_large_groups_of_many_items_are_judged_by(groups, each):
    """A part of one group tells nothing left out: then more is looked at."""
    data = some_rows(each=each, classes=2, groups=np.arange(2 * each) % groups)
    choice = fit_heads(data, classes=2)
    assert choice.table and (choice.left_out_logits.argmax(1) == choice.left_out_truth).mean() > 0.8


def test_large_groups_of_one_class_each_are_judged_by():
    """Thirteen recordings a class: fourteen folds have one of each class, and nothing could be answered."""
    each = 7_000
    groups = np.repeat(np.arange(2) * 100, each) + np.tile(np.arange(each) % 13, 2)
    choice = fit_heads(some_rows(each=each, classes=2, width=6, groups=groups), classes=2)
    assert choice.table and np.isfinite([row["log_loss"] for row in choice.table]).all()
