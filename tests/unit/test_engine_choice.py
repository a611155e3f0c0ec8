"""Which engine: what cannot run a network, or answers wrongly, is not taken, and that is said."""

import numpy as np
import pytest
import torch

from tutelage.features import choice, openvino_engine
from tutelage.features.engine import Program, engine, run
from tutelage.features.torch_engine import torch_spec
from tutelage.network.stages import Through


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
    spec, because = choice.choose_engine(program)
    assert spec.name == "torch"
    assert (
        "openvino f32 not taken: it cannot run this network (an operation is not known)" in because
    )


@pytest.mark.parametrize("wrong", [lambda x: x * 1.2, lambda x: x * np.nan])
def test_an_engine_that_answers_wrongly_is_not_taken(program, monkeypatch, wrong):
    real = openvino_engine.compile_program

    class Wrong:
        def __init__(self, inner) -> None:
            self.inner, self.spec = inner, inner.spec

        def stream(self, batches):
            return ({k: wrong(a) for k, a in out.items()} for out in self.inner.stream(batches))

    monkeypatch.setattr(openvino_engine, "compile_program", lambda p, s: Wrong(real(p, s)))
    spec, because = choice.choose_engine(program)
    assert spec.name == "torch" and "its features are off by" in because
