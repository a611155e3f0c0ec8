"""Weight files that somebody else wrote: read safely, made to fit, or refused with every reason."""

import json
import struct
from urllib.parse import quote

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import densenet121, resnet18, resnet34

from hostile import plant
from tutelage.errors import TeacherError
from tutelage.modality import InputSpec
from tutelage.teachers import architectures
from tutelage.teachers.blueprint import Blueprint, read_blueprint
from tutelage.teachers.reading import fitted, looks_like, read_weights


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return resnet18(weights=None).eval()


@pytest.mark.parametrize("how", ["zip", "old", "bare"])
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, how):
    path, marker = tmp_path / "weights.pth", tmp_path / "was_here"
    plant(path, marker, how)
    with pytest.raises(TeacherError) as told:
        read_weights(path)
    assert told.value.kind in ("unsafe-pickle", "damaged-weights")
    assert not marker.exists()
    if how == "zip":  # the plant is a real one: loaded unguarded it does run
        torch.load(path, weights_only=False)
        assert marker.exists()


def test_safetensors_and_pickles_give_the_same(tmp_path, model):
    save_file(model.state_dict(), tmp_path / "a.safetensors")
    torch.save({"state_dict": model.state_dict(), "epoch": 3}, tmp_path / "b.pth")
    a, b = read_weights(tmp_path / "a.safetensors"), read_weights(tmp_path / "b.pth")
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module.model."])
def test_wrappers_prefixes_are_taken_off(model, prefix):
    wrapped = {prefix + k: v for k, v in model.state_dict().items()}
    assert fitted(wrapped, model, "x").keys() == model.state_dict().keys()


def test_old_densenet_names_and_missing_counters(model):
    dense = densenet121(weights=None)
    old = {
        k.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): v
        for k, v in dense.state_dict().items()
        if not k.endswith("num_batches_tracked")
    }
    assert any(".norm.1." in k for k in old)
    assert fitted(old, dense, "x").keys() == dense.state_dict().keys()


def test_the_wrong_architecture_is_recognised(model):
    with pytest.raises(TeacherError) as told:
        fitted(dict(resnet34(weights=None).state_dict()), model, "w", "torchvision:resnet18")
    assert told.value.kind == "wrong-weights"
    assert "look like torchvision:resnet34" in told.value.given
    assert told.value.next == "Try: --arch torchvision:resnet34"
    assert looks_like(dict(model.state_dict()))[0] == "torchvision:resnet18"


def test_all_misfits_are_told_at_once(model):
    tensors = dict(model.state_dict())
    tensors["conv1.weight"] = torch.zeros(1, 3, 7, 7)
    tensors["fc.weight"] = torch.zeros(37, 512)
    tensors["strange"] = torch.zeros(1)
    del tensors["layer1.0.conv1.weight"]
    with pytest.raises(TeacherError) as told:
        fitted(tensors, model, "w")
    for part in ("conv1.weight is (1, 3, 7, 7), not (64, 3, 7, 7)", "fc.weight is (37, 512)", "unknown strange", "missing layer1.0.conv1.weight", "4 tensors"):  # fmt: skip
        assert part in told.value.given


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(model, bad):
    tensors = {k: v.clone() for k, v in model.state_dict().items()}
    tensors["layer2.0.conv1.weight"][3, 2, 1, 0] = bad
    with pytest.raises(TeacherError, match=r"layer2.0.conv1.weight") as told:
        fitted(tensors, model, "w")
    assert told.value.kind == "not-finite"


def test_truncated_and_hostile_files(tmp_path, model):
    whole = tmp_path / "whole.safetensors"
    save_file(model.state_dict(), whole)
    torch.save(model.state_dict(), tmp_path / "whole.pth")
    cases = {
        "cut.safetensors": whole.read_bytes()[:-1000],
        "cut.pth": (tmp_path / "whole.pth").read_bytes()[:-1000],
        "empty.pth": b"",
        "empty.safetensors": b"",
        "text.pth": b"these are no weights\n",
        "header.safetensors": struct.pack("<Q", 2**60) + b"{}",
        "lying.safetensors": _lying(),
        "list.pth": _saved(tmp_path, [1, 2, 3]),
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TeacherError) as told:
            read_weights(tmp_path / name)
        assert told.value.kind in ("damaged-weights", "unsafe-pickle"), name
        assert name in told.value.given


def _lying() -> bytes:
    header = json.dumps(
        {"a": {"dtype": "F32", "shape": [10**6], "data_offsets": [0, 4 * 10**6]}}
    ).encode()
    return struct.pack("<Q", len(header)) + header + b"\0" * 16


def _saved(folder, content) -> bytes:
    torch.save(content, folder / "other.pth")
    return (folder / "other.pth").read_bytes()


@pytest.mark.parametrize("args", ['{"pretrained": true}', '{"checkpoint_path": "/x.pth"}', '{"weights": "DEFAULT"}', '{"colour": 3}'])  # fmt: skip
@pytest.mark.parametrize("name", ["timm:lcnet_035", "torchvision:resnet18"])
def test_an_architectures_arguments_load_nothing(name, args):
    with pytest.raises(TeacherError) as told:
        architectures.build(f"{name}?args={quote(args)}", InputSpec())
    assert told.value.kind == "bad-architecture"


def test_an_architectures_arguments_are_obeyed():
    text = str(Blueprint("torchvision", "resnet18", args={"num_classes": 37}))
    assert read_blueprint(text).args == {"num_classes": 37}
    assert architectures.build(text, InputSpec(64, 64)).classifier.get_submodule("fc").out_features == 37  # fmt: skip


def test_another_number_of_classes_is_recognised(model):
    with pytest.raises(TeacherError) as told:
        fitted(dict(resnet18(weights=None, num_classes=37).state_dict()), model, "w")
    assert '?args={"num_classes": 37}' in told.value.next


def test_half_precision_becomes_the_networks_own(model):
    halves = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    given = fitted(halves, model, "w")
    assert given["conv1.weight"].dtype == torch.float32
    assert torch.equal(given["conv1.weight"], halves["conv1.weight"].float())
