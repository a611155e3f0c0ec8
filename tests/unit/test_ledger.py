"""The ledger: counters that wrap around, on a made-up machine; memory, paces, and a real run's figures."""

import json
import mmap
import os
import sys
import time
from pathlib import Path

import pytest

from tutelage import meter, run
from tutelage.api import fit_run
from tutelage.meter import Energy, Meter
from tutelage.report import ledger
from tutelage.run import Pace, Run, metered

sys.path.insert(0, str(Path(__file__).parents[1] / "stories"))
from kit import digits

RANGE = 262_143_328_850
ZONES = {
    "intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram",
    "intel-rapl:1": "package-1", "intel-rapl:2": "psys", "intel-rapl-mmio:0": "package-0",
}  # fmt: skip


@pytest.fixture
def machine(tmp_path):
    """A folder like Linux's ``/sys/class/powercap``, and how to set its counters (microjoules)."""
    for zone, name in ZONES.items():
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "name").write_text(name + "\n")
        (tmp_path / zone / "max_energy_range_uj").write_text(f"{RANGE}\n")

    def tell(**counters):
        for zone, name in ZONES.items():
            value = counters.get(name.replace("-", "_"), 10**11)
            (tmp_path / "new").write_text(f"{value}\n")
            os.replace(tmp_path / "new", tmp_path / zone / "energy_uj")  # whole, as the real one

    tell()
    return tmp_path, tell


# Energy


def test_packages_and_memory_add_up_and_their_parts_do_not(machine):
    root, tell = machine
    energy = Energy(root)
    tell(package_0=10**11 + 5_000_000, package_1=10**11 + 2_000_000, dram=10**11 + 1_000_000,
         core=10**11 + 4_000_000, psys=10**11 + 9_000_000)  # fmt: skip
    energy.look()
    assert energy.joules == pytest.approx(5 + 2 + 1)
    assert "whole machine" in energy.because


def test_a_counter_that_wrapped_around_goes_on(machine):
    root, tell = machine
    tell(package_0=RANGE - 3_000_000)
    energy = Energy(root)
    tell(package_0=4_000_000)
    energy.look()
    assert energy.joules == pytest.approx(7)
    tell(package_0=RANGE - 1_000_000)
    energy.look()
    tell(package_0=1_000_000)
    energy.look()
    assert energy.joules == pytest.approx(7 + (RANGE - 5_000_000) / 1e6 + 2)


def test_where_there_is_no_counter_it_says_so(tmp_path):
    for root in (tmp_path, tmp_path / "missing"):
        energy = Energy(root)
        energy.look()
        assert energy.joules is None and "no energy counter" in energy.because


