"""One shard: a valid safetensors file, whatever the dtypes, that later versions can tell from theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from tutelage.errors import ArtefactError
from tutelage.features import shard

EXTRACTOR = "e" * 64
KEYS = [("0" * 62 + f"{n:02x}", n) for n in range(7)]
PACKED = [shard.pack(key) for key in KEYS]
DTYPES = ["|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8"]


def everything() -> dict[str, np.ndarray]:
    """One tensor a dtype, odd shapes, so that nothing is aligned by luck."""
    rng = np.random.default_rng(0)
    many = {f"t{d[1:]}": rng.integers(0, 2, (7, 3, 1)).astype(d) for d in DTYPES}
    return {**many, "scalar": np.arange(7.0), "none": np.zeros((7, 0, 2), "<f4"), "turned": rng.normal(size=(2, 7)).T}  # fmt: skip


def test_the_library_reads_what_we_write(tmp_path: Path) -> None:
    rows = everything()
    written = shard.write(tmp_path, EXTRACTOR, PACKED, rows)
    tensors = load_file(written.path)
    assert tensors.pop("keys").tobytes() == b"".join(PACKED)
    assert PACKED[5] == bytes(31) + bytes([5]) + (5).to_bytes(4, "little")
    assert tensors.keys() == rows.keys()
    with safe_open(written.path, "np") as file:
        assert file.metadata()["sha256"] == written.sha256
    for name, array in rows.items():
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)


def test_we_read_what_we_wrote(tmp_path: Path) -> None:
    rows = everything()
    written = shard.write(tmp_path, EXTRACTOR, PACKED, rows)
    found = shard.read(written.path, EXTRACTOR)
    assert found == written and found.layout == shard.layout_of(rows) and found.rows == 7
    found.verify()
    assert found.keys() == PACKED
    for name, array in found.map().items():
        assert array.flags.aligned and not array.flags.writeable
        np.testing.assert_array_equal(array, rows[name])


def test_a_newer_format_is_passed_over_and_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard, "FORMAT", "2")
    newer = shard.write(tmp_path, EXTRACTOR, PACKED, everything()).path
    monkeypatch.undo()
    assert shard.read(newer, EXTRACTOR) is None


def test_two_shards_of_the_same_rows_never_share_a_name(tmp_path: Path) -> None:
    names = {shard.write(tmp_path, EXTRACTOR, PACKED, everything()).path for _ in range(3)}
    assert len(names) == 3


@pytest.mark.parametrize("content", [b"", b"1234", b"\xff" * 8 + b"x" * 100, bytes(8)])
def test_what_is_no_shard_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "abc.safetensors"
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match="header has changed"):
        shard.read(path, EXTRACTOR)


@pytest.mark.parametrize("array", [np.zeros(7, ">f4"), np.zeros(7, "U3"), np.zeros(7, "c8"), np.float32(1)])  # fmt: skip
def test_what_cannot_be_kept_is_refused_by_name(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="'x'"):
        shard.layout_of({"x": np.asarray(array)})
