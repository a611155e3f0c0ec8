"""Which engine: what cannot run a network, or answers wrongly, is not taken, and that is said."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tutelage.errors import UsageError
from tutelage.features import choice, measure, openvino_engine
from tutelage.features.engine import Program, engine, run
from tutelage.features.torch_engine import torch_spec
from tutelage.network.stages import Through
from tutelage.training.options import FitOptions


class Deep(torch.nn.Module):
    """Has a buffer of five dimensions, which knows no channels-last layout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.register_buffer("shift", torch.ones(1, 1, 1, 1, 1))

    def forward(self, x):
        return self.conv(x.float()).mean((2, 3)) + self.shift.reshape(())


@pytest.fixture
def program(request):
    torch.manual_seed(0)
    module = Deep()
    return Program(request.node.name, lambda: Through(module).eval(), {"x": ((3, 8, 8), "|u1")})


def test_five_dimensions_run(program):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), dtype=np.uint8)
    found = run(engine(torch_spec())(program), {"x": pixels})["x"]
    with torch.no_grad():
        expected = program.module()({"x": torch.from_numpy(pixels)})["x"].numpy()
    assert np.allclose(found, expected, atol=1e-3, rtol=1e-5)


def test_an_engine_that_cannot_run_a_network_is_passed_over(program, monkeypatch):
    def fails(program, spec):
        raise RuntimeError("an operation is not known\nand more")

    monkeypatch.setattr(openvino_engine, "compile_program", fails)
    chosen = choice.choose_engine(program)
    assert chosen.spec.name == "torch"
    assert "openvino f32 not taken: it cannot run this network (an operation is not known)" in chosen.because  # fmt: skip
    (row,) = [row for row in chosen.table if row["engine"] == "openvino f32"]
    assert row["images_per_second"] == 0 and "cannot run" in row["why_not"] and not row["chosen"]


@pytest.mark.parametrize("wrong", [lambda x: x * 1.2, lambda x: x * np.nan])
def test_an_engine_that_answers_wrongly_is_not_taken(program, monkeypatch, wrong):
    real = openvino_engine.compile_program

    class Wrong:
        def __init__(self, inner) -> None:
            self.inner, self.spec = inner, inner.spec

        def stream(self, batches):
            return ({k: wrong(a) for k, a in out.items()} for out in self.inner.stream(batches))

    monkeypatch.setattr(openvino_engine, "compile_program", lambda p, s: Wrong(real(p, s)))
    chosen = choice.choose_engine(program)
    assert chosen.spec.name == "torch" and "its features are off by" in chosen.because


def pixels_of(count=16):
    """Made when asked, as a sample is."""
    return {"x": np.random.default_rng(1).integers(0, 256, (count, 3, 8, 8), dtype=np.uint8)}


@pytest.mark.parametrize(("share", "taken"), [(0.04, True), (0.06, False)])
def test_reduced_precision_is_judged_by_the_spread_of_the_users_items(program, monkeypatch, share, taken):  # fmt: skip
    real = openvino_engine.compile_program

    class Reduced:
        """Twice as fast by the clock of the test, off by a share of what tells the items apart."""

        def __init__(self, program, spec) -> None:
            self.inner, self.spec = real(program, replace(spec, precision="f32")), spec

        def stream(self, batches):
            for out in self.inner.stream(batches):
                yield {k: a + share * (a - a.mean(0)) for k, a in out.items()}

    monkeypatch.setattr(openvino_engine, "native", lambda precision: True)
    monkeypatch.setattr(openvino_engine, "compile_program", lambda p, s: Reduced(p, s) if s.precision == "bf16" else real(p, s))  # fmt: skip
    rates = {"openvino f32": 100.0, "openvino bf16": 200.0, "torch f32": 10.0}
    plain = measure._first
    monkeypatch.setattr(measure, "_first", lambda compiled, batch, size: (plain(compiled, batch, size)[0], rates[str(compiled.spec)]))  # fmt: skip
    chosen = choice.choose_engine(program, sample=pixels_of)
    assert (str(chosen.spec) == "openvino bf16") == taken
    (row,) = [row for row in chosen.table if row["engine"] == "openvino bf16"]
    assert row["error"] == pytest.approx(share, rel=0.01) and row["chosen"] == taken
    assert taken or "of their spread" in row["why_not"]


def test_few_items_measure_exact_engines_alone_and_a_full_measurement_is_used_from_then_on(program, monkeypatch):  # fmt: skip
    few = choice.choose_engine(program)
    assert not any("bf16" in row["engine"] for row in few.table)
    monkeypatch.setattr(openvino_engine, "native", lambda precision: True)
    many = choice.choose_engine(program, sample=lambda: pixels_of(3))
    assert any("bf16" in row["engine"] for row in many.table)
    assert choice.choose_engine(program) == many


def test_an_engine_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(UsageError) as refused:
        FitOptions(engine="tensorrt")
    assert "openvino-bf16" in refused.value.expected
    with pytest.raises(UsageError) as refused:
        choice.named("openvino-f32", "cuda")
    assert "--engine torch-f32" in refused.value.next


def test_autocast_is_an_engine_of_its_own(program):
    full, reduced = torch_spec(), torch_spec(precision="bf16")
    assert str(reduced) == "torch bf16" and full != reduced
    one, two = (run(engine(spec)(program), pixels_of(5))["x"] for spec in (full, reduced))
    assert 0 < np.abs(one - two).max() / np.abs(one).max() < 0.02
    assert two.dtype == np.float32


def test_a_processor_without_bf16_computes_in_f32_and_says_so(program, monkeypatch):
    monkeypatch.setattr(openvino_engine, "native", lambda precision: precision == "f32")
    with pytest.warns(UserWarning, match="no bf16"):
        found = run(engine(openvino_engine.openvino_spec("bf16"))(program), pixels_of())["x"]
    assert np.array_equal(found, run(engine(openvino_engine.openvino_spec("f32"))(program), pixels_of())["x"])  # fmt: skip
