"""Metrics against scikit-learn, published values and loops written out."""

import json
import math

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_recall_fscore_support
from sklearn.metrics import brier_score_loss as sklearn_brier
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import log_loss as sklearn_log_loss

from tutelage.errors import DataError, NotYetError, TrainingError, UsageError
from tutelage.evaluation.metrics import evaluate, wilson
from tutelage.evaluation.task import SINGLE, task_named


def some_predictions(seed, n=300, classes=4):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[truth]
    table = np.exp(logits)
    return table / table.sum(1, keepdims=True), truth


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_is_the_published_one(successes, n, low, high):
    assert wilson(successes, n) == pytest.approx((low, high), abs=6e-5)


def test_wilson_of_nothing_is_everything():
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("seed", range(3))
def test_figures_agree_with_scikit_learn(seed):
    table, truth = some_predictions(seed)
    guess, names = table.argmax(1), list("abcd")
    found = evaluate(table, truth, names)
    assert found["accuracy"] == pytest.approx((guess == truth).mean())
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, guess))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, guess, average="macro"))
    assert found["log_loss"] == pytest.approx(sklearn_log_loss(truth, table))
    assert found["brier"] == pytest.approx(sklearn_brier(truth, table, scale_by_half=False))
    assert found["confusion"] == sklearn_confusion(truth, guess).tolist()
    expected = precision_recall_fscore_support(truth, guess)
    for column, name in enumerate(names):
        row = found["per_class"][name]
        told = [row["precision"], row["recall"], row["f1"], row["n"]]
        assert told == pytest.approx([figure[column] for figure in expected])


def test_a_class_without_items_is_null_and_nothing_is_nan():
    table = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.9, 0.0]])
    found = evaluate(table, [0, 1, 1], ["a", "b", "never"])
    assert found["per_class"]["never"] == {"precision": None, "recall": None, "f1": None, "n": 0}
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    json.dumps(found, allow_nan=False)


def test_certain_and_wrong_costs_much_but_not_infinitely():
    found = evaluate([[1.0, 0.0]], [1], ["a", "b"])
    assert found["log_loss"] == pytest.approx(-math.log(1e-12))


def test_coverage_keeps_the_most_confident_items():
    table, truth = some_predictions(7, n=50)
    confidence, right = table.max(1), table.argmax(1) == truth
    points = evaluate(table, truth, list("abcd"))["coverage"]
    assert points[0]["coverage"] == 1.0
    for point in points:
        kept = confidence >= point["threshold"]
        assert kept.mean() == pytest.approx(point["coverage"])
        assert right[kept].mean() == pytest.approx(point["accuracy"])


def test_no_items_and_broken_numbers_are_refused():
    with pytest.raises(DataError):
        evaluate(np.zeros((0, 2)), [], ["a", "b"])
    with pytest.raises(TrainingError):
        evaluate([[math.nan, 1.0]], [0], ["a", "b"])


def test_targets_are_one_hot_in_the_order_of_the_classes():
    assert SINGLE.targets(["b", "a", "b"], ["a", "b"]).tolist() == [[0, 1], [1, 0], [0, 1]]
    assert SINGLE.targets([], ["a", "b"]).shape == (0, 2)


def test_unknown_labels_are_all_named():
    with pytest.raises(DataError, match=r"'wasp', 'yak'"):
        SINGLE.targets(["bee", "yak", "wasp"], ["ant", "bee"])


def test_tasks_have_names_and_two_are_not_there_yet():
    assert task_named(SINGLE.as_json()) is SINGLE
    for name in ("multi", "number"):
        with pytest.raises(NotYetError):
            task_named(name)
    with pytest.raises(UsageError):
        task_named("regression")


def test_condensed_tables_keep_the_figures_and_name_the_own_classes():
    from tutelage.evaluation.metrics import condensed

    names = ("a", "b", "x", "y", "z")
    truth = np.array([0, 0, 0, 1, 1])
    told = np.array([0, 0, 3, 1, 4])
    table = np.full((5, 5), 0.05)
    table[np.arange(5), told] = 0.8
    whole = evaluate(table, truth, names)
    small = condensed(whole, 2)
    assert small["accuracy"] == whole["accuracy"] == 0.6
    assert list(small["per_class"]) == ["a", "b", "another class"]
    assert small["confusion"] == [[2, 0, 1], [0, 1, 1], [0, 0, 0]]
    assert small["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
