"""The activation cache against a dict, damage, a full disk and its own bounds."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.errors import ArtefactError, TrainingError
from tutelage.features import eviction
from tutelage.features.cache import ActivationCache, Key

E1, E2, E3 = ("1" * 64, "2" * 64, "3" * 64)
LAYOUT = {"x": ((5,), "<f2"), "mask": ((2, 3), "|b1")}
PLENTY = 2**40


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def key(number: int, view: int = 0) -> Key:
    return digest(number), view


def row(of: Key) -> dict[str, np.ndarray]:
    """The one right answer for a key, by another road than the cache."""
    state = np.random.default_rng([int(of[0][:12], 16), of[1]])
    return {"x": state.normal(size=5).astype("<f2"), "mask": state.random((2, 3)) < 0.5}


def rows(keys: list[Key]) -> dict[str, np.ndarray]:
    return {name: np.stack([row(k)[name] for k in keys]) for name in LAYOUT}


def fill(root: Path, extractor: str, numbers: range, budget: int = PLENTY) -> list[Key]:
    keys = [key(n) for n in numbers]
    with ActivationCache(root, budget=budget).open(extractor, LAYOUT, {}) as store:
        store.append(keys, rows(keys))
    return keys


def shards(root: Path, extractor: str = E1) -> list[Path]:
    return sorted((root / "activations" / extractor).glob("*.safetensors"))


def same(found: dict[str, np.ndarray], keys: list[Key]) -> None:
    expected = rows(keys)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


small = st.integers(0, 12).map(lambda n: key(n % 7, n // 7))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["append", "ask", "reopen"]), st.lists(small, min_size=1)))
)
def test_a_store_behaves_like_a_dict(steps: list[tuple[str, list[Key]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache, known = ActivationCache(Path(folder), budget=PLENTY), set[Key]()
        opened = cache.open(E1, None, {})
        store = opened.__enter__()
        for what, keys in steps:
            if what == "append":
                store.append(keys, rows(keys))
                known |= set(keys)
            elif what == "reopen":
                opened.__exit__(None, None, None)
                opened = cache.open(E1, None, {})
                store = opened.__enter__()
            assert store.missing(keys) == [k for k in dict.fromkeys(keys) if k not in known]
            there = [k for k in keys if k in known]
            if there:
                gathered = store.rows(there)
                same(gathered.read(0, len(there)), there)
                order = np.arange(len(there))[::-1]
                same(gathered.take(order), there[::-1])
        opened.__exit__(None, None, None)


@contextmanager
def few_handles(more: int) -> Iterator[None]:
    """Let this process open at most ``more`` files beyond those that it has open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + more, hard)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_rows_come_in_the_order_asked_across_shards_and_blocks(tmp_path: Path) -> None:
    keys = [key(n, v) for n in range(300) for v in range(2)]
    shuffled = [keys[i] for i in np.random.default_rng(0).permutation(600)]
    with ActivationCache(tmp_path, budget=PLENTY).open(E1, None, {}) as store:
        assert store.layout is None
        for start in range(0, 600, 7):
            store.append(keys[start : start + 7], rows(keys[start : start + 7]))
        assert store.shards_written == 86 and store.rows_written == 600
        gathered = store.rows(shuffled)
        with few_handles(80):  # fewer than there are shards
            blocks = list(gathered.blocks(128))
        assert [len(b["x"]) for b in blocks] == [128, 128, 128, 128, 88]
        same({name: np.concatenate([b[name] for b in blocks]) for name in LAYOUT}, shuffled)
        assert len(gathered) == 600 and gathered.layout == LAYOUT and store.rows_read == 600
        assert len(store.rows([])) == 0 and store.rows([]).read(0, 5)["x"].shape == (0, 5)


def test_a_store_reopened_without_layout_knows_it(tmp_path: Path) -> None:
    fill(tmp_path, E1, range(3))
    cache = ActivationCache(tmp_path, budget=PLENTY)
    with cache.open(E1, None, {}) as store:
        assert store.layout == LAYOUT
        with pytest.raises(ArtefactError, match="rows of"):
            store.append([key(1)], {"x": np.zeros((1, 6), "<f2")})
        with pytest.raises(ValueError, match="1 keys"):
            store.append([key(1)], rows([key(1), key(2)]))
        with pytest.raises(ValueError, match="cannot keep"):
            store.append([key(1)], {"keys": np.zeros((1, 6), "<f2")})
        with pytest.raises(ValueError, match="64 hex"):
            store.missing([("abc", 0)])
    with pytest.raises(ValueError, match="64 hex"), cache.open("../escape", None, {}):
        pass


