"""The laws of every engine: alone == in any batch, bit by bit; and close to eager float32."""

from dataclasses import replace

import numpy as np
import pytest

from tutelage.features import activations
from tutelage.features.engine import BATCH, engine, run
from tutelage.features.extract import Extractor, trunk_program
from tutelage.features.openvino_engine import openvino_spec
from tutelage.features.torch_engine import torch_spec

SPECS = [torch_spec(), openvino_spec("f32"), openvino_spec("bf16")]


@pytest.fixture(scope="module")
def pictures():
    return {
        "x": np.random.default_rng(0).integers(0, 256, (2 * BATCH + 3, 224, 224, 3), dtype=np.uint8)
    }


@pytest.fixture(scope="module")
def exact(lite0, pictures):
    return run(engine(torch_spec())(trunk_program(lite0, 10, lite0.card.spec, pictures)), pictures)[
        "x"
    ]


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("cut", [5, 10])
def test_a_row_depends_on_its_item_alone(lite0, pictures, spec, cut):
    compiled = engine(spec)(trunk_program(lite0, cut, lite0.card.spec, pictures))
    together = run(compiled, pictures)["x"]
    order = np.random.default_rng(1).permutation(len(together))
    shuffled = run(compiled, {"x": pictures["x"][order]})["x"]
    assert np.array_equal(shuffled, together[order])
    alone = run(compiled, {"x": pictures["x"][7:8]})["x"]
    assert np.array_equal(alone[0], together[7])


@pytest.mark.parametrize(
    ("spec", "tolerance"), list(zip(SPECS[1:], [1e-5, 0.15], strict=True)), ids=str
)
def test_engines_agree_with_eager(lite0, pictures, exact, spec, tolerance):
    found = run(engine(spec)(trunk_program(lite0, 10, lite0.card.spec, pictures)), pictures)["x"]
    assert np.linalg.norm(found - exact) / np.linalg.norm(exact) < tolerance


def test_a_damaged_conversion_is_made_again(lite0, pictures, own_cache):
    program = trunk_program(lite0, 3, lite0.card.spec, pictures)
    first = run(engine(openvino_spec("f32"))(program), pictures)["x"]
    for model in (own_cache / "engines").glob("*/model.bin"):
        model.write_bytes(model.read_bytes()[:-100])
    again = run(engine(openvino_spec("f32"))(program), pictures)["x"]
    assert np.array_equal(first, again)


@pytest.mark.parametrize("cut", [5, 10])
@pytest.mark.parametrize("size", [224, 128])
def test_the_size_of_a_row_is_told_before_it_is_made(lite0, pictures, cut, size):
    spec = replace(lite0.card.spec, size=size, resize=size)
    extractor = Extractor(lite0, cut, spec, openvino_spec("f32"))
    few = {"x": pictures["x"][:2, :size, :size]}
    rows = extractor.rounded(run(extractor.compile(few), few))
    assert sum(array.nbytes for array in rows.values()) == pytest.approx(2 * extractor.row_bytes, rel=0.02)  # fmt: skip


def test_what_much_is_written_is_said_first(lite0, tmp_path, monkeypatch):
    monkeypatch.setattr(activations, "LARGE", 1000)
    items = [np.full((32, 32, 3), k, np.uint8) for k in range(3)]
    heard = []
    with activations.Activations(lite0, lite0.card.spec, openvino_spec("f32"), items, [str(k) * 64 for k in range(3)], cache=tmp_path, say=heard.append) as seen:  # fmt: skip
        seen.ensure(10, range(3))
        seen.ensure(10, range(3))
    assert len(heard) == 1 and heard[0].startswith("3 rows at cut 10") and str(tmp_path) in heard[0]
