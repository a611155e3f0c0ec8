"""The catalogue: what is in it against the libraries' documentation, and how a name finds its teacher."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tutelage.errors import TeacherError, TutelageError, UsageError
from tutelage.modality import InputSpec
from tutelage.teachers import catalogue
from tutelage.teachers.blueprint import read_blueprint
from tutelage.teachers.catalogue import Entry, entries, find, search
from tutelage.teachers.catalogue_own import COLUMNS, OWN

SPEC = json.dumps({"size": 64, "resize": 72, "interpolation": "bilinear", "mean": [0.5] * 3, "std": [0.5] * 3})  # fmt: skip


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OWN, raising=False)


# Of torchvision: its documentation (acc@1, num_params, GFLOPS, and the text on the transforms). Of timm:
# its results at 224 px, and its model cards.
@pytest.mark.parametrize(
    ("name", "top1", "parameters", "gmacs", "size", "resize"),
    [
        ("torchvision:alexnet.IMAGENET1K_V1", 56.522, 61_100_840, 0.71, 224, 256),
        ("torchvision:resnet50.IMAGENET1K_V1", 76.13, 25_557_032, 4.09, 224, 256),
        ("torchvision:resnet50.IMAGENET1K_V2", 80.858, 25_557_032, 4.09, 224, 232),
        ("torchvision:inception_v3.IMAGENET1K_V1", 77.294, 27_161_264, 5.71, 299, 342),
        ("torchvision:resnext50_32x4d.IMAGENET1K_V1", 77.618, 25_028_904, 4.23, 224, 256),
        ("torchvision:vit_b_16.IMAGENET1K_V1", 81.072, 86_567_656, 17.56, 224, 256),
        ("torchvision:mobilenet_v3_large.IMAGENET1K_V1", 74.042, 5_483_032, 0.22, 224, 256),
        ("torchvision:regnet_y_400mf.IMAGENET1K_V1", 74.046, 4_344_144, 0.4, 224, 256),
        ("timm:resnet18.a1_in1k", 71.504, 11_689_512, 1.82, 224, 235),
        ("timm:swin_tiny_patch4_window7_224.ms_in1k", 81.388, 28_288_354, 4.5, 224, 248),
    ],
)
def test_published_numbers(
    name: str, top1: float, parameters: int, gmacs: float, size: int, resize: int
) -> None:
    entry = find(name)
    assert entry.name == name
    assert entry.top1 == pytest.approx(top1, abs=1e-9)
    assert entry.parameters == parameters
    assert entry.gmacs == pytest.approx(gmacs, abs=0.011)
    assert (entry.spec.size, entry.spec.resize) == (size, resize)
    assert entry.labels == 1000
    assert entry.trained_on == "ImageNet-1k"


def test_the_rest_of_a_row() -> None:
    alexnet = find("torchvision:alexnet.IMAGENET1K_V1")
    assert alexnet.source == "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
    assert (alexnet.file, alexnet.prefix) == ("alexnet-owt-7be5be79.pth", "7be5be79")
    assert (alexnet.architecture, alexnet.licence) == ("torchvision:alexnet", "bsd-3-clause")
    assert re.fullmatch(r"torchvision [\d.]+ weights\.meta", alexnet.top1_source)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    assert alexnet.spec == InputSpec(224, 256, "bilinear", mean, std)
    resnet = find("timm:resnet18.a1_in1k")
    assert (resnet.source, resnet.file, resnet.prefix) == ("hf:timm/resnet18.a1_in1k", "model.safetensors", "")  # fmt: skip
    assert (resnet.architecture, resnet.licence) == ("timm:resnet18", "apache-2.0")
    assert resnet.spec == InputSpec(224, 235, "bicubic", mean, std)
    assert re.fullmatch(r"timm results-imagenet\.csv, [0-9a-f]{7,}", resnet.top1_source)


def test_a_result_at_another_size_is_not_this_ones() -> None:
    """timm publishes 73.164 for these weights too, at 288 px."""
    assert find("timm:resnet18.a1_in1k").top1 == 71.504


def test_weights_for_another_size_build_a_network_of_that_size() -> None:
    entry = find("torchvision:vit_b_16.IMAGENET1K_SWAG_E2E_V1")
    assert read_blueprint(entry.architecture).args == {"image_size": entry.spec.size} == {"image_size": 384}  # fmt: skip
    positions = (384 // 16) ** 2 - (224 // 16) ** 2  # of width 768, more than those for 224 px
    assert entry.parameters == 86_567_656 + 768 * positions
    assert find("torchvision:vit_b_16").architecture == "torchvision:vit_b_16"


def test_there_are_many_and_each_is_sound() -> None:
    known = entries()
    assert len(known) > 500
    assert len({entry.name for entry in known}) == len(known)
    assert [entry.name for entry in known] == sorted(entry.name for entry in known)
    assert not [entry.name for entry in known if wrong(entry)]
    counted = sum(entry.gmacs is not None for entry in known)
    assert counted / len(known) > 0.95


def wrong(entry: Entry) -> bool:
    spec = entry.spec
    return (
        spec.channels != 3
        or not 32 <= 0.8 * spec.size <= spec.resize <= 2 * spec.size  # VOLO's is below the crop's
        or spec.interpolation not in ("bicubic", "bilinear")
        or not len(spec.mean) == len(spec.std) == 3
        or not all(0 <= m <= 1 and 0 < s <= 1 for m, s in zip(spec.mean, spec.std, strict=True))
        or not (entry.source.startswith(("https://", "hf:")) and entry.file and entry.trained_on)
        or read_blueprint(entry.architecture).source != entry.name.partition(":")[0]
        or not re.fullmatch(r"([0-9a-f]{8,64})?", entry.prefix)
        or not (entry.top1 is None or (40 < entry.top1 < 95 and bool(entry.top1_source)))
        or not (entry.parameters > 100_000 and entry.labels >= 0)
        or not (entry.gmacs is None or 0.01 < entry.gmacs < 10_000)
        or entry.licence != entry.licence.lower()
    )


def test_specs_that_lack_newer_fields_have_their_defaults() -> None:
    row = json.loads(find("torchvision:alexnet").preprocessing)
    assert set(row) == {"size", "resize", "interpolation", "mean", "std"}
    assert find("torchvision:alexnet").spec == InputSpec(interpolation="bilinear")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("torchvision:resnet50", "torchvision:resnet50.IMAGENET1K_V1"),
        ("resnet50", "torchvision:resnet50.IMAGENET1K_V1"),
        ("resnet50.IMAGENET1K_V2", "torchvision:resnet50.IMAGENET1K_V2"),
        ("resnet50.a1_in1k", "timm:resnet50.a1_in1k"),
        ("timm:resnet18", "timm:resnet18.a1_in1k"),
        ("resnet18", "torchvision:resnet18.IMAGENET1K_V1"),
        ("tf_efficientnet_lite0", "timm:tf_efficientnet_lite0.in1k"),
        ("mobilenetv3_small_100.lamb_in1k", "timm:mobilenetv3_small_100.lamb_in1k"),
        ("regnet_y_128gf", "torchvision:regnet_y_128gf.IMAGENET1K_SWAG_E2E_V1"),  # it has no V1
    ],
)
def test_names(given: str, name: str) -> None:
    assert find(given).name == name


def test_every_architecture_has_one_default() -> None:
    marked = [entry.stem for entry in entries() if entry.default]
    assert sorted(marked) == sorted({entry.stem for entry in entries()})
    assert all(find(entry.stem) is entry for entry in entries() if entry.default)


def test_the_defaults_are_timms_own() -> None:
    timm = pytest.importorskip("timm")
    for stem in ("resnet50", "convnext_tiny", "vit_base_patch16_224", "mobilenetv3_small_100"):
        tag = timm.get_pretrained_cfg(stem).tag
        assert find(f"timm:{stem}").name == f"timm:{stem}.{tag}"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("resnet-50", "torchvision:resnet50"),
        ("ResNet50", "torchvision:resnet50"),
        ("resnet5O", "torchvision:resnet50"),
        ("timm:resnet-18", "timm:resnet18"),
        ("tv:resnet50", "torchvision:resnet50"),
        ("convnext-tiny", "torchvision:convnext_tiny"),
        ("resnet50.IMAGENET1K_V3", "torchvision:resnet50.IMAGENET1K_V2"),
        ("timm:resnet18.a9_in1k", "timm:resnet18.a1_in1k"),
        ("timm:resnet18.something_quite_different_from_all", "timm:resnet18"),
        ("mobilenetv3", "torchvision:mobilenet_v3_large"),
    ],
)
def test_unknown_names_are_told_what_to_type(given: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(given)
    error = caught.value
    assert error.kind == "no-such-teacher"
    assert given in error.given
    offered = re.findall(r"--teacher ([\w.:-]+)", error.next)
    assert meant in offered
    assert len(offered) <= 3
    assert all(find(one) for one in offered)
    assert error.next.startswith("Did you mean --teacher ")
    assert error.next.endswith("?")


@pytest.mark.parametrize("given", ["", "qqqqqqqq", "timm:qqqq", "x" * 5000, "a/b/c", ".."])
def test_names_like_nothing_are_sent_to_the_list(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(given)
    assert "tutelage teachers" in caught.value.next


def test_search() -> None:
    small = search(max_gmacs=0.5)
    assert small
    assert all(entry.gmacs is not None and entry.gmacs <= 0.5 for entry in small)
    assert find("mobilenet_v3_small") in small
    assert find("resnet50") not in small
    licences = {entry.licence for entry in search(licence="CC BY-NC 4.0")}
    assert licences == {"cc-by-nc-4.0"}
    assert {entry.name for entry in search(text="torchvision ALEXNET")} == {"torchvision:alexnet.IMAGENET1K_V1"}  # fmt: skip
    assert find("timm:vit_base_patch16_clip_224.laion2b") in search(text="vit laion-2b")
    both = search(max_gmacs=0.5, licence="apache-2.0", text="mobilenet")
    assert set(both) == set(small) & set(search(licence="apache-2.0")) & set(search(text="mobilenet"))  # fmt: skip
    assert search() == list(entries())


def test_licences_say_what_restricts() -> None:
    assert find("torchvision:vit_b_16.IMAGENET1K_SWAG_LINEAR_V1").licence == "cc-by-nc-4.0"
    assert find("timm:vit_small_patch16_dinov3.lvd1689m").licence == "dinov3-license"
    # Apple's repositories of these state apple-amlr since 2025.
    assert find("timm:aimv2_large_patch14_224.apple_pt").licence == "apple-amlr"
    assert find("timm:vit_large_patch14_clip_224.dfn2b").licence == "apple-amlr"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("timm:vit_base_patch16_224.augreg_in21k_ft_in1k", "ImageNet-21k, then ImageNet-1k"),
        ("timm:vit_base_patch16_224.mae", "ImageNet-1k without labels"),
        ("timm:vit_base_patch16_clip_224.openai", "OpenAI's image-text pairs"),
        ("timm:vit_base_patch16_clip_224.laion2b_ft_in12k_in1k", "LAION-2B, then ImageNet-12k, then ImageNet-1k"),
        ("timm:resnet50.fb_swsl_ig1b_ft_in1k", "Instagram hashtags, then ImageNet-1k"),
        ("torchvision:vit_h_14.IMAGENET1K_SWAG_E2E_V1", "Instagram hashtags, then ImageNet-1k"),
        ("timm:vit_small_patch14_dinov2.lvd142m", "LVD-142M"),
        ("timm:eva_giant_patch14_224.clip_ft_in1k", "not stated, then ImageNet-1k"),
    ],
)  # fmt: skip
def test_training_data(name: str, data: str) -> None:
    assert find(name).trained_on == data


def write(path: Path, *rows: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def row(name: str, **cells: str) -> dict[str, str]:
    base = {"name": name, "source": "weights/own.safetensors", "architecture": "timm:resnet18", "spec": SPEC}  # fmt: skip
    return {**base, **cells}


def use(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setenv(OWN, str(path))


def test_an_organisations_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(entries())
    mirror = row(
        "timm:resnet18.a1_in1k", source="https://mirror.example/r18.safetensors", licence="MIT"
    )
    path = write(tmp_path / "own.csv", row("acme:shelf.v1"), row("acme:shelf.v2", default="1"), mirror)  # fmt: skip
    use(monkeypatch, path)
    assert len(entries()) == count + 2
    own = find("acme:shelf.v1")
    assert (own.source, own.file) == ("weights/own.safetensors", "own.safetensors")
    assert (own.gmacs, own.top1, own.labels, own.parameters, own.licence) == (None, None, 0, 0, "")
    assert own.spec == InputSpec(64, 72, "bilinear", (0.5,) * 3, (0.5,) * 3)
    assert find("acme:shelf").name == "acme:shelf.v2"
    replaced = find("timm:resnet18")
    assert replaced.name == "timm:resnet18.a1_in1k"
    assert (replaced.source, replaced.file) == (mirror["source"], "r18.safetensors")
    assert (replaced.licence, replaced.spec.size) == ("mit", 64)
    assert own in search(text="acme shelf")
    assert own not in search(max_gmacs=1e9)
    monkeypatch.delenv(OWN)
    assert len(entries()) == count
    assert find("timm:resnet18").spec.size == 224


def test_an_organisations_default_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    rows = [row("timm:resnet18.zz_own", default="1"), row("torchvision:resnet50.OWN")]
    use(monkeypatch, write(tmp_path / "own.csv", *rows))
    assert find("timm:resnet18").name == "timm:resnet18.zz_own"
    assert find("timm:resnet18.a1_in1k").default is False
    assert find("resnet50").name == "torchvision:resnet50.IMAGENET1K_V1"
    assert find("resnet50.OWN").architecture == "timm:resnet18"


def test_few_columns_and_a_spreadsheets_mark_suffice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    path = write(tmp_path / "own.csv", row("acme:a", source="hf:acme/a"), columns=("name", "source", "architecture", "spec"))  # fmt: skip
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    use(monkeypatch, path)
    assert find("acme:a").file == "model.safetensors"


def test_a_broken_file_is_one_error_with_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    path = write(
        tmp_path / "own.csv",
        row("acme:good"),
        row("", gmacs="many"),
        row("acme:b", architecture="code:build", prefix="xyz", default="yes"),
        row("acme:c", spec="{", parameters="-1"),
        row("acme:d", spec=SPEC.replace("64", '"64"'), top1="nan", source=""),
        row("acme:e", spec=json.dumps({"size": 64}), labels="1.5", architecture="resnet18"),
        row("acme:good", spec=SPEC.replace("bilinear", "nearest"), architecture="timm:resnet18?args=%7B"),
    )  # fmt: skip
    use(monkeypatch, path)
    for call in (entries, lambda: find("resnet50"), search):
        with pytest.raises(TeacherError) as caught:
            call()
        assert caught.value.kind == "bad-catalogue"
    told = caught.value.given
    assert str(path) in told
    assert "row 2:" not in told
    expected = [
        "row 3: no name", "row 3: gmacs many", "row 4: architecture code:build", "row 4: prefix xyz",
        "row 4: default yes", "row 5: spec {", "row 5: parameters -1", "row 6: spec ", "row 6: top1 nan",
        "row 6: no source", "row 7: spec ", "row 7: labels 1.5", "row 7: architecture resnet18",
        "row 8: spec ", "row 8: architecture timm:resnet18?args", "row 8: a second acme:good",
    ]  # fmt: skip
    assert not [part for part in expected if part not in told]
    assert OWN in caught.value.next


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no column name"),
        (b"name,source,colour\na,b,c\n", "no column architecture; no column spec; unknown column colour"),
        (b"\xff\xfe\x00", "decode"),
        (b"name,source,architecture,spec\na,b,timm:c,{},surplus\n", "row 2: more cells"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_catalogue(content: bytes, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    path = tmp_path / "own.csv"
    path.write_bytes(content)
    use(monkeypatch, path)
    with pytest.raises(TeacherError, match=r"own\.csv") as caught:
        entries()
    assert caught.value.kind == "bad-catalogue"
    assert told in caught.value.given


def test_a_file_that_is_missing_or_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    for path in (tmp_path / "none.csv", tmp_path):
        use(monkeypatch, path)
        with pytest.raises(TutelageError) as caught:
            find("resnet50")
        assert caught.value.kind == "bad-catalogue"


def test_reading_needs_no_library_and_no_time() -> None:
    """Best of 3 in another process; the bar is for a cold cache of the function, not of the disk."""
    code = """
import sys, time
from tutelage.teachers import catalogue
seconds = []
for _ in range(3):
    catalogue._entries.cache_clear(); catalogue._names.cache_clear()
    start = time.perf_counter(); catalogue.find("resnet50"); seconds.append(time.perf_counter() - start)
print(min(seconds), sorted({"torch", "timm", "torchvision"} & set(sys.modules)))
"""
    environment = {key: value for key, value in os.environ.items() if key != OWN}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)  # fmt: skip
    seconds, modules = done.stdout.split(maxsplit=1)
    assert modules.strip() == "[]"
    assert float(seconds) < 0.1


def test_advice_is_quick() -> None:
    start = time.perf_counter()
    with pytest.raises(UsageError):
        find("efficientnet-that-nobody-has")
    assert time.perf_counter() - start < 1


def test_the_columns_are_the_files() -> None:
    text = Path(catalogue.__file__).with_name("catalogue.csv").read_text("utf-8")
    assert tuple(text.splitlines()[0].split(",")) == COLUMNS
