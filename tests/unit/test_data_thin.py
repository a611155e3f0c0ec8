"""Fewer items to learn from: nested, class by class, and the test stays."""

from collections import Counter

import pytest
from test_data_splits import made, plain

from tutelage.data import split, thin
from tutelage.errors import UsageError


def labels(checked, indices):
    return Counter(checked.dataset.examples[i].label for i in indices)


def test_shares_are_exact_nested_and_leave_the_test_alone():
    checked = made(plain(401, "abc"))
    whole = split(checked)
    half, quarter = (thin(whole, checked, share) for share in (0.5, 0.25))
    assert whole.test == half.test == quarter.test and whole.val == half.val
    assert set(quarter.train) < set(half.train) < set(whole.train)
    for parts, share in ((half, 0.5), (quarter, 0.25)):
        for label, count in labels(checked, whole.train).items():
            assert labels(checked, parts.train)[label] == -(-count * share // 1)
        aside = {i for i, reason in parts.set_aside if reason == "thinned"}
        assert aside == set(whole.train) - set(parts.train)
    assert thin(whole, checked, 1.0) is whole


def test_every_class_keeps_an_item_and_another_seed_keeps_others():
    checked = made([*plain(200, "a"), {"name": "rare1", "label": "b"}, {"name": "rare2", "label": "b"}])  # fmt: skip
    parts = split(checked)
    assert labels(checked, thin(parts, checked, 0.01).train)["b"] == 1
    assert thin(parts, checked, 0.3, 1).train != thin(parts, checked, 0.3, 2).train


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_a_share_is_a_share(share):
    checked = made(plain(20))
    with pytest.raises(UsageError):
        thin(split(checked), checked, share)
