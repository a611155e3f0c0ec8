"""Cases of a page: what is not judged costs no look at the items."""

from types import SimpleNamespace

from tutelage.report.cases import left_out


def test_where_no_head_was_fitted_no_feature_is_computed():
    def readable(*_):
        raise AssertionError("it looked at the items")

    lesson = SimpleNamespace(
        probes={}, depth=3, parts=SimpleNamespace(train=(0, 1)), readable=readable
    )
    assert left_out(lesson, SimpleNamespace(head=None)) is None
