from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest
from images_kit import bomb, photos, picture, save, truncate

from shared import SHARED, needs_shared
from tutelage.data import FactsStore, check, open_source, split
from tutelage.modality import Modality
from tutelage.modality.images import IMAGES


def plant(root):
    """A folder with every fault that a folder can have; returns kind -> names that must be said."""
    for part, each in (("train", 14), ("test", 4)):
        photos(root / part, classes=("cat", "dog"), each=each)
        for name in ("cat", "dog"):
            for file in sorted((root / part / name).iterdir()):
                picture(
                    int(file.stem) + (500 if part == "test" else 0) + (90 if name == "dog" else 0)
                ).save(file)
    train, test = root / "train", root / "test"
    photos(train, classes=("Cat", "bird"), each=0)
    save(train / "Cat/a.jpg", 901)
    save(train / "01/a.jpg", 902)
    save(train / "1/a.jpg", 903)
    save(train / "only train/a.jpg", 905)
    save(test / "stranger/a.jpg", 904)
    (train / "cat/zero.jpg").write_bytes(b"")
    (train / "cat/text.jpg").write_text("no image")
    truncate(save(train / "cat/cut.jpg", 910))
    truncate(save(train / "cat/cut.png", 911))
    bomb(train / "cat/bomb.png")
    picture(912).save(train / "dog/really png.jpg", format="PNG")
    save(train / "dog/tiny.png", 913, (5, 5))
    save(train / "dog/huge.png", 914, (1200, 900))
    picture(915).convert("P").save(train / "dog/palette.gif")
    shutil.copy(train / "cat/1.jpg", train / "cat/1 again 😀.jpg")
    shutil.copy(train / "cat/2.jpg", train / "dog/two.jpg")
    picture(77, (400, 300)).save(train / "cat/near.jpg", quality=95)
    picture(77, (400, 300)).resize((200, 150)).save(train / "cat/near small.jpg", quality=70)
    shutil.copy(test / "cat/1.jpg", train / "cat/leaked.jpg")
    picture(78, (400, 300)).save(test / "dog/seen.png")
    picture(78, (400, 300)).resize((300, 225)).save(train / "dog/seen small.jpg", quality=80)
    (train / "cat/notes.txt").write_text("x")
    return {
        "unreadable": {"train/cat/zero.jpg", "train/cat/text.jpg", "train/cat/cut.jpg", "train/cat/cut.png"},
        "bomb": {"train/cat/bomb.png"},
        "wrong-suffix": {"train/dog/really png.jpg"},
        "tiny": {"train/dog/tiny.png"},
        "odd-size": {"train/dog/huge.png", "train/dog/tiny.png"},
        "odd-mode": {"train/dog/palette.gif"},
        "exact-duplicate": {"train/cat/1.jpg", "train/cat/1 again 😀.jpg", "train/cat/2.jpg", "train/dog/two.jpg",
                            "train/cat/leaked.jpg", "test/cat/1.jpg"},
        "label-conflict": {"train/cat/2.jpg", "train/dog/two.jpg"},
        "near-duplicate": {"train/cat/near.jpg", "train/cat/near small.jpg", "test/dog/seen.png", "train/dog/seen small.jpg"},
        "leak": {"train/cat/leaked.jpg", "test/cat/1.jpg", "test/dog/seen.png", "train/dog/seen small.jpg"},
        "class-extra": {"stranger"},
        "class-missing": {"01", "1", "Cat", "only train"},
        "label-twins": {"01", "1", "Cat", "cat"},
        "tiny-class": {"01", "1", "Cat", "only train"},
        "imbalance": {"01", "1", "Cat", "only train", "dog"},
        "ignored-file": {"train/cat/notes.txt"},
    }  # fmt: skip


def fingerprints(root):
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {
        str(p): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in files
    }


@pytest.mark.parametrize("full", [True, False])
def test_every_planted_fault_is_found_in_one_call_and_nothing_is_changed(tmp_path, full):
    planted = plant(tmp_path)
    before = fingerprints(tmp_path)
    checked = check(open_source(tmp_path), full=full)
    found = {}
    for finding in checked.findings:
        found.setdefault(finding.kind, set()).update(finding.where)
    assert found == planted
    assert fingerprints(tmp_path) == before
    order = [finding.severity for finding in checked.findings]
    assert order == sorted(order, key=["error", "warning", "info"].index)
    parts = split(checked)
    names = [checked.dataset.examples[i].name for i, reason in parts.set_aside if reason == "leak"]
    assert sorted(names) == ["train/cat/leaked.jpg", "train/dog/seen small.jpg"]


def test_digests_are_those_of_the_files(tmp_path):
    root = photos(tmp_path, each=2)
    checked = check(open_source(root), full=False)
    for example, digest in zip(checked.dataset.examples, checked.digests, strict=True):
        assert digest == hashlib.sha256(example.item.read_bytes()).hexdigest()


def test_a_file_that_vanishes_or_may_not_be_read(tmp_path):
    dataset = open_source(photos(tmp_path, each=2))
    (tmp_path / "cat/0.jpg").unlink()
    checked = check(dataset, full=False)
    assert checked.digests[0] == "" and not checked.usable[0]
    assert checked.findings[0].kind == "unreadable" and "no such file" in checked.findings[0].remedy


