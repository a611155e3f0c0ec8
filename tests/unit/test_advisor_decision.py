"""Gains, costs and the choice, against other ways to compute them; evidence against brute force."""

import importlib
import math
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from tutelage.advisor.choice import Option, choose
from tutelage.advisor.cost import Cost, half_octave
from tutelage.advisor.evidence import Evidence, learning_curve
from tutelage.advisor.gain import Gain, classical, expected_gains, kind_of, learn, shipped
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
    assert (
        readings[0].accuracy > readings[1].accuracy + 0.2
        and readings[0].log_loss < readings[1].log_loss
    )
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


def test_what_is_expected_follows_the_formula(lite0):
    found = evidence(accuracy=0.7, items=400)  # 40 a class
    assert classical("mid", found, 0.25) == pytest.approx(0.2 * 0.3 * 0.75 - 0.02 / 16)
    assert classical("full", found, 0.25) == pytest.approx(classical("mid", found, 0.25) - 0.005)
    fewer = evidence(accuracy=0.7, items=50)  # 5 a class: two halvings below 20
    assert classical("mid", fewer, None) == pytest.approx(0.2 * 0.3 * 0.5 - 0.02 / 4 - 0.06)
    cuts = contenders(lite0.card)
    assert expected_gains(found, 0.25, lite0.card, cuts)[cuts[-1]].mean == 0


def test_farther_and_more_never_mean_less_gain():
    gains = [classical("mid", evidence(items=n), near) for n in (50, 200, 800) for near in (0.9, 0.5, 0.1)]  # fmt: skip
    table = np.array(gains).reshape(3, 3)
    assert (np.diff(table, axis=0) >= 0).all() and (np.diff(table, axis=1) > 0).all()


def test_doubt_is_that_of_whole_data_sets_and_of_single_tasks():
    rng = np.random.default_rng(0)
    sets = {str(k): [(50.0, 0.02 * (-1) ** k + r, 0.0) for r in rng.normal(0, 0.01, 400)] for k in range(8)}  # fmt: skip
    sets["0"] += [(5.0, r, 0.0) for r in rng.normal(0, 0.05, 400)]
    doubt = learn(sets)
    assert doubt.error == pytest.approx(0.02 / math.sqrt(8), rel=0.05)
    assert doubt.spread == pytest.approx(math.hypot(0.02, 0.01), rel=0.05)
    assert doubt.few == pytest.approx(0.05, rel=0.1)
    noisy = learn({k: [(e, r, 0.01) for e, r, _ in rows] for k, rows in sets.items()})
    assert noisy.spread == pytest.approx(0.02, rel=0.05)


def test_the_shipped_doubts_are_whole():
    for kind in ("late", "mid", "full", "deep"):
        doubt = shipped()[kind]
        assert 0 < doubt.error < 0.05 and 0 < doubt.spread <= doubt.few < 0.3


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
