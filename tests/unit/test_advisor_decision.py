"""Gains, costs and the choice, against other ways to compute them; evidence against brute force."""

import importlib
import math
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import BayesianRidge, Ridge
from sklearn.preprocessing import StandardScaler

from tutelage.advisor.choice import Option, choose
from tutelage.advisor.cost import Cost, half_octave
from tutelage.advisor.evidence import Evidence, learning_curve
from tutelage.advisor.gain import FEATURES, Gain, expected_gains, kind_of, learn, shipped
from tutelage.advisor.readings import ALL, Reading, left_out_head, read_stages, side_by_side
from tutelage.errors import UsageError
from tutelage.heads.rows import ArrayRows, TrainingRows
from tutelage.teachers.cuts import contenders, interior_cut, tapped


def rows(table, labels):
    n = len(labels)
    return TrainingRows(ArrayRows(table), np.eye(labels.max() + 1)[labels], np.arange(n), np.ones(n, bool), np.ones(n))  # fmt: skip


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    middle = rng.normal(size=(90, 12)) + 1.2 * np.eye(12)[labels]
    last = rng.normal(size=(90, 20))
    return middle.astype(np.float32), last.astype(np.float32), labels


# The readings


def test_a_reading_is_ridge_refitted_without_each_item(task):
    middle, _, labels = task
    found = left_out_head(middle, rows(middle, labels))
    z = StandardScaler().fit_transform(middle.astype(float))
    right = []
    for i in range(len(z)):
        rest = np.arange(len(z)) != i
        model = Ridge(alpha=found.head.penalty).fit(z[rest], np.eye(3)[labels[rest]])
        right.append(model.predict(z[i : i + 1]).argmax() == labels[i])
    assert found.correct.tolist() == right


def test_the_readings_see_which_stage_knows_more(task):
    middle, last, labels = task
    readings = read_stages({"middle": middle, "last": last}, rows(middle, labels))
    assert [reading.stage for reading in readings] == ["middle", "last", ALL]
    assert readings[0].accuracy > readings[1].accuracy + 0.2 and readings[0].log_loss < readings[1].log_loss
    assert all(reading.gap >= -0.02 for reading in readings) and readings[1].gap > 0.1


def test_side_by_side_gives_every_stage_the_same_variance(task):
    middle, last, _ = task
    both = side_by_side([middle, last])
    assert both[:, :12].var(0).sum() == pytest.approx(1, rel=1e-4)
    assert both[:, 12:].var(0).sum() == pytest.approx(1, rel=1e-4)


def test_the_learning_curve_falls_and_says_so(task):
    middle, _, labels = task
    curve, told = learning_curve(middle, rows(middle, labels))
    assert curve is not None and curve.items == 90 and "twice as many" in told
    curve, told = learning_curve(middle[:12], rows(middle[:12], labels[:12]))
    assert curve is None and "too few" in told


def evidence(**more):
    readings = (Reading("a", 0.7, 200, 0.9, 0.8), Reading("b", 0.6, 200, 1.0, 0.9), Reading(ALL, 0.72, 200, 0.8, 0.95))  # fmt: skip
    facts = {"items": 200, "classes": 10, "views": 2, "accuracy": 0.7, "judged": 200, "log_loss": 0.9, "head": "ridge",
             "reads": 3, "readings": readings, "curve": None, "curve_told": "too few"}  # fmt: skip
    return Evidence(**{**facts, **more})


def test_evidence_survives_json_and_derives_its_figures():
    found = evidence()
    again = Evidence.from_json(found.as_json())
    assert again == found
    assert found.middle == pytest.approx(0.12) and found.middle_loss == pytest.approx(0.2)
    assert found.gap == pytest.approx(0.3) and found.headroom == pytest.approx(0.3)


# Gains


def test_learning_gains_agrees_with_scikit_learn_where_noise_is_equal():
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(80), rng.normal(size=(80, 5))])
    truth = np.array([0.01, 0.03, 0, -0.02, 0, 0.01])
    y = x @ truth + rng.normal(0, 0.01, 80)
    fit = learn(x, y, np.zeros(80))
    other = BayesianRidge().fit(x[:, 1:], y)
    assert np.abs(fit.weights[1:] - other.coef_).max() < 0.003
    assert fit.noise == pytest.approx(0.01, rel=0.6)
    near, far = fit.gain(x.mean(0)), fit.gain(10 * x[0])
    assert near.error < far.error and near.spread > near.error


