import hashlib
import json
import multiprocessing
import subprocess

import numpy as np
import pytest

from tutelage.errors import ArtefactError, TrainingError
from tutelage.files import (
    atomic,
    canonical_json,
    claim_folder,
    digest_arrays,
    digest_bytes,
    digest_file,
    lock,
    read_arrays,
    read_json,
    write_arrays,
    write_csv,
    write_json,
)  # fmt: skip
from tutelage.run import safe_name


def test_digests_are_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert (
        digest_file(tmp_path / "a")
        == digest_bytes(b"a", b"bc")
        == hashlib.sha256(b"abc").hexdigest()
    )


def test_canonical_json_does_not_depend_on_order():
    assert canonical_json({"b": 1, "a": [1.5, "é"]}) == '{"a":[1.5,"é"],"b":1}'.encode()
    with pytest.raises(ValueError):
        canonical_json({"a": float("nan")})


def test_digest_of_arrays_sees_name_dtype_shape_and_bytes():
    base = {"a": np.zeros((2, 3), np.float32)}
    others = [
        {"b": base["a"]},
        {"a": base["a"].T},
        {"a": base["a"].astype(np.int32)},
        {"a": base["a"] + 1},
    ]
    assert len({digest_arrays(x) for x in [base, *others]}) == 5


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    target = tmp_path / "x"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic(target) as stream:
        stream.write(b"half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_arrays_come_back_with_scalars_and_order(tmp_path):
    arrays = {
        "scalar": np.int64(7),
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "half": np.ones(3, np.float16),
    }
    write_arrays(tmp_path / "a.safetensors", arrays)
    back = read_arrays(tmp_path / "a.safetensors")
    assert back["scalar"].shape == () and back["scalar"] == 7
    assert np.array_equal(back["f"], arrays["f"]) and back["half"].dtype == np.float16


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-5],
        lambda b: b"",
        lambda b: b"\xff" * 8 + b[8:],
        lambda b: b[:8] + b"{" + b[9:12],
    ],
)
def test_damaged_arrays_are_one_clear_error(tmp_path, damage):
    path = tmp_path / "a.safetensors"
    write_arrays(path, {"a": np.arange(10)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_arrays(path)


def test_missing_and_broken_json(tmp_path):
    with pytest.raises(ArtefactError, match="not there"):
        read_json(tmp_path / "no.json")
    (tmp_path / "bad.json").write_text('{"a": ')
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_json(tmp_path / "bad.json")


def test_a_run_folder_is_never_taken_twice(tmp_path):
    names = [claim_folder(tmp_path / "fit", "photos").name for _ in range(3)]
    assert names == ["photos", "photos-2", "photos-3"]


def _claim(folder, queue):
    queue.put(claim_folder(folder, "photos").name)


def test_folders_claimed_by_two_processes_differ(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=_claim, args=(tmp_path, queue)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(queue.get() for _ in workers) == ["photos", "photos-2", "photos-3", "photos-4"]


def test_an_exclusive_lock_keeps_others_out(tmp_path):
    with lock(tmp_path / "l") as first, lock(tmp_path / "l", wait=False) as second:
        assert (first, second) == (True, False)
    with lock(tmp_path / "l", shared=True), lock(tmp_path / "l", shared=True, wait=False) as also:
        assert also


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    mount = tmp_path / "small"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a tiny file system needs root")
    try:
        with pytest.raises(TrainingError) as caught:
            write_arrays(mount / "big.safetensors", {"a": np.zeros(10**6)})
        assert caught.value.kind == "disk-full"
        assert list(mount.iterdir()) == []
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_csv_keeps_brackets_commas_and_emoji(tmp_path):
    write_csv(tmp_path / "t.csv", [{"name": 'a, "b" (1) 🦜', "part": "train"}], ("name", "part"))
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()[
        1
    ] == '"a, ""b"" (1) 🦜",train'


@pytest.mark.parametrize(
    ("text", "name"),
    [("my photos (1)", "my-photos-1"), ("../..", "run"), ("été 🦜", "été"), ("a/b", "a-b")],
)
def test_run_names_are_safe(text, name):
    assert safe_name(text) == name


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "x.json", {"a": float("inf")})
    write_json(tmp_path / "x.json", {"a": 1})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 1}
