"""A third modality, defined here in 40 lines, goes through check, fit, predict and report: no other file knows it."""

import ast
import csv
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import tutelage as tl
from tutelage.api import fit_run
from tutelage.errors import DataError
from tutelage.modality import Facts, InputSpec, Modality
from tutelage.network.stages import Network, Stage, Through
from tutelage.student import load
from tutelage.teachers import Card, teacher_from_network

WIDTH = 6


# -- the modality: from here ... -----------------------------------------------------------------------
def read(item):
    """Six numbers in one table cell."""
    try:
        vector = np.array([float(part) for part in str(item).split()], np.float32)
    except ValueError as error:
        raise DataError(
            "unreadable",
            given=f"{item!r} is not a vector",
            expected=f"{WIDTH} numbers",
            next="Mend it.",
        ) from error
    if len(vector) != WIDTH:
        raise DataError(
            "unreadable",
            given=f"{len(vector)} numbers",
            expected=f"{WIDTH} numbers",
            next="Mend it.",
        )
    return vector


def check(item, full):
    """A vector is small: looking at it is reading it."""
    try:
        read(item)
    except DataError as error:
        return Facts(defects=(("unreadable", error.given),))
    return Facts({"length": WIDTH}, scale=WIDTH)


def augment(vector, spec, rng):
    """A little noise."""
    return vector if rng is None else (vector + rng.normal(0, 0.01, WIDTH)).astype(np.float32)


VECTORS = Modality(
    name="vectors",
    columns={"vector": "value"},
    sniff=lambda path: False,
    check=check,
    read=read,
    augment=augment,
    collate=lambda rows: {"x": np.stack(rows)},
)
# -- ... to here ---------------------------------------------------------------------------------------


def build() -> Network:
    torch.manual_seed(0)
    first, second = torch.nn.Linear(WIDTH, 32), torch.nn.Linear(32, 16)
    model = torch.nn.ModuleDict({"first": first, "second": second})
    stages = (
        Stage("first", Through(first, torch.nn.Tanh())),
        Stage("second", Through(second, torch.nn.Tanh())),
        Stage("pool", Through()),
    )
    return Network(model, stages)


class AsFloat(torch.nn.Module):
    def forward(self, batch):
        return {**batch, "x": batch["x"].float()}


@pytest.fixture
def teacher(own_cache):
    facts = Card(
        name="tiny", digest="", source="a test", licence="Apache-2.0", architecture="test:tiny", trained_on="nothing",
        spec=InputSpec(size=WIDTH), labels=0, stages=(), owners={}, weights_digest="",
    )  # fmt: skip
    blank = {"x": np.zeros((1, WIDTH), np.float32)}
    return teacher_from_network(
        facts,
        VECTORS,
        build,
        lambda spec: AsFloat(),
        build(),
        lambda spec: blank,
        {"x": torch.randn(8, WIDTH)},
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "vectors.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["vector", "label"])
        for index in range(240):
            label = index % 3
            writer.writerow(
                [
                    " ".join(
                        f"{v:.5f}" for v in rng.normal(2.0 * (np.arange(WIDTH) % 3 == label), 0.7)
                    ),
                    f"class {label}",
                ]
            )
        writer.writerow(["1 2 three", "class 0"])
    return path


@pytest.mark.parametrize("mode", ["deep", "mid", "full"])
def test_it_goes_through_the_house(table, teacher, tmp_path, mode):
    fitted = fit_run(table, teacher=teacher, mode=mode, out=tmp_path / "runs")
    assert fitted.results["test"]["accuracy"] > 0.8
    assert any("unreadable" in warning for warning in fitted.results["warnings"])
    assert (fitted.run / "report.html").stat().st_size > 2000
    answers = fitted.student.predict_proba(["3 0 0 3 0 0", "0 0 3 0 0 3"])
    again = load(fitted.run, teacher=teacher)
    assert np.array_equal(again.predict_proba(["3 0 0 3 0 0", "0 0 3 0 0 3"]), answers)
    assert again.predict(["3 0 0 3 0 0"]) == ["class 0"]


def test_check_and_advice_take_it(table, teacher, tmp_path):
    checked = tl.check(table, modality=VECTORS)
    assert [f.kind for f in checked.findings if f.severity == "error"] == ["unreadable"]
    fitted = fit_run(table, teacher=teacher, freeze="auto", out=tmp_path / "runs")
    assert fitted.results["because"]


def test_nothing_outside_compares_a_modality():
    """On the syntax tree: no comparison of `modality.name`, of a Modality, or with a modality's name."""
    root = Path(tl.__file__).parent
    outside = [
        p
        for p in root.rglob("*.py")
        if not {"modality", "teachers"} & set(p.relative_to(root).parts[:1])
    ]
    assert len(outside) > 40
    for path in outside:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                assert not re.search(
                    r"modality\.name|IMAGES|TEXT|'images'|'text'", ast.unparse(node)
                ), f"{path.name}:{node.lineno}"
