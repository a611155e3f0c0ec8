"""The activation cache under several real processes, and under kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tutelage.features.cache import ActivationCache, Key

E1, E2 = "1" * 64, "2" * 64
PLENTY = 2**40

COMMON = """
import hashlib, sys
from pathlib import Path
import numpy as np
from tutelage.features.cache import ActivationCache
def key(n): return hashlib.sha256(str(n).encode()).hexdigest(), 0
def rows(ns): return {"x": np.repeat(np.array(ns, "<f4")[:, None], 3000, 1)}
root, one, two = Path(sys.argv[1]), "1" * 64, "2" * 64
"""

WRITER = COMMON + """
with ActivationCache(root, budget=2**40).open(one, None, {"who": "writer"}) as store:
    n = int(sys.argv[2])
    while n < int(sys.argv[3]):
        store.append([key(n + i) for i in range(4)], rows(range(n, n + 4)))
        print(n + 4, flush=True)
        n += 4
"""  # fmt: skip

CHURN = COMMON + """
mine = sys.argv[2] * 64
cache = ActivationCache(root, budget=60_000)
for turn in range(40):
    with cache.open(mine, None, {}) as store:
        wanted = [key(n) for n in range(4)]
        for lacking in store.missing(wanted):
            store.append([lacking], rows([wanted.index(lacking)]))
        gathered = store.rows(wanted)
        for start in range(4):
            assert (gathered.read(start, start + 1)["x"] == start).all()
        assert store.damaged == 0
    cache.evict()
"""  # fmt: skip

HOLDER = COMMON + """
with ActivationCache(root, budget=2**40).open(one, None, {}) as store:
    store.append([key(0)], rows([0]))
    print("open", flush=True)
    sys.stdin.read()
"""  # fmt: skip


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def key(number: int) -> Key:
    import hashlib

    return hashlib.sha256(str(number).encode()).hexdigest(), 0


def sound(root: Path, numbers: list[int]) -> None:
    """Every one of the rows is there and right."""
    with ActivationCache(root, budget=PLENTY).open(E1, None, {}) as store:
        assert store.damaged == 0
        assert store.missing([key(n) for n in numbers]) == []
        for at, block in enumerate(store.rows([key(n) for n in numbers]).blocks(64)):
            expected = np.array(numbers[at * 64 : at * 64 + 64], "<f4")
            np.testing.assert_array_equal(block["x"], np.repeat(expected[:, None], 3000, 1))


def test_killed_at_any_moment_it_stays_sound(tmp_path: Path) -> None:
    promised, rng = 0, np.random.default_rng(0)
    for _ in range(8):
        writer = start(WRITER, tmp_path, promised, 10**9)
        assert writer.stdout is not None
        promised = int(writer.stdout.readline())
        time.sleep(float(rng.uniform(0, 0.15)))
        os.kill(writer.pid, signal.SIGKILL)
        promised = max([promised, *(int(n) for n in writer.stdout.read().split("\n")[:-1])])
        assert writer.wait() == -signal.SIGKILL
        sound(tmp_path, list(range(promised)))
    assert promised > 32
    assert not list(tmp_path.rglob("*.part"))


def test_two_processes_fill_one_extractor_at_once(tmp_path: Path) -> None:
    writers = [start(WRITER, tmp_path, 0, 200), start(WRITER, tmp_path, 100, 300)]
    assert [w.communicate(timeout=60) and w.returncode for w in writers] == [0, 0]
    sound(tmp_path, list(range(300)))


def test_opening_and_evicting_at_once_takes_nothing_from_under_a_reader(tmp_path: Path) -> None:
    crowd = [start(CHURN, tmp_path, name) for name in "1221"]
    assert [p.communicate(timeout=120) and p.returncode for p in crowd] == [0, 0, 0, 0]


def test_another_process_that_holds_an_extractor_keeps_it_and_its_death_lets_go(tmp_path: Path) -> None:  # fmt: skip
    holder = start(HOLDER, tmp_path)
    assert holder.stdout is not None and holder.stdout.readline() == "open\n"
    greedy = ActivationCache(tmp_path, budget=1)
    assert greedy.evict() == [] and greedy.over_budget
    holder.kill()
    holder.wait()
    assert greedy.evict() == [E1]