def test_rows_that_are_not_there_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    keys = fill(tmp_path, E1, range(3))
    with ActivationCache(tmp_path, budget=PLENTY).open(E1, None, {}) as store:
        with pytest.raises(ArtefactError, match="1 of 4 activations") as caught:
            store.rows([*keys, key(99)])
        assert "Run the same command again" in caught.value.next


def test_another_store_sees_what_was_appended_meanwhile(tmp_path: Path) -> None:
    cache = ActivationCache(tmp_path, budget=PLENTY)
    with cache.open(E1, None, {}) as one, cache.open(E1, None, {}) as two:
        one.append([key(1)], rows([key(1)]))
        same(two.rows([key(1)]).read(0, 1), [key(1)])
        assert two.layout == LAYOUT
        two.append([key(1), key(2)], rows([key(1), key(2)]))  # a row twice: harmless
        assert one.missing([key(2), key(3), key(1), key(3)]) == [key(3)]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def truncate(path: Path, to: int) -> None:
    with path.open("r+b") as stream:
        stream.truncate(to)


def test_any_flipped_byte_and_any_truncation_is_noticed(tmp_path: Path) -> None:
    fill(tmp_path, E1, range(2))
    (path,) = shards(tmp_path)
    whole = path.read_bytes()
    for at in [*range(0, len(whole), 3), len(whole) - 1]:
        for harm in (flip, truncate):
            path.write_bytes(whole)
            harm(path, at)
            with ActivationCache(tmp_path, budget=PLENTY).open(E1, None, {}) as store:
                assert store.missing([key(0), key(1)]) == [key(0), key(1)], (harm, at)
                assert store.damaged == 1 and path.name in store.set_aside
                assert harm is flip or " has " in store.set_aside[path.name]
            assert not path.exists() and path.with_name(path.name + ".damaged").exists()


def test_damage_costs_only_its_own_rows_and_they_can_be_written_again(tmp_path: Path) -> None:
    first, second = fill(tmp_path, E1, range(4)), fill(tmp_path, E1, range(2, 8))
    for path in shards(tmp_path):
        if path.stat().st_size == min(p.stat().st_size for p in shards(tmp_path)):
            flip(path, path.stat().st_size - 4 * 36 - 1)  # the last byte of the rows
    everything = list(dict.fromkeys(first + second))
    with ActivationCache(tmp_path, budget=PLENTY).open(E1, None, {}) as store:
        assert store.missing(everything) == first[:2]  # the other shard's copies took over
        same(store.rows(second).read(0, 6), second)
        store.append(first[:2], rows(first[:2]))
        same(store.rows(everything).read(0, 8), everything)


def test_damage_found_only_when_reading_is_an_error_not_a_wrong_row(tmp_path: Path) -> None:
    keys = fill(tmp_path, E1, range(4))
    with ActivationCache(tmp_path, budget=PLENTY).open(E1, None, {}) as store:
        (path,) = shards(tmp_path)
        flip(path, path.stat().st_size - 36 * 4 - 1)  # after the keys were read, before the rows
        with pytest.raises(ArtefactError, match="4 of 4"):
            store.rows(keys)
        assert store.missing(keys) == keys and store.damaged == 1


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"layout": 3}', "swap"])
def test_a_damaged_description_is_rebuilt_from_the_shards(tmp_path: Path, text: str) -> None:
    keys = fill(tmp_path, E1, range(4))
    path = tmp_path / "activations" / E1 / "extractor.json"
    path.write_text(path.read_text().replace("<f2", "<f4") if text == "swap" else text)
    with ActivationCache(tmp_path, budget=PLENTY).open(E1, None, {"teacher": "t"}) as store:
        assert store.damaged == 1 and store.missing(keys) == []
        assert store.layout == LAYOUT
    with ActivationCache(tmp_path, budget=PLENTY).open(E1, None, {}) as store:
        assert store.damaged == 0
    assert ActivationCache(tmp_path, budget=PLENTY).sizes()[0].facts == {"teacher": "t"}


