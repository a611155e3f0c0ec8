"""The parts of a comparison that need no fit: budget, speed-up, data saved, verdict, drawing."""

import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tutelage.advisor.curve import Curve
from tutelage.comparison.attempt import Attempt
from tutelage.comparison.original import Original
from tutelage.comparison.page import render
from tutelage.comparison.plan import budget, make_plan
from tutelage.comparison.saved import data_saved, needed
from tutelage.comparison.speed import reached, ready, speed_up, timeline
from tutelage.comparison.verdict import verdict
from tutelage.errors import UsageError
from tutelage.report.charts import intervals
from tutelage.report.page import arms
from tutelage.training import FitOptions

# -- attempts as their logs tell them --------------------------------------------------------------


def epochs(*points, start=0):
    return [{"epoch": start + i, "validation_accuracy": a, "at": at} for i, (at, a) in enumerate(points)]  # fmt: skip


def attempt(arm, log=(), accuracy=0.9, seed=0, decoded=100, shipped=None):
    results = {
        "mode": shipped or arm, "test": {"accuracy": accuracy}, "counters": {"decoded": decoded},
        "split": {"train": 80, "test": 20}, "seconds": {"total": 1.0},
    }  # fmt: skip
    return Attempt(arm, seed, 1.0, Path("run"), results, {"a": True}, tuple(log))


SCRATCH = attempt("scratch", epochs((1, 0.1), (10, 0.5), (20, 0.7), (30, 0.6), (40, 0.65)), 0.6)


def test_a_timeline_is_that_of_the_last_tuning():
    log = [{"phase": "check", "seconds": 1, "at": 1}, *epochs((2, 0.3), (3, 0.4)), *epochs((5, 0.35), (6, 0.5))]  # fmt: skip
    assert timeline(log) == [(5.0, 0.35), (6.0, 0.5)]
    assert timeline([{"epoch": 0, "validation_accuracy": 0.3}]) == [], "an older log has no clock"
    assert reached([(5.0, 0.35), (6.0, 0.5)], 0.6) is None


def test_a_tuned_student_is_timed_on_the_validation_items():
    """Scratch ended with 0.65, which it first had after 20 s; the student had it after 4 s."""
    student = attempt("mid", epochs((2, 0.4), (4, 0.66), (6, 0.9)))
    told, sentence = speed_up([student], [SCRATCH])
    assert told == {"factor": 5.0, "seconds": 4.0, "scratch_seconds": 20.0}
    assert "5.0 times sooner: after 4.0 s, not 20.0 s" in sentence


def test_a_head_alone_counts_when_it_is_ready():
    log = [{"phase": "head", "seconds": 2.0, "at": 2.5}, {"phase": "evaluate", "seconds": 0.5, "at": 3.0}]  # fmt: skip
    assert ready(log) == 2.5 and ready([]) is None
    assert speed_up([attempt("deep", log, 0.6)], [SCRATCH])[0]["factor"] == 20 / 2.5
    told, why = speed_up([attempt("deep", log, 0.5)], [SCRATCH])
    assert told is None and "did not reach" in why


def test_tuning_that_the_guard_threw_away_does_not_count():
    student = attempt("mid", epochs((2, 0.66), (4, 0.7)), shipped="deep")
    assert speed_up([student], [SCRATCH])[0]["seconds"] == 2.0
    assert speed_up([replace(student, log=tuple(epochs((2, 0.4), (4, 0.7))))], [SCRATCH])[0] is None


def test_runs_that_found_their_features_in_the_cache_are_not_timed():
    student = attempt("mid", epochs((0.1, 0.9)), decoded=0)
    told, why = speed_up([student], [SCRATCH])
    assert told is None and "cache" in why


def test_a_slower_student_is_called_slower():
    told, sentence = speed_up([attempt("mid", epochs((50, 0.9)))], [SCRATCH])
    assert told["factor"] == 0.4 and sentence.startswith("Scratch had its final accuracy 2.5 times sooner")  # fmt: skip


# -- data saved ------------------------------------------------------------------------------------


def test_the_curve_is_followed_to_the_students_error():
    """error = 0.05 + 2 / sqrt(n): 0.25 at 100, where the student has 0.15, as the curve has at 400."""
    sizes = [25, 50, 100]
    errors = [0.05 + 2 / math.sqrt(n) for n in sizes]
    told, sentence = data_saved(sizes, errors, [0.001] * 3, (0.15, 0.001))
    assert told["has"] == 100 and told["needed"] == pytest.approx(400, rel=0.15)
    assert told["more"] == told["needed"] - 100 and not told["at_least"]
    assert told["low"] < 4 < told["high"] and f"{told['needed']:,} instead of 100" in sentence