def test_the_same_pixels_in_another_wrapping_are_exact_copies(tmp_path):
    root = photos(tmp_path, each=2)
    save(root / "cat/a.png", 70)
    save(root / "dog/a.bmp", 70)
    checked = check(open_source(root), full=False)
    assert [f.where for f in checked.findings if f.kind == "label-conflict"] == [
        ("cat/a.png", "dog/a.bmp")
    ]
    assert len(checked.copies()) == 1


def counting(calls):
    def look(item, full):
        calls.append(item)
        return IMAGES.check(item, full)

    fields = {name: getattr(IMAGES, name) for name in IMAGES.__dataclass_fields__}
    return Modality(**{**fields, "check": look})


def test_a_second_look_decodes_nothing_and_says_the_same(tmp_path):
    plant(tmp_path / "data")
    calls = []
    dataset = open_source(tmp_path / "data", modality=counting(calls))
    with FactsStore(tmp_path / "cache", "data") as store:
        first = check(dataset, full=True, facts_cache=store)
    seen = len(calls)
    with FactsStore(tmp_path / "cache", "data") as store:
        second = check(dataset, full=True, facts_cache=store)
        assert check(dataset, full=False, facts_cache=store).findings == first.findings
    assert seen == len(dataset.examples) and len(calls) == seen
    for name in ("findings", "groups", "keys", "digests", "usable", "facts", "near"):
        assert getattr(first, name) == getattr(second, name), name


def test_a_damaged_store_costs_only_what_is_damaged(tmp_path):
    calls = []
    dataset = open_source(photos(tmp_path / "data", each=4), modality=counting(calls))
    with FactsStore(tmp_path / "cache", "x") as store:
        whole = check(dataset, full=False, facts_cache=store)
    raw = bytearray(store.path.read_bytes())
    raw[3000] ^= 1
    store.path.write_bytes(bytes(raw))
    calls.clear()
    assert len(FactsStore(tmp_path / "cache", "x")) == 7
    store.path.write_bytes(bytes(raw[: int(len(raw) * 0.8)]))
    with FactsStore(tmp_path / "cache", "x") as store:
        assert check(dataset, full=False, facts_cache=store).findings == whole.findings
    assert 1 <= len(calls) <= 4
    calls.clear()
    with FactsStore(tmp_path / "cache", "x") as store:
        check(dataset, full=False, facts_cache=store)
    assert calls == []


def test_a_store_that_cannot_be_written_lives_in_memory(tmp_path):
    (tmp_path / "file").write_text("in the way")
    dataset = open_source(photos(tmp_path / "data", each=2))
    with FactsStore(tmp_path / "file", "x") as store:
        check(dataset, full=False, facts_cache=store)
        assert len(store) == 4


def test_progress_counts_up_to_the_end(tmp_path):
    told = []
    check(open_source(photos(tmp_path, each=3)), full=False, progress=lambda *now: told.append(now))
    assert told[-1] == (6, 6)


def test_small_arrays_have_exact_copies_only():
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (10, 28, 28), dtype=np.uint8)
    almost = base.copy()
    almost[:, 0, 0] ^= 1
    stack = np.concatenate([base, almost, base[:1]])
    checked = check(open_source(stack, labels=[*"ab" * 10, "b"]), full=True)
    assert len(set(checked.groups)) == 20 and checked.groups[0] == checked.groups[20]
    assert {f.kind for f in checked.findings} >= {"exact-duplicate", "label-conflict"}


@needs_shared
def test_no_duplicate_alarm_on_mnist():
    checked = check(open_source(SHARED / "data/mnist"), full=False)
    assert not {f.kind for f in checked.findings} & {
        "near-duplicate",
        "exact-duplicate",
        "unreadable",
    }
    assert len(set(checked.groups)) == 10_000


@needs_shared
def test_the_leak_of_trashnets_official_split(tmp_path):
    """Published lists; the one leak is known: test plastic152 is train glass176."""
    root, rows = SHARED / "data/trashnet", ["path,label,split"]
    for part in ("train", "val", "test"):
        for line in (SHARED / f"data/trashnet.official_{part}.txt").read_text().split("\n"):
            if line.strip():
                label = line.split()[0].rstrip("0123456789.jpg")
                rows.append(f"{root}/{label}/{line.split()[0]},{label},{part}")
    (tmp_path / "t.csv").write_text("\n".join(rows))
    checked = check(open_source(tmp_path / "t.csv"), full=False)
    assert len(checked.dataset.examples) == 2527
    exact = [
        [name.split("/")[-1] for name in f.where]
        for f in checked.findings
        if f.kind == "leak" and f.severity == "error" and "also in test" in f.remedy
    ]
    assert exact == [["glass176.jpg", "plastic152.jpg"]]
    conflicts = [f.where for f in checked.findings if f.kind == "label-conflict"]
    assert any("glass176.jpg" in a and "plastic152.jpg" in b for a, b in conflicts)
    parts = split(checked)
    names = [checked.dataset.examples[i].name for i, reason in parts.set_aside if reason == "leak"]
    assert any(name.endswith("glass176.jpg") for name in names) and len(names) < 25
    assert len(parts.test) == 431