def test_where_a_counter_is_for_the_administrator_it_says_so(machine, monkeypatch):
    def forbidden(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(meter, "_number", forbidden)
    energy = Energy(machine[0])
    assert energy.joules is None and "administrator only" in energy.because


@pytest.mark.parametrize("broken", ["", "n/a\n"])
def test_a_counter_that_stops_telling_makes_the_figure_none(machine, broken):
    root, _ = machine
    energy = Energy(root)
    (root / "intel-rapl:0" / "energy_uj").write_text(broken)
    energy.look()
    energy.look()
    assert energy.joules is None and "stopped telling" in energy.because


def test_one_counter_that_cannot_be_read_does_not_make_half_a_figure(machine):
    root, _ = machine
    (root / "intel-rapl:1" / "energy_uj").unlink()
    energy = Energy(root)
    assert energy.joules is None and "cannot be read" in energy.because


# The meter


def test_the_meter_sees_memory_that_is_gone_again_and_wrapping_counters(machine, monkeypatch):
    root, tell = machine
    monkeypatch.setattr(meter, "SELDOM", 0.02)
    with Meter(root) as told:
        before = told.peak_memory
        size = 200_000_000  # of fresh pages: an allocator may have kept some from earlier tests
        with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
            block.write(b"1" * size)
            time.sleep(0.3)
        for value in (RANGE - 1, 1_800_000_000, RANGE - 1, 1_800_000_000):
            tell(package_0=value)
            time.sleep(0.3)
        assert told.peak_memory > before + 150e6
        watt_hours, _ = told.energy
    gained = (RANGE - 1 - 10**11) + 2 * 1_800_000_001 + (RANGE - 1 - 1_800_000_000)
    assert watt_hours == pytest.approx(gained / 1e6 / 3600, rel=1e-6)
    assert told.wall_seconds > 1.5


def test_a_meter_that_nobody_entered_tells_nothing():
    told = Meter()
    assert (told.peak_memory, told.wall_seconds, told.processor_seconds) == (None, None, None)
    assert told.energy == (None, "it was not metered")


def test_a_run_is_metered_between_enter_and_exit(tmp_path):
    told = Run(tmp_path)
    with metered(told):
        assert told.meter.wall_seconds is not None
    assert told.inner().meter is told.meter and told.inner().seconds is not told.seconds


# Paces


def test_a_pace_leaves_out_what_comes_before_the_first_step_and_between_stretches(monkeypatch):
    clock = iter([100.0, 101.0, 102.0, 500.0, 502.0])
    monkeypatch.setattr(run.time, "perf_counter", lambda: next(clock))
    pace = Pace()
    for done, total in ((16, 48), (32, 48), (48, 48), (49, 81), (81, 81)):
        pace.step(done, total)
    assert (pace.items, pace.seconds) == (16 + 16 + 32, 1 + 1 + 2)
    assert pace.rate == 16


def test_a_single_step_has_no_pace():
    pace = Pace()
    pace.step(10, 10)
    assert pace.rate is None


# A real run


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """The same photos twice, in a cache where no other test has left a row of them."""
    root = tmp_path_factory.mktemp("ledger")
    photos = digits(root / "digits", classes=3, each=30)
    with pytest.MonkeyPatch.context() as own:
        own.setenv("TUTELAGE_CACHE", str(root / "cache"))
        return [fit_run(photos, out=root / "runs", mode="deep") for _ in range(2)], root


def test_what_a_run_cost(fitted):
    (first, again), _ = fitted
    cost = first.results["cost"]
    assert json.loads(json.dumps(cost, allow_nan=False)) == cost
    seconds = cost["seconds"]
    assert 0 < sum(seconds["phases"].values()) <= seconds["wall"]
    assert {"check", "features", "head", "evaluate"} <= set(seconds["phases"])
    assert seconds["processor"] > 0
    assert cost["images_per_second"] > 1
    assert cost["bottleneck"].rpartition("bottleneck is ")[2] in (
        "decoding",
        "the network",
        "the disk",
    )
    spent = first.results["counters"]["seconds"]
    assert (
        0 < spent["waiting"] + spent["writing"] <= spent["all"] <= seconds["wall"]
        and spent["decoding"] > 0
    )
    assert again.results["cost"]["bottleneck"] == ""
    assert cost["peak_memory_bytes"] > 50e6
    assert cost["parameters"] == first.results["parameters"]
    counters = first.results["counters"]
    assert cost["rows"] == {"computed": counters["rows_computed"], "reused": counters["rows_reused"]}  # fmt: skip
    assert cost["energy"]["because"] and (cost["energy"]["watt_hours"] or 0) >= 0
    assert again.results["cost"]["images_per_second"] is None
    assert again.results["cost"]["cache_bytes_written"] == 0


def test_bytes_written_are_those_of_the_files(fitted):
    (first, _), root = fitted
    written = first.results["cost"]["cache_bytes_written"]
    rows = first.results["cost"]["rows"]["computed"]
    width = first.student.facts.card.width
    assert rows * width * 2 <= written <= sum(p.stat().st_size for p in (root / "cache" / "activations").rglob("*.safetensors"))  # fmt: skip


def test_it_is_on_the_page_and_in_the_results_but_does_not_travel_with_the_student(fitted):
    (first, _), _ = fitted
    page = (first.run / "report.html").read_text()
    assert "What it cost" in page and "memory at most" in page
    cost = first.results["cost"]
    assert f"{cost['peak_memory_bytes'] / 2**20:.0f} MiB" in page
    assert json.loads((first.run / "results.json").read_text())["cost"] == cost
    assert "cost" not in json.loads((first.run / "student" / "results.json").read_text())


def test_for_people_what_is_not_known_is_said(fitted):
    (first, _), _ = fitted
    cost = {**first.results["cost"], "images_per_second": None, "peak_memory_bytes": None}
    cost["energy"] = {"watt_hours": None, "because": "this machine has no counter"}
    rows = dict(ledger.as_rows(cost))
    assert rows["memory at most"] == "not told by this machine"
    assert rows["energy"] == "not told: this machine has no counter"
    assert "from the cache" in rows["through the frozen network"]
    cost["energy"] = {"watt_hours": 0.1234, "because": "the processors"}
    assert dict(ledger.as_rows(cost))["energy"] == "0.123 Wh, the processors"