def test_beyond_ten_times_nothing_is_told():
    sizes = [100, 200, 400]
    told, sentence = data_saved(sizes, [0.5, 0.45, 0.42], [0.02] * 3, (0.05, 0.01))
    assert told["at_least"] and told["high"] is None and told["times"] == 10 and "more than 10 times" in sentence  # fmt: skip
    assert math.isinf(needed(Curve(0.1, 1.0, 0.5, 100, 0.0, 0.0, 0.0), 0.1))


def test_no_data_is_saved_by_a_student_that_is_not_better():
    told, why = data_saved([25, 50, 100], [0.5, 0.4, 0.3], [0.01] * 3, (0.3, 0.01))
    assert told is None and "not more accurate" in why
    told, why = data_saved([25, 50, 100], [0.3, 0.4, 0.5], [0.01] * 3, (0.1, 0.01))
    assert told is None and "does not fall" in why


# -- the plan --------------------------------------------------------------------------------------


def original(mode="mid", cut=5, seconds=42.0, **options):
    results = {"mode": mode, "cut": {"index": cut, "stage": "x"}, "teacher": "efficientnet_lite0", "seconds": {"total": seconds}}  # fmt: skip
    return Original(Path("runs/fit/photos"), "/photos", FitOptions(**options), results, "d", False)


def test_the_own_mode_is_always_an_arm_and_keeps_its_cut():
    plan = make_plan(original(seed=7), ["scratch", "deep"], 3, None, None, False)
    assert plan.modes == ("deep", "mid", "scratch") and plan.seeds == (7, 8, 9)
    assert plan.seeds_of("deep") == (7,) and plan.seeds_of("mid") == (7, 8, 9)
    asked = original(keep_classes=True).asked("mid", 8, 60.0)
    assert (asked.freeze, asked.mode, asked.seed, asked.time_limit, asked.keep_classes) == ("5", None, 8, 60.0, False)  # fmt: skip
    other = original(teacher="resnet50").asked("full", 0, None)
    settled = original(teachers="resnet50,efficientnet_lite0").asked("deep", 0, None)
    assert (settled.teacher, settled.teachers) == ("efficientnet_lite0", None), "chosen once"
    assert (other.freeze, other.mode, other.teacher) == ("auto", "full", "resnet50")


def test_scratch_may_take_as_long_as_the_dearest_transfer_run():
    plan = make_plan(original(seconds=20.0), ["mid", "scratch"], 3, None, None, False)
    slow = replace(attempt("mid"), log=({"done": True, "at": 33.0},))
    assert budget(plan, [attempt("mid"), slow])[0] == 33.0
    assert budget(plan, [attempt("mid")])[0] == 20.0
    assert budget(replace(plan, original=original(seconds=2.0)), [attempt("mid")])[0] == 10.0
    assert budget(replace(plan, time_limit=5.0), [slow])[0] == 5.0


@pytest.mark.parametrize(
    ("modes", "seeds", "curve", "told"),
    [
        (["deep", "scrach"], 3, False, "--modes deep,scratch"), ([], 3, False, "--modes deep,mid"),
        (["deep"], 0, False, "--seeds 3"), (["deep"], 3, True, "--modes deep,scratch --curve"),
    ],
)  # fmt: skip
def test_what_was_asked_wrongly_is_told_with_what_to_type(modes, seeds, curve, told):
    with pytest.raises(UsageError) as error:
        make_plan(original(), modes, seeds, None, None, curve)
    assert told in error.value.next


# -- the verdict -----------------------------------------------------------------------------------


def arm(mode, accuracy=0.8, own=False, seeds=3, shipped=None, stopped=None):
    runs = [{"seed": s, "accuracy": accuracy, "seconds": 9.0, "shipped": mode, "train": 80, "stopped": stopped, "cold": True, "run": "r"} for s in range(seeds)]  # fmt: skip
    return {
        "mode": mode, "own": own, "cut": None, "accuracy": accuracy, "low": accuracy - 0.1, "high": min(1.0, accuracy + 0.1),
        "seconds": 9.0, "seeds": seeds, "shipped": shipped or {mode: seeds}, "runs": runs,
    }  # fmt: skip