def test_another_layout_under_the_same_name_sets_the_old_rows_aside(tmp_path: Path) -> None:
    keys = fill(tmp_path, E1, range(4))
    other = {"x": ((6,), "<f4")}
    with ActivationCache(tmp_path, budget=PLENTY).open(E1, other, {}) as store:
        assert store.missing(keys) == keys and store.damaged == 2 and store.layout == other


def test_a_shard_of_another_extractor_is_not_believed(tmp_path: Path) -> None:
    keys = fill(tmp_path, E1, range(4))
    fill(tmp_path, E2, range(1))
    (path,) = shards(tmp_path)
    path.rename(tmp_path / "activations" / E2 / path.name)
    with ActivationCache(tmp_path, budget=PLENTY).open(E2, None, {}) as store:
        assert store.missing(keys) == keys[1:] and store.damaged == 1


def test_a_shard_removed_by_hand_is_an_error_in_words(tmp_path: Path) -> None:
    keys = fill(tmp_path, E1, range(4))
    with ActivationCache(tmp_path, budget=PLENTY).open(E1, None, {}) as store:
        gathered = store.rows(keys)
        shards(tmp_path)[0].unlink()
        with pytest.raises(ArtefactError, match="went away"):
            gathered.read(0, 4)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "tiny"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True)  # fmt: skip
    if made.returncode:
        pytest.skip("Mounting a tiny disk is not permitted here.")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_one_clear_error_and_costs_no_row(tiny_disk: Path) -> None:
    cache, done = ActivationCache(tiny_disk, budget=PLENTY), []
    with cache.open(E1, None, {}) as store:
        with pytest.raises(TrainingError) as caught:
            for n in range(100):
                store.append([key(n)], {"x": np.full((1, 16000), n, "<f2")})
                done.append(key(n))
        assert caught.value.kind == "disk-full" and "Free some space" in caught.value.next
        assert 3 <= len(done) <= 8
    assert not list(tiny_disk.rglob("*.part"))
    with ActivationCache(tiny_disk, budget=PLENTY).open(E1, None, {}) as store:  # warm, still full
        assert store.missing([*done, key(99)]) == [key(99)] and store.damaged == 0
        read = store.rows(done).read(0, len(done))["x"]
        np.testing.assert_array_equal(read[:, 0], np.arange(len(done)))


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="TUTELAGE_CACHE"):  # noqa: SIM117
        with ActivationCache(tmp_path / "file", budget=1).open(E1, None, {}):
            pass


def test_what_a_kill_left_half_written_is_swept_when_nobody_else_is_there(tmp_path: Path) -> None:
    fill(tmp_path, E1, range(2))
    orphan = tmp_path / "activations" / E1 / ".abc.xyz.part"
    orphan.write_bytes(b"half")
    cache = ActivationCache(tmp_path, budget=PLENTY)
    with cache.open(E1, None, {}):
        assert not orphan.exists()
        orphan.write_bytes(b"being written by the store that is open")
        with cache.open(E1, None, {}):
            assert orphan.exists()


def used(root: Path, extractor: str, second: int) -> None:
    os.utime(root / "activations" / extractor / "used", (second, second))


def test_the_least_recently_used_extractor_goes_first_and_whole(tmp_path: Path) -> None:
    for extractor, second in ((E1, 30), (E2, 10), (E3, 20)):
        fill(tmp_path, extractor, range(50))
        used(tmp_path, extractor, second)
    held = ActivationCache(tmp_path, budget=PLENTY).sizes()
    assert [(h.extractor, h.rows) for h in held] == [(E2, 50), (E3, 50), (E1, 50)]
    cache = ActivationCache(tmp_path, budget=held[0].bytes * 2)
    assert cache.evict() == [E2] and cache.evict() == []
    assert [h.extractor for h in cache.sizes()] == [E3, E1] and not cache.over_budget
    with cache.open(E3, None, {}):  # opening is using
        pass
    assert ActivationCache(tmp_path, budget=held[0].bytes).evict() == [E1]
    assert not (tmp_path / "activations" / E1).exists()


