"""Who stays among teachers: scores by hand, paired errors against statsmodels' formula, rules on made-up trials."""

import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from tutelage.advisor import contest
from tutelage.advisor.contest import Trial, dropped, leader, paired, priors, scores
from tutelage.advisor.subset import rounds_of, subset
from tutelage.evaluation.compare import Z95, paired_difference


def trial(name, right, n, *, top1=None, cost=1.0, offset=0):
    """The first ``right`` items after ``offset`` are right."""
    correct = np.zeros(n, bool)
    correct[offset : offset + right] = True
    return Trial(name, correct, top1, cost)


def logit(p):
    return math.log(p / (1 - p))


# The score


def test_the_score_by_hand():
    a, b = trial("a", 80, 100, top1=0.75), trial("b", 60, 100, top1=0.55)
    measured = [logit(80.5 / 101), logit(60.5 / 101)]
    level = sum(measured) / 2
    half = contest.SLOPE * (logit(0.75) - logit(0.55)) / 2
    wanted = [level + half, level - half]
    assert [logit(p) for p in priors([a, b])] == pytest.approx(wanted)
    mixed = [(100 * m + 150 * w) / 250 for m, w in zip(measured, wanted, strict=True)]
    assert [logit(q) for q in scores([a, b])] == pytest.approx(mixed)


def test_the_prior_is_of_differences_only_and_fades_with_items():
    few = [trial("a", 8, 10, top1=0.6), trial("b", 8, 10, top1=0.8)]
    many = [trial("a", 1600, 2000, top1=0.6), trial("b", 1600, 2000, top1=0.8)]
    gaps = [scores(pair)[1] - scores(pair)[0] for pair in (few, many)]
    assert gaps[0] > 3 * gaps[1] > 0
    alike = [trial("a", 8, 10, top1=0.3), trial("b", 8, 10, top1=0.3)]
    silent = [trial("a", 8, 10), trial("b", 8, 10)]
    assert scores(alike) == pytest.approx(scores(silent))


def test_without_a_published_figure_a_teacher_stands_at_the_mean_of_the_others():
    three = [trial("a", 8, 10, top1=0.6), trial("b", 8, 10, top1=0.8), trial("c", 8, 10)]
    low, high, middle = (logit(p) for p in priors(three))
    assert middle == pytest.approx((low + high) / 2)


def test_all_right_and_all_wrong_are_finite():
    told = scores([trial("a", 50, 50, top1=1.0), trial("b", 0, 50, top1=0.0)])
    assert 0 < told[1] < told[0] < 1


def test_much_evidence_beats_the_prior():
    own, famous = trial("own", 1900, 2000), trial("famous", 1700, 2000, top1=0.9)
    assert leader([own, famous]) == 0


# Paired


def test_paired_is_the_interval_of_evaluation_compare():
    rng = np.random.default_rng(0)
    a, b = rng.random(200) < 0.8, rng.random(200) < 0.7
    gap, error = paired(a, b)
    wanted, low, high = paired_difference(a, b)
    assert gap == pytest.approx(wanted)
    assert 2 * Z95 * error == pytest.approx(high - low)


# Who goes


def test_the_worse_one_goes_and_one_that_may_be_as_good_stays():
    best, close, far = trial("best", 90, 100), trial("close", 88, 100), trial("far", 70, 100)
    gone = dropped([far, best, close], 100)
    assert list(gone) == [0]
    assert "20.0 points fewer right than best" in gone[0]


def test_it_is_the_paired_difference_that_counts():
    """80 against 90 of 100: nested mistakes tell them apart, mistakes elsewhere do less."""
    nested = [trial("best", 90, 100), trial("other", 80, 100)]
    apart = [trial("best", 90, 100), trial("other", 80, 100, offset=20)]
    assert list(dropped(nested, 100)) == [1]
    z = paired(apart[1].correct, apart[0].correct)
    assert z[0] / z[1] > paired(nested[1].correct, nested[0].correct)[0] / paired(nested[1].correct, nested[0].correct)[1]  # fmt: skip


def test_three_mistakes_of_fifteen_prove_nothing():
    assert dropped([trial("a", 15, 15), trial("b", 12, 15)], 15) == {}