def figures(gain=(30, 20, 40), tuned=(5, 1, 9), own="mid", **other):
    points, low, high = gain
    helps = "helps" if low > 0 else "harms" if high < 0 else "unclear"
    return {
        "schema": 1, "run": "runs/compare/photos", "of": "runs/fit/photos", "teacher": "lite0", "mode": own,
        "test": {"n": 150, "part": "test", "groups": None}, "seeds": [0, 1, 2], "budget": {"seconds": 42.0, "because": "each run of scratch had 42 s"},
        "arms": [arm("deep", own=own == "deep", seeds=1), arm("mid", 0.85, own == "mid"), arm("scratch", 0.5)],
        "gain": {"mode": own, "over": "scratch", "points": points, "low": low, "high": high, "p": 0.01, "n": 150, "helps": helps},
        "pairs": [
            {"a": "mid", "b": "deep", **dict(zip(("points", "low", "high"), tuned, strict=True)), "p": 0.1, "p_holm": 0.2},
            {"a": "scratch", "b": own, "points": -points, "low": -high, "high": -low, "p": 0.01, "p_holm": 0.03},
        ],
        "speed_up": None, "data_saved": None, "reasons": {"gain": None, "speed_up": "no", "data_saved": "no"},
        "warnings": [], "method": "m", **other,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("gain", "sentence"),
    [
        ((30, 20, 40), "Transfer helps: +30.0 points (95 % interval +20.0 to +40.0) over scratch"),
        ((3, -2, 8), "It cannot be told whether transfer helps: +3.0 points"),
        ((-2, -8, 3), "Transfer does not help here: -2.0 points"),
        ((-20, -30, -10), "Transfer harms here: -20.0 points"),
    ],
)
def test_help_and_harm_against_scratch(gain, sentence):
    said = verdict(figures(gain))
    assert said[0].startswith(sentence)
    assert ("--mode scratch" in said[0]) == (gain[2] < 0)


def test_a_tuned_mode_that_is_worse_than_the_frozen_head():
    assert any("Tuning harms here: mid is -4.0" in s and "--mode deep" in s for s in verdict(figures(tuned=(-4, -7, -1))))  # fmt: skip
    assert any("Tuning does not help here" in s for s in verdict(figures(tuned=(-1, -4, 2))))
    assert not any("Tuning" in s for s in verdict(figures()))
    same = figures(tuned=(0, -2, 2))
    same["arms"][1]["shipped"] = {"deep": 3}
    said = verdict(same)
    assert any("In 3 of 3 runs of mid the guard" in s for s in said)
    assert not any("Tuning does" in s for s in said), "it shipped the same head"


def test_a_better_mode_is_named():
    said = verdict(figures(own="deep"))
    assert any("mid is better than this run's deep: +5.0 points" in s and "--mode mid" in s for s in said)  # fmt: skip


def test_the_budget_and_what_it_cut_off_is_told():
    told = figures()
    assert any("42 s; it finished its recipe" in s for s in verdict(told))
    told["arms"][2] = arm(
        "scratch", 0.5, stopped="the time limit ended tuning after 7 of 60 epochs"
    )
    assert any("in 3 of 3 runs the time limit ended tuning after 7 of 60 epochs" in s for s in verdict(told))  # fmt: skip


def test_without_scratch_nothing_is_claimed():
    told = figures(gain=(1, 0, 2)) | {"gain": None}
    told["reasons"]["gain"] = "scratch is not among the modes"
    assert verdict(told)[0] == "Nothing is said of training from scratch: scratch is not among the modes."  # fmt: skip


# -- the page --------------------------------------------------------------------------------------


def test_the_drawing_tells_every_arm_to_who_does_not_see_it():
    drawn = ElementTree.fromstring(str(intervals(arms(figures()), "Accuracy of each arm")))  # fmt: skip
    told = {child.tag: child.text for child in drawn}
    assert drawn.get("role") == "img" and told["title"] == "Accuracy of each arm"
    for arm in figures()["arms"]:
        assert f"{arm['mode']} {arm['accuracy']:.1%}" in told["desc"]


def test_the_page_stands_alone_and_escapes():
    told = figures(teacher="<b>lite0</b>")
    page = render(told | {"verdict": verdict(told)})
    assert "://" not in page and "<script" not in page and "<b>lite0" not in page
    assert "&lt;b&gt;lite0" in page and page.count("<svg") == 1