def test_what_is_in_use_is_never_evicted_and_the_excess_is_told(tmp_path: Path) -> None:
    for extractor, second in ((E1, 10), (E2, 20)):
        fill(tmp_path, extractor, range(50))
        used(tmp_path, extractor, second)
    cache = ActivationCache(tmp_path, budget=PLENTY)
    with cache.open(E1, None, {}) as store:
        greedy = ActivationCache(tmp_path, budget=1)
        assert greedy.evict() == [E2] and greedy.over_budget
        same(store.rows([key(3)]).read(0, 1), [key(3)])
        assert not store.over_budget
    assert greedy.evict() == [E1] and not greedy.over_budget


def test_what_was_used_since_it_was_listed_is_not_evicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, E1, range(50))
    listed = eviction.holdings(tmp_path / "activations")
    monkeypatch.setattr(eviction, "holdings", lambda _: listed)
    used(tmp_path, E1, 10)
    assert ActivationCache(tmp_path, budget=1).evict() == []


def test_appending_evicts_before_it_grows(tmp_path: Path) -> None:
    fill(tmp_path, E1, range(50))
    used(tmp_path, E1, 10)
    size = ActivationCache(tmp_path, budget=PLENTY).sizes()[0].bytes
    keys = [key(n) for n in range(50)]
    with ActivationCache(tmp_path, budget=size * 3 // 2).open(E2, LAYOUT, {}) as store:
        assert (tmp_path / "activations" / E1).exists() and not store.over_budget
        store.append(keys, rows(keys))
        assert not (tmp_path / "activations" / E1).exists() and not store.over_budget
        store.append([key(n + 50) for n in range(50)], rows(keys))
        assert store.over_budget and store.missing(keys) == []  # never refused
    with ActivationCache(tmp_path, budget=size).open(E3, None, {}) as store:  # opening evicts too
        assert not (tmp_path / "activations" / E2).exists() and not store.over_budget


def test_what_other_processes_write_counts_too_before_long(tmp_path: Path) -> None:
    budget = 60_000
    with ActivationCache(tmp_path, budget=budget).open(E1, None, {}) as store:
        fill(tmp_path, E2, range(1000))  # by somebody with another idea of the budget
        assert ActivationCache(tmp_path, budget=budget).sizes()[-1].bytes > budget * 0.8
        for n in range(50):
            store.append([key(n)], rows([key(n)]))
        assert not (tmp_path / "activations" / E2).exists()


def test_the_default_budget_is_a_quarter_of_what_could_be_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, E1, range(50))
    held = ActivationCache(tmp_path, budget=PLENTY).sizes()[0].bytes
    for free, expected in ((4 * held, 5 * held // 4), (2**60, 20 * 2**30)):
        disk = SimpleNamespace(free=free)
        monkeypatch.setattr("shutil.disk_usage", lambda _, disk=disk: disk)
        assert ActivationCache(tmp_path).budget == expected
    assert ActivationCache(tmp_path / "not" / "there").budget == 20 * 2**30


def test_reading_in_blocks_holds_one_block(tmp_path: Path) -> None:
    keys = [key(n) for n in range(10_000)]
    with ActivationCache(tmp_path, budget=PLENTY).open(E1, None, {}) as store:
        for start in range(0, 10_000, 2_500):
            store.append(keys[start : start + 2_500], {"x": np.full((2_500, 1280), start, "<f2")})
        tracemalloc.start()
        try:
            gathered = store.rows(keys)
            index, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            for block in gathered.blocks(1024):
                assert block["x"].shape[1] == 1280
                del block
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert index < 2e6  # one place of 8 bytes a row, and nothing else of size N
    assert peak - index < 1.1 * 1024 * 1280 * 2


def test_the_index_is_compact_and_takes_a_hundred_thousand_rows(tmp_path: Path) -> None:
    for start in range(0, 100_000, 20_000):
        keys = [key(n) for n in range(start, start + 20_000)]
        with ActivationCache(tmp_path, budget=PLENTY).open(E1, None, {}) as store:
            store.append(keys, {"x": np.arange(start, start + 20_000, dtype="<i4")[:, None]})
    tracemalloc.start()
    try:
        with ActivationCache(tmp_path, budget=PLENTY).open(E1, None, {}) as store:
            index, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    with ActivationCache(tmp_path, budget=PLENTY).open(E1, None, {}) as store:
        wanted = [key(n) for n in range(0, 100_000, 9)]
        np.testing.assert_array_equal(store.rows(wanted).read(0, len(wanted))["x"][:, 0], np.arange(0, 100_000, 9))  # fmt: skip
    assert index < 30e6