@pytest.mark.parametrize(("cost", "right", "goes"), [(2.9, 91, True), (1.9, 91, False), (2.9, 93, False)])  # fmt: skip
def test_a_dear_teacher_goes_unless_it_is_better_by_a_standard_error(cost, right, goes):
    dear, cheap = trial("dear", right, 100, cost=cost), trial("cheap", 90, 100)
    gone = dropped([dear, cheap], 100)
    assert (0 in gone) is goes and 1 not in gone
    if goes:
        assert "2.9 times the cost of cheap" in gone[0]


def test_before_the_last_round_a_dear_teacher_is_given_the_benefit_of_more_items():
    dear, cheap = trial("dear", 91, 100, cost=4.0), trial("cheap", 90, 100)
    assert 0 in dropped([dear, cheap], 100)
    assert dropped([dear, cheap], 1600) == {}


def test_a_cheap_bad_teacher_does_not_make_a_dear_good_one_go():
    good, bad = trial("good", 95, 100, cost=9.0), trial("bad", 60, 100)
    assert list(dropped([good, bad], 100)) == [1]


def test_costs_are_weighed_against_the_cheapest_that_is_close_to_the_leader():
    dear, fair, cheap = trial("dear", 95, 100, cost=9.0), trial("fair", 95, 100, cost=3.0), trial("cheap", 92, 100)  # fmt: skip
    gone = dropped(
        [cheap, dear, fair], 100
    )  # cheap is worse than either by more than a standard error
    assert list(gone) == [1] and "3.0 times the cost of fair" in gone[1]


def test_never_all_go():
    rng = np.random.default_rng(1)
    for _ in range(300):
        n = int(rng.integers(0, 60))
        trials = [
            Trial(str(i), rng.random(n) < rng.random(), None, float(2.0 ** rng.integers(0, 8)))
            for i in range(rng.integers(1, 6))
        ]
        assert len(dropped(trials, 60)) < len(trials)


def test_where_nothing_was_measured_the_prior_decides_and_nobody_goes():
    empty = np.zeros(0, bool)
    two = [Trial("a", empty, 0.6, 1.0), Trial("b", empty, 0.8, 9.0)]
    assert dropped(two, 500) == {} and leader(two) == 1


def test_of_equals_the_cheaper_leads():
    assert leader([trial("dear", 9, 10, cost=2.0), trial("cheap", 9, 10)]) == 1


# The subset


def some_data(sizes):
    labels = [name for name, n in sizes.items() for _ in range(n)]
    rng = np.random.default_rng(0)
    digests = tuple(rng.bytes(32).hex() for _ in labels)
    examples = tuple(SimpleNamespace(label=label) for label in labels)
    return SimpleNamespace(dataset=SimpleNamespace(examples=examples), digests=digests), labels


def test_every_beginning_of_the_subset_has_each_class_in_its_share():
    checked, labels = some_data({"a": 900, "b": 90, "c": 10})
    order = subset(checked, range(1000))
    assert len(order) == len(set(order)) == 500
    for size in (10, 125, 500):
        counts = Counter(labels[i] for i in order[:size])
        assert min(counts.values()) >= 2
        for name, share in (("a", 0.9), ("b", 0.09), ("c", 0.01)):
            assert abs(counts[name] - share * size) <= 3


@pytest.mark.parametrize(
    ("n", "classes", "size"), [(90, 3, 90), (900, 3, 500), (900, 30, 600), (6000, 200, 2000)]
)
def test_its_size(n, classes, size):
    checked, _ = some_data({str(c): n // classes for c in range(classes)})
    assert len(subset(checked, range(n))) == size


def test_only_training_items_and_the_same_ones_whatever_their_order():
    checked, _ = some_data({"a": 40, "b": 40})
    train = list(range(0, 80, 2))
    order = subset(checked, train)
    assert sorted(order) == train and subset(checked, train[::-1]) == order


def test_rounds():
    assert rounds_of(500, 6) == (125, 500)
    assert rounds_of(2000, 101) == (500, 2000)
    assert rounds_of(1212, 101) == (303, 1212)
    assert rounds_of(2000, 300) == (900, 2000)
    assert rounds_of(90, 3) == (90,)
    assert rounds_of(200, 100) == (200,)
