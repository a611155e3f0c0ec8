import pytest

from tutelage.errors import UsageError
from tutelage.network.decision import FreezeDecision, asked_cut, mode_of, parse_freeze

STAGES = ("stem", "blocks.0", "blocks.1", "head", "pool")


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("all", 5),
        ("none", 0),
        ("0", 0),
        ("3", 3),
        ("5", 5),
        ("stem", 1),
        ("blocks.1", 3),
        ("pool", 5),
    ],
)
def test_freezing_a_name_includes_it(text, cut):
    assert parse_freeze(text, STAGES) == cut


@pytest.mark.parametrize(
    ("text", "hint"),
    [("block.1", "--freeze blocks.1"), ("6", "--freeze all"), ("zzz", "--freeze auto")],
)
def test_an_unknown_cut_says_what_to_type(text, hint):
    with pytest.raises(UsageError) as caught:
        parse_freeze(text, STAGES)
    assert hint in caught.value.next


def test_modes_are_places_of_the_cut():
    assert [mode_of(k, 5) for k in range(6)] == ["full", "mid", "mid", "mid", "mid", "deep"]


@pytest.mark.parametrize(
    ("freeze", "mode", "expected"),
    [("auto", None, None), ("auto", "deep", ("deep", 5)), ("auto", "full", ("full", 0)), ("auto", "mid", ("mid", None)),
     ("auto", "scratch", ("scratch", None)), ("all", None, ("deep", 5)), ("2", "mid", ("mid", 2)), ("none", "full", ("full", 0))],
)  # fmt: skip
def test_what_the_user_fixed(freeze, mode, expected):
    assert asked_cut(freeze, mode, STAGES) == expected


def test_a_contradiction_prints_both_corrected_commands():
    with pytest.raises(UsageError) as caught:
        asked_cut("all", "full", STAGES)
    assert caught.value.exit_code == 2
    assert "--mode full" in caught.value.next and "--freeze all" in caught.value.next


def test_a_misspelt_mode_is_suggested():
    with pytest.raises(UsageError, match="--mode deep"):
        asked_cut("auto", "deap", STAGES)


def test_cut_json_names_the_last_frozen_stage():
    mid = FreezeDecision("mid", 3, STAGES, ("why",))
    assert (mid.cut_json(), mid.frozen) == ({"index": 3, "stage": "blocks.1"}, 3)
    assert FreezeDecision("full", 0, STAGES, ()).cut_json() == {"index": 0, "stage": None}
    scratch = FreezeDecision("scratch", None, STAGES, ())
    assert (scratch.cut_json(), scratch.frozen) == (None, 0)
