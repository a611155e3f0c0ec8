"""Laws of text teachers: cuts with padding, engines, ragged rows, batches that change nothing."""

import numpy as np
import pytest
import torch

from text_kit import WORDS, sentences, tiny_bert
from tutelage.features.activations import Activations
from tutelage.features.engine import run
from tutelage.features.extract import Counters, Extractor, Wanted, stream
from tutelage.features.openvino_engine import openvino_spec
from tutelage.features.torch_engine import torch_spec
from tutelage.modality.lengths import padded_length
from tutelage.teachers import load_teacher

TEXTS = ["what a film", "", *(s for label in WORDS for s in sentences(label, 12))]
TEXTS[1] = " ".join(["storm"] * 200)  # longer than the limit


@pytest.fixture(scope="module")
def teacher(own_cache, tmp_path_factory):
    return load_teacher(str(tiny_bert(tmp_path_factory.mktemp("tiny"))))


def batch_of(teacher, texts):
    spec = teacher.card.spec
    return teacher.modality.collate([teacher.modality.augment(t, spec, None) for t in texts])


def test_its_stages_are_embeddings_layers_and_pooling(teacher):
    assert teacher.card.names == ("embeddings", "layer.1", "layer.2", "layer.3", "pool")
    assert teacher.card.width == 32 and teacher.card.spec.size == 64
    owners = set(teacher.card.owners.values())
    assert owners == {"embeddings", "layer.1", "layer.2", "layer.3"}
    assert teacher.card.owners["tokenizer"] == "embeddings"


@torch.no_grad()
def test_it_is_the_librarys_own_network(teacher, tmp_path):
    """Against transformers alone: the same files, its own masks, mean over the mask."""
    from transformers import BertModel

    model = BertModel.from_pretrained(tiny_bert(tmp_path)).eval()
    batch = {k: torch.from_numpy(a) for k, a in batch_of(teacher, TEXTS[:9]).items()}
    hidden = model(
        input_ids=batch["x"].long(), attention_mask=batch["mask"].long()
    ).last_hidden_state
    mask = batch["mask"][:, :, None].float()
    mean = (hidden * mask).sum(1) / mask.sum(1)
    assert torch.equal(teacher.network.tail(0)(batch)["x"], mean)


@torch.no_grad()
@pytest.mark.parametrize("cut", range(6))
def test_the_law_of_the_cut_with_padding(teacher, cut):
    batch = {k: torch.from_numpy(a) for k, a in batch_of(teacher, TEXTS).items()}
    whole = teacher.network.tail(0)(batch)["x"]
    middle = teacher.network.trunk(cut)(batch)
    assert torch.equal(teacher.network.tail(cut)(middle)["x"], whole)
    if 0 < cut < 5:
        assert torch.equal(middle["mask"], batch["mask"])
        zeroed = {**middle, "x": middle["x"] * (middle["mask"] > 0)[:, :, None]}
        assert torch.equal(teacher.network.tail(cut)(zeroed)["x"], whole), "padding speaks"


@pytest.mark.parametrize("engine", [torch_spec(), openvino_spec("f32")], ids=str)
def test_alone_is_in_any_batch(teacher, engine):
    spec = teacher.card.spec
    extractor = Extractor(teacher, 5, spec, engine)
    wanted = [Wanted(f"{i:064d}", text, (0,)) for i, text in enumerate(TEXTS)]
    found = {}
    for keys, arrays in stream(extractor, wanted, Counters()):
        found |= {key[0]: row for key, row in zip(keys, arrays["x"], strict=True)}
    assert len(found) == len(TEXTS)
    for want in wanted[::7]:
        ((_, alone),) = stream(extractor, [want], Counters())
        assert np.array_equal(alone["x"][0], found[want.digest])
    plain = Extractor(teacher, 5, spec, torch_spec())
    reference = run(plain.compile(batch_of(teacher, TEXTS)), batch_of(teacher, TEXTS))["x"]
    own = np.stack([found[w.digest] for w in wanted]).astype(np.float32)
    assert np.abs(own - reference).max() < 2e-3  # rounded to half precision


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_only_true_tokens_are_kept_and_come_back(teacher, cut, tmp_path):
    spec = teacher.card.spec
    digests = [f"{i:064x}" for i in range(len(TEXTS))]
    with Activations(teacher, spec, torch_spec(), TEXTS, digests, cache=tmp_path) as activations:
        everything = range(len(TEXTS))
        activations.ensure(cut, everything)
        rows = activations.gather(cut, everything)
        lengths = rows.lengths()
        expected = [int((teacher.modality.augment(t, spec, None) >= 0).sum()) for t in TEXTS]
        assert lengths.tolist() == expected
        files = sum(p.stat().st_size for p in tmp_path.rglob("*.safetensors"))
        place = (
            4 + 1 if cut == 0 else 32 * 2 + 1
        )  # a token and its mark; a vector in half precision and its mark
        beside = 8 + 36 + 32 * 2 * cut  # length, key, pooled taps
        assert files < lengths.sum() * place + len(TEXTS) * beside + 4096
        for places, block in rows.alike():
            same = {padded_length(int(lengths[p])) for p in places}
            assert len(same) == 1 and block["mask"].shape[1] == same.pop()
            assert block["mask"].sum(1).tolist() == lengths[places].tolist()
            assert not np.any(block["x"][block["mask"] == 0])
