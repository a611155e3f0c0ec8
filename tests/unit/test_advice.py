"""The rule of freezing, on the receipts it would get."""

from types import SimpleNamespace

import numpy as np
import pytest

from tutelage.advisor import rule
from tutelage.errors import UsageError


def lesson(card, *, n, classes, size):
    spec = SimpleNamespace(size=size)
    return SimpleNamespace(
        teacher=SimpleNamespace(card=card), parts=SimpleNamespace(train=tuple(range(n))),
        classes=tuple(map(str, range(classes))), activations=SimpleNamespace(spec=spec),
    )  # fmt: skip


def receipt(n, wrong):
    truth = np.zeros(n, int)
    logits = np.zeros((n, 2))
    logits[:, 0] = 1
    logits[:wrong] = (0, 1)
    return SimpleNamespace(left_out_logits=logits, left_out_truth=truth, table=())


@pytest.mark.parametrize(
    ("n", "classes", "wrong", "size", "mode"),
    [
        (100, 10, 30, 224, "deep"),
        (1000, 10, 50, 224, "deep"),
        (1000, 10, 200, 224, "mid"),
        (1000, 10, 200, 128, "full"),
    ],
)
def test_the_rule(lite0, monkeypatch, n, classes, wrong, size, mode):
    monkeypatch.setattr(rule, "probe", lambda lesson: receipt(n, wrong))
    decision = rule.advise(lesson(lite0.card, n=n, classes=classes, size=size))
    assert decision.mode == mode and decision.because and not decision.asked


def test_what_the_user_fixed_stands_and_nothing_is_weighed(lite0, monkeypatch):
    monkeypatch.delattr(rule, "probe")
    made = rule.advise(lesson(lite0.card, n=10, classes=2, size=224), freeze="blocks.3")
    assert (made.mode, made.cut, made.asked) == ("mid", 5, True)
    assert rule.advise(lesson(lite0.card, n=10, classes=2, size=224), mode="scratch").cut is None
    with pytest.raises(UsageError):
        rule.advise(lesson(lite0.card, n=10, classes=2, size=224), freeze="all", mode="full")


def test_the_interior_cut_leaves_most_of_the_work_to_the_tail(lite0):
    cut = rule.interior_cut(lite0.card)
    assert 0 < cut < 10
    assert lite0.card.share(cut) <= 0.45 < lite0.card.share(cut + 1)
