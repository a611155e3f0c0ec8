from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from images_kit import photos, picture, save

from shared import SHARED, needs_shared
from tutelage.data import open_source, open_unlabelled
from tutelage.errors import DataError, UsageError
from tutelage.modality.images import IMAGES


def kinds(dataset):
    return [finding.kind for finding in dataset.findings]


def test_a_folder_with_one_sub_folder_per_class(tmp_path):
    root = tmp_path / "my photos"
    for name in ("x10", "x2", "ünï çødé", "[br](ackets)", "🐱 cat"):
        save(root / name / "a (1) [x] 😀.jpg", len(name))
        save(root / name / "deep" / "er" / "b.PNG", len(name) + 50)
    dataset = open_source(root)
    assert dataset.classes == ("[br](ackets)", "x2", "x10", "ünï çødé", "🐱 cat")
    assert len(dataset.examples) == 10 and {e.part for e in dataset.examples} == {None}
    assert "x2/deep/er/b.PNG" in {e.name for e in dataset.examples}
    assert {e.label for e in dataset.examples if e.name.startswith("x2/")} == {"x2"}


def test_hidden_and_foreign_files_are_ignored_and_named(tmp_path):
    photos(tmp_path, each=2)
    for name in (
        ".DS_Store",
        "readme.txt",
        "cat/notes.md",
        "cat/.hidden.jpg",
        "cat/Thumbs.db",
        "loose.jpg",
    ):
        (tmp_path / name).write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / "empty").mkdir()
    dataset = open_source(tmp_path)
    assert set(dataset.ignored) == {
        ".DS_Store", "readme.txt", "cat/notes.md", "cat/.hidden.jpg", "cat/Thumbs.db", "loose.jpg", ".git"
    }  # fmt: skip
    assert dataset.classes == ("cat", "dog") and kinds(dataset) == ["empty-class"]


@pytest.mark.parametrize(
    "names", [("train", "test"), ("Train", "valid", "TEST"), ("training", "validation")]
)
def test_part_folders(tmp_path, names):
    for name in names:
        photos(tmp_path / name, each=2)
    dataset = open_source(tmp_path)
    assert dataset.classes == ("cat", "dog")
    expected = {
        "train": "train",
        "training": "train",
        "valid": "val",
        "validation": "val",
        "test": "test",
    }
    assert {(e.name.split("/")[0], e.part) for e in dataset.examples} == {
        (name, expected[name.lower()]) for name in names
    }


def test_a_class_may_be_called_train(tmp_path):
    photos(tmp_path, classes=("car", "plane", "train"), each=2)
    assert open_source(tmp_path).classes == ("car", "plane", "train")


