"""The law of the cut: tail(trunk(x)) == backbone(x), bit by bit, at every cut."""

import numpy as np
import pytest
import timm
import torch

from tutelage.errors import TeacherError
from tutelage.network.stages import Network, Stage, Through, hold, hold_statistics
from tutelage.teachers.efficientnet import embedded_file
from tutelage.teachers.keep import probe_pixels


@pytest.fixture(scope="module")
def batch(lite0):
    return lite0.prepare(lite0.card.spec)(probe_pixels(lite0.card.spec))


@pytest.fixture(scope="module")
def reference():
    """timm's own network with the package's file loaded by position, run directly."""
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    tensors = torch.load(embedded_file(), weights_only=True)
    model.load_state_dict(dict(zip(model.state_dict(), tensors.values(), strict=True)))
    return model


@pytest.mark.parametrize("cut", range(11))
def test_tail_after_trunk_is_the_backbone(lite0, batch, reference, cut):
    network = lite0.network
    with torch.no_grad():
        crossing = network.trunk(cut)(batch)
        kept = {name: tensor.clone() for name, tensor in crossing.items()}
        features = network.tail(cut)(crossing)["x"]
        expected = reference.forward_head(reference.forward_features(batch["x"]), pre_logits=True)
    assert torch.equal(features, expected)
    assert all(torch.equal(crossing[name], kept[name]) for name in kept), (
        "the tail changed its input"
    )


def test_the_old_classifier_gives_the_original_logits(lite0, batch, reference):
    network = lite0.network
    with torch.no_grad():
        logits = network.classifier(network.tail(0)(batch)["x"])
        assert torch.equal(logits, reference(batch["x"]))


def test_there_are_as_many_cuts_as_tested(lite0):
    assert len(lite0.card.stages) == 10


def test_every_tensor_has_one_owner(lite0):
    owners = lite0.network.owners()
    assert set(owners) == set(lite0.network.model.state_dict())
    assert set(owners.values()) == {*lite0.card.names, "classifier"} - {"pool"}


def test_a_tensor_without_a_stage_is_refused(lite0):
    network = lite0.network
    with pytest.raises(TeacherError, match="in no stage"):
        Network(network.model, network.stages[1:], network.classifier).owners()


def test_a_tensor_in_two_stages_is_refused():
    layer = torch.nn.Linear(2, 2)
    twice = Network(layer, (Stage("a", Through(layer)), Stage("b", Through(layer))))
    with pytest.raises(TeacherError, match="in both a and b"):
        twice.owners()


def test_profile_counts_what_the_literature_counts(lite0):
    """timm's results table: 4.65 M parameters with the classifier, 0.41 GMACs at 224 px."""
    card = lite0.card
    assert card.parameters + 1280 * 1000 + 1000 == pytest.approx(4.65e6, rel=0.01)
    assert card.macs == pytest.approx(0.41e9, rel=0.08)
    assert card.width == 1280


def test_holding_stops_gradients_and_statistics():
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4)).train()
    before = {n: t.clone() for n, t in module.state_dict().items()}
    hold(module)(torch.randn(8, 3, 4, 4))
    assert all(torch.equal(before[n], t) for n, t in module.state_dict().items())
    assert not any(p.requires_grad for p in module.parameters())


def test_held_statistics_do_not_move_while_weights_may():
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    hold_statistics(module.train())
    before = module[1].running_mean.clone()
    module(torch.randn(8, 3, 4, 4)).sum().backward()
    assert torch.equal(before, module[1].running_mean)
    assert module[1].weight.grad is not None


def test_logits_are_those_of_the_right_preprocessing(lite0, reference):
    """A wrong mean and std costs eleven points silently: pin our logits to timm's own transform."""
    from PIL import Image
    from timm.data import create_transform

    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 255, (300, 400, 3), dtype=np.uint8)).resize((320, 260))
    config = timm.get_pretrained_cfg("tf_efficientnet_lite0")
    transform = create_transform(
        (3, 224, 224),
        interpolation=config.interpolation,
        mean=config.mean,
        std=config.std,
        crop_pct=config.crop_pct,
    )
    spec = lite0.card.spec
    array = lite0.modality.augment(image, spec, None)
    batch = {"x": torch.from_numpy(lite0.modality.collate([array])["x"])}
    with torch.no_grad():
        features = lite0.network.tail(0)(lite0.prepare(spec)(batch))["x"]
        ours = lite0.network.classifier(features)
        theirs = reference(transform(image)[None])
    assert float((ours - theirs).abs().max()) < 0.35
    assert float((ours - theirs).norm() / theirs.norm()) < 0.03
