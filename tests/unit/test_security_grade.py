"""The grade's rule, the self-tests that refuse one, intervals, and the cache of crafted sets."""

import numpy as np
import pytest

from tutelage.evaluation.metrics import wilson
from tutelage.security.crafted import crafted
from tutelage.security.figures import Findings, _blame, _gap
from tutelage.security.fingerprint import gini
from tutelage.security.grade import GRADES, grade, rule
from tutelage.security.reference import Reference
from tutelage.security.rows import Row, worst
from tutelage.security.selftests import Evidence, self_tests


@pytest.mark.parametrize(
    ("targeted", "untargeted", "gap", "wanted"),
    [
        (0.5, 0.0, 0.5, "critical"), (0.0, 0.8, 0.5, "critical"), (0.49, 0.79, 0.5, "high"), (0.2, 0.0, None, "high"),
        (0.05, 0.1, 0.5, "medium"), (0.0, 0.2, 0.5, "medium"), (0.04, 0.19, 0.5, "low"),
        (0.9, 0.9, 0.04, "high"), (0.3, 0.3, 0.0, "medium"), (0.0, 0.0, 0.0, "low"),
    ],
)  # fmt: skip
def test_the_grade_follows_its_rule(targeted, untargeted, gap, wanted):
    assert grade(targeted, untargeted, gap).grade == wanted
    assert all(f"{name}" in rule("/255", 4) for name in GRADES)


def row(attack="mimic", success=5, n=10, **more):
    fooled = np.zeros(n)
    fooled[:success] = 1
    return Row(
        **{"threat": "T1", "cut": 3, "budget": 4.0, "targeted": False, **more},
        attack=attack,
        fooled=fooled,
    )


def test_a_row_has_wilsons_interval_and_the_worst_row_is_a_teacher_only_one():
    rows = [
        row(success=5),
        row("displace", 7),
        row("pgd", 10, threat="T3"),
        row("mimic", 9, budget=8.0),
    ]
    assert rows[0].as_json()["low"], rows[0].as_json()["high"] == wilson(5, 10)
    assert worst(rows, targeted=False, budget=4.0) is rows[1]
    assert worst(rows, targeted=True, budget=4.0) is None


def test_luck_on_few_items_does_not_make_a_row_the_worst():
    many, few = row("copy", 163, 190), row("copy", 41, 47, cut=2)
    assert few.success > many.success and worst([many, few], targeted=False, budget=4.0) is many


@pytest.mark.parametrize(
    ("low", "points", "high", "said"),
    [(8, 20, 32, "is inherited"), (-2, 15, 30, "too few to tell"), (-3, 1, 5, "is not the teacher's"), (1, 3, 9, "is not the teacher's")],
)  # fmt: skip
def test_what_an_interval_leaves_open_is_not_told(low, points, high, said):
    assert said in _blame({"low": low, "points": points, "high": high, "n": 32})


def found(own, control):
    return Findings([own], [control], Reference((), evidence()), [])


def test_the_gap_is_of_the_items_that_both_were_tried_on():
    own, control = row(success=30, n=40), row("noise", 12, 60, threat="control")
    told = _gap(found(own, control), 4.0)
    assert told["n"] == 40 and told["points"] == pytest.approx(100 * (30 - 12) / 40)
    assert told["low"] < told["points"] < told["high"]
    assert _gap(found(own, row("noise", 0, 0, threat="control")), 4.0) is None


def evidence(**more):
    rows = (
        row(success=4, residual=0.4),
        row(success=9, budget=8.0, residual=0.3),
        row("pgd", 10, threat="T3"),
    )
    sound = {
        "rows": rows,
        "nothing": 0.0,
        "sanity": (1.0, 32.0),
        "white": 1.0,
        "square": 0.5,
        "teacher": 0.9,
        "count": 100,
        "slopes": np.ones(16),
        "random": False,
    }
    return Evidence(**{**sound, **more})


def failed(**more):
    return [t.name for t in self_tests(evidence(**more)) if not t.passed]


def test_a_sound_audit_passes_all_its_self_tests():
    assert failed() == []


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ({"nothing": 0.1}, "budget of zero"),
        ({"sanity": (0.6, 32.0)}, "white box at 32"),
        ({"slopes": np.zeros(16)}, "gradients are not zero"),
        ({"white": 0.2, "teacher": 0.1, "square": 0.5}, "random search"),
        ({"white": 0.2, "square": 0.1}, "teacher alone"),
        (
            {"rows": (row(success=95, n=100), row(success=20, n=100, budget=8.0))},
            "fall with the budget",
        ),
        ({"rows": (row(residual=1.2),)}, "nearer to its goal"),
    ],
)
def test_each_fault_is_named(fault, name):
    assert any(name in told for told in failed(**fault))


def test_two_items_of_few_are_no_masking():
    assert failed(count=16, white=0.75, square=0.875, teacher=0.75) == []


def test_gini_is_that_of_its_definition():
    shares = np.random.default_rng(0).dirichlet(np.ones(7))
    wanted = np.abs(shares[:, None] - shares).sum() / (2 * len(shares) * shares.sum())
    assert gini(shares) == pytest.approx(wanted)
    assert gini(np.array([0.0, 0.0, 1.0])) == pytest.approx(2 / 3)


def test_a_crafted_set_is_made_once_and_again_where_it_is_damaged(monkeypatch, tmp_path):
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path))
    made = []

    def make():
        made.append(1)
        return {"windows": np.arange(6, dtype=np.uint8)}

    first = crafted({"a": 1}, make)
    assert np.array_equal(crafted({"a": 1}, make)["windows"], first["windows"]) and len(made) == 1
    crafted({"a": 2}, make)
    assert len(made) == 2
    (tmp_path / "crafted").joinpath(
        next((tmp_path / "crafted").glob("*.safetensors")).name
    ).write_bytes(b"x")
    crafted({"a": 1}, make)
    crafted({"a": 2}, make)
    assert len(made) == 3


def test_crafted_sets_are_bounded(monkeypatch, tmp_path):
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path))
    monkeypatch.setattr("tutelage.security.crafted.MOST_BYTES", 3000)
    for number in range(6):
        crafted({"a": number}, lambda: {"windows": np.zeros(1000, np.uint8)})
    assert 1 <= len(list((tmp_path / "crafted").glob("*.safetensors"))) <= 3