def test_a_class_index_is_one_for_all_parts(tmp_path):
    photos(tmp_path / "train", classes=("a", "b", "c"), each=2)
    photos(tmp_path / "test", classes=("a", "c", "z"), each=2)
    assert open_source(tmp_path).classes == ("a", "b", "c")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_tables(tmp_path, suffix):
    rows = [
        {"Path": f"images/{n}.png", "Label": "01" if n % 2 else "1", "split": "test" if n > 7 else "train", "who": n // 2}
        for n in range(10)
    ]  # fmt: skip
    for n in range(10):
        save(tmp_path / f"images/{n}.png", n)
    write_table(tmp_path / f"t{suffix}", rows)
    dataset = open_source(tmp_path / f"t{suffix}", group_by="who")
    assert dataset.classes == ("01", "1")
    assert [e.part for e in dataset.examples] == ["train"] * 8 + ["test"] * 2
    assert [e.group for e in dataset.examples] == [str(n // 2) for n in range(10)]
    assert dataset.examples[0].name == "images/0.png"


def write_table(path, rows):
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        mark = {".csv": ",", ".tsv": "\t", ".semi": ";"}[path.suffix]
        lines = [mark.join(rows[0])] + [mark.join(map(str, row.values())) for row in rows]
        path.write_text("﻿" + "\n".join(lines) + "\n")


def test_every_fault_of_a_table_at_once(tmp_path):
    for n in range(4):
        save(tmp_path / f"{n}.png", n)
    (tmp_path / "t.csv").write_text(
        "path,label\n0.png,a\n1.png,b\nmissing.png,a\n2.png,NaN\n3.png,\n0.png,a\n,b\n1.png,a\nalso gone.png,b\n"
    )
    dataset = open_source(tmp_path / "t.csv")
    found = {f.kind: f.where for f in dataset.findings}
    assert found["missing-file"] == ("row 3: missing.png", "row 7", "row 9: also gone.png")
    assert found["missing-label"] == ("row 4: 2.png", "row 5: 3.png")
    assert found["duplicate-row"] == ("row 6: 0.png",)
    assert [(e.name, e.label) for e in dataset.examples] == [
        ("0.png", "a"), ("1.png", "b"), ("1.png (row 8)", "a"),
    ]  # fmt: skip


def test_nan_labels_in_parquet(tmp_path):
    for n in range(4):
        save(tmp_path / f"{n}.png", n)
    rows = [
        {"image": f"{n}.png", "target": float("nan") if n == 3 else float(n % 2)} for n in range(4)
    ]
    write_table(tmp_path / "t.parquet", rows)
    dataset = open_source(tmp_path / "t.parquet")
    assert dataset.classes == ("0", "1") and kinds(dataset) == ["missing-label"]


@pytest.mark.parametrize(("header", "says"), [
    ("path,labl", "Did you mean 'labl'? Rename it to 'label'"), ("pth,label", "Did you mean 'pth'"),
    ("a,b", "columns a, b"),
])  # fmt: skip
def test_a_missing_column_lists_the_others(tmp_path, header, says):
    (tmp_path / "t.csv").write_text(header + "\nx,y\n")
    with pytest.raises(DataError, match="column") as caught:
        open_source(tmp_path / "t.csv")
    assert caught.value.kind == "missing-column" and says in str(caught.value)


@pytest.mark.parametrize(("name", "content"), [
    ("t.csv", b"\xff\xfe\x00bad"), ("t.jsonl", b'{"path": 1}\n{oops'), ("t.jsonl", b"[1, 2]"),
    ("t.parquet", b"not parquet"), ("t.csv", b""),
])  # fmt: skip
def test_tables_that_are_none(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError):
        open_source(tmp_path / name)


def test_a_split_column_with_a_strange_word(tmp_path):
    save(tmp_path / "0.png", 0)
    (tmp_path / "t.csv").write_text("path,label,split\n0.png,a,tset\n")
    with pytest.raises(DataError, match="tset"):
        open_source(tmp_path / "t.csv")


def write_idx(path, array, packed):
    body = (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )
    path.write_bytes(gzip.compress(body) if packed else body)


@pytest.mark.parametrize("packed", [True, False])
def test_idx_pairs(tmp_path, packed):
    end = ".gz" if packed else ""
    rng = np.random.default_rng(0)
    pixels = {
        p: rng.integers(0, 256, (n, 9, 7), dtype=np.uint8) for p, n in (("train", 6), ("t10k", 4))
    }
    for prefix, array in pixels.items():
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte{end}", array, packed)
        write_idx(
            tmp_path / f"{prefix}-labels-idx1-ubyte{end}",
            np.arange(len(array), dtype=np.uint8) % 3,
            packed,
        )
        if prefix == "train":
            alone = open_source(tmp_path)
            assert {e.part for e in alone.examples} == {None} and alone.examples[
                5
            ].name == "index 5"
    dataset = open_source(tmp_path)
    assert dataset.classes == ("0", "1", "2")
    assert sorted(e.part for e in dataset.examples) == ["test"] * 4 + ["train"] * 6
    first = next(e for e in dataset.examples if e.name == "t10k index 2")
    assert np.array_equal(first.item, pixels["t10k"][2]) and first.label == "2"


def test_a_truncated_idx_file(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", np.zeros((5, 4, 4), np.uint8), False)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(5, np.uint8), False)
    raw = (tmp_path / "train-images-idx3-ubyte").read_bytes()
    (tmp_path / "train-images-idx3-ubyte").write_bytes(raw[:-3])
    with pytest.raises(DataError, match="77 bytes"):
        open_source(tmp_path)


@needs_shared
def test_real_mnist():
    dataset = open_source(SHARED / "data/mnist")
    assert len(dataset.examples) == 10_000 and dataset.classes == tuple("0123456789")
    assert [e.label for e in dataset.examples[:5]] == ["7", "2", "1", "0", "4"]  # as published


def test_lists_and_arrays_from_python(tmp_path):
    array = np.stack([np.asarray(picture(n, (8, 8))) for n in range(4)])
    dataset = open_source(array, labels=np.array([2, 10, 2, 10]))
    assert dataset.classes == ("2", "10") and dataset.examples[3].name == "index 3"
    paths = [str(save(tmp_path / f"{n}.png", n)) for n in range(2)]
    assert open_source(paths, labels=["a", "b"]).examples[1].item == Path(paths[1])
    with pytest.raises(UsageError, match="without labels"):
        open_source(array)
    with pytest.raises(UsageError, match="4 items and 3 labels"):
        open_source(array, labels=[1, 2, 3])
    with pytest.raises(DataError, match="index 1, 2"):
        open_source(array, labels=["a", None, float("nan"), "b"])


def test_a_test_source_beside(tmp_path):
    photos(tmp_path / "one", each=2)
    photos(tmp_path / "two", each=2)
    dataset = open_source(tmp_path / "one", test=tmp_path / "two")
    assert [e.part for e in dataset.examples] == [None] * 4 + ["test"] * 4
    assert dataset.examples[4].name == "test/cat/0.jpg"
    photos(tmp_path / "three/train", each=2)
    photos(tmp_path / "three/test", each=2)
    with pytest.raises(UsageError, match="of its own"):
        open_source(tmp_path / "three", test=tmp_path / "two")


def test_group_by_a_pattern(tmp_path):
    for n in range(6):
        save(tmp_path / "ab"[n % 2] / f"patient{n // 2}_{n}.png", n)
    save(tmp_path / "a" / "other.png", 9)
    dataset = open_source(tmp_path, group_by=r"(patient\d+)_")
    groups = {e.name: e.group for e in dataset.examples}
    assert groups["a/patient1_2.png"] == groups["b/patient1_3.png"] == "patient1"
    assert groups["a/other.png"] is None and kinds(dataset) == ["no-group"]
    for wrong in ("(", "no such thing"):
        with pytest.raises(UsageError) as caught:
            open_source(tmp_path, group_by=wrong)
        assert caught.value.kind == "no-such-group"


def test_sources_that_cannot_serve(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(UsageError, match=r"Did you mean .*photos\?"):
        open_source(tmp_path / "photo")
    with pytest.raises(DataError) as caught:
        open_source(tmp_path / "photos")
    assert caught.value.kind == "empty-source"
    save(tmp_path / "photos/a.jpg", 1)
    with pytest.raises(DataError, match="without labels") as caught:
        open_source(tmp_path / "photos")
    assert "path,label" in caught.value.next
    with pytest.raises(DataError, match="single file"):
        open_source(tmp_path / "photos/a.jpg")
    save(tmp_path / "one/only/a.jpg", 1)
    with pytest.raises(DataError, match="one class only, 'only'"):
        open_source(tmp_path / "one")
    with pytest.raises(DataError):
        open_source([], labels=[])


def test_what_to_predict(tmp_path):
    save(tmp_path / "a [1].jpg", 1)
    save(tmp_path / "in/b.png", 2)
    save(tmp_path / "in/deep/c.png", 3)
    (tmp_path / "in/readme.txt").write_text("x")

    def names(inputs):
        return [e.name.removeprefix(str(tmp_path) + "/") for e in open_unlabelled(inputs, IMAGES)]

    assert names(tmp_path / "a [1].jpg") == ["a [1].jpg"]
    assert names([str(tmp_path / "in"), tmp_path / "a [1].jpg"]) == [
        "in/b.png",
        "in/deep/c.png",
        "a [1].jpg",
    ]
    assert names(str(tmp_path / "in" / "*.png")) == ["in/b.png"]
    assert names([str(tmp_path / "**" / "*.png")]) == ["in/b.png", "in/deep/c.png"]
    assert names(np.zeros((2, 8, 8, 3), np.uint8)) == ["index 0", "index 1"]
    for wrong in ("nothing.jpg", "*.gif"):
        with pytest.raises(UsageError):
            names(str(tmp_path / wrong))
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError):
        names(tmp_path / "bare")


def test_every_row_of_a_table_is_asked_about_an_empty_one_too(tmp_path):
    """A line an input: answers stay beside their rows."""
    (tmp_path / "t.csv").write_text("path,note\na.png,1\n,2\nNA,3\nb.png,4\n", encoding="utf-8")
    found = open_unlabelled([tmp_path / "t.csv"], IMAGES)
    assert [e.name for e in found] == ["a.png", "row 2", "row 3", "b.png"]
    assert not found[1].item.exists() and found[3].item == tmp_path / "b.png"