def test_no_more_than_the_headroom_can_be_won(lite0):
    cuts = contenders(lite0.card)
    gains = expected_gains(evidence(accuracy=0.99), None, lite0.card, cuts)
    assert all(gain.mean <= 0.01 + 1e-12 for gain in gains.values())
    assert gains[cuts[-1]].mean == 0


def test_the_shipped_fits_are_whole():
    for kind in ("late", "mid", "full"):
        fit = shipped()[kind]
        assert fit.weights.shape == (len(FEATURES),) and fit.noise > 0
        assert np.linalg.eigvalsh(fit.covariance).min() > 0


# Cuts


def test_contenders_differ_in_price(lite0):
    card, cuts = lite0.card, contenders(lite0.card)
    assert cuts[0] == 0 and cuts[-1] == 10 and len(cuts) == 4
    assert [kind_of(card, cut) for cut in cuts] == ["full", "mid", "late", "deep"]
    assert card.share(cuts[1]) <= 0.45 < card.share(cuts[1] + 1)
    assert card.share(cuts[2]) <= 0.9 < card.share(cuts[2] + 1)
    assert interior_cut(card) == cuts[1]
    assert set(tapped(card)) == set(range(1, 9))  # pooling's own input is what the features are


def test_a_network_of_one_stage_has_two_cuts():
    stage = SimpleNamespace(shape=(5,), parameters=3, macs=1)
    card = SimpleNamespace(stages=(stage,), width=5, share=lambda k: float(k))
    assert contenders(card) == (0, 1) and tapped(card) == ()


# The choice


def option(cut, gain, error, seconds):
    return Option(cut, f"s{cut}" if cut else None, 0.8 + gain, 0.03, Gain(gain, error, 2 * error + 0.01), Cost(cut, seconds, 1.0, 1.0))  # fmt: skip


@pytest.mark.parametrize(
    ("late", "mid", "budget", "cut"),
    [
        ((-0.01, 0.01), (-0.02, 0.01), math.inf, 10),
        ((0.05, 0.01), (0.052, 0.01), math.inf, 7),
        ((0.01, 0.01), (0.06, 0.01), math.inf, 5),
        ((0.004, 0.01), (0.008, 0.01), math.inf, 10),
        ((0.05, 0.01), (0.09, 0.01), 20, 7),
        ((0.05, 0.01), (0.09, 0.01), 1, 10),
        ((0.05, 0.01), (0.09, 0.01), -5, 10),
    ],
)
def test_the_cheapest_within_one_standard_error_of_the_best_that_is_affordable(late, mid, budget, cut):  # fmt: skip
    options = [option(0, -0.05, 0.01, 90), option(5, *mid, 30), option(7, *late, 5), option(10, 0.0, 0.0, 0)]  # fmt: skip
    chosen, why_not = choose(options, budget)
    assert chosen.cut == cut
    assert set(why_not) == {0, 5, 7, 10} - {cut} and all(why_not.values())


def test_half_octaves():
    assert half_octave(8.0) == 8 and half_octave(8.2) == 8 and half_octave(11) == pytest.approx(11.3137, rel=1e-4)  # fmt: skip


def test_what_the_user_fixed_stands_and_nothing_is_weighed(lite0, monkeypatch):
    room = importlib.import_module("tutelage.advisor.advise")
    monkeypatch.delattr(room, "evidence_of")
    lesson = SimpleNamespace(teacher=lite0, chosen=SimpleNamespace(because=()))
    made = room.advise(lesson, freeze="blocks.3")
    assert (made.mode, made.cut, made.asked) == ("mid", 5, True)
    assert room.advise(lesson, mode="scratch").cut is None
    assert room.advise(lesson, keep_classes=True).mode == "deep"
    with pytest.raises(UsageError):
        room.advise(lesson, freeze="all", mode="full")
