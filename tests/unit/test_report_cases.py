"""Cases of a page: what is not judged costs no look at the items."""

from types import SimpleNamespace

import pytest

from tutelage.report.again import side_by_side
from tutelage.report.cases import left_out


def test_where_no_head_was_fitted_no_feature_is_computed():
    def readable(*_):
        raise AssertionError("it looked at the items")

    lesson = SimpleNamespace(
        probes={}, depth=3, parts=SimpleNamespace(train=(0, 1)), readable=readable
    )
    assert left_out(lesson, SimpleNamespace(head=None)) is None


def test_runs_are_compared_by_groups_where_items_go_together(tmp_path):
    """Twenty frames of a video are one thing to be right about, not twenty."""
    folders = []
    for name, right in (("a", lambda video: video < 8), ("b", lambda video: video < 5)):
        folder = tmp_path / name
        folder.mkdir()
        names = [(f"v{v}-{f}", f"v{v}") for v in range(10) for f in range(20)]
        (folder / "test_items.csv").write_text(
            "name,correct\n" + "".join(f"{n},{int(right(int(g[1:])))}\n" for n, g in names)
        )
        (folder / "split.csv").write_text("name,group\n" + "".join(f"{n},{g}\n" for n, g in names))
        folders.append(folder)
    fit = {
        "test": None, "teacher": "t", "mode": "deep", "cut": None, "metrics": None, "seconds": {"total": 1.0}, "split": {"train": 1},
        "parameters": {"trainable": 1}, "engine": "e", "digest": "d",
    }  # fmt: skip
    (pair,) = side_by_side(folders, [fit, fit])["pairs"]
    assert pair["points"] == pytest.approx(30) and pair["p"] is None
    assert pair["low"] < 0 < pair["high"], "three videos of ten"
