"""The meter: what a run takes of its machine (memory, processor time, energy), sampled beside it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tutelage.runtime import PeakMemory, anonymous_memory

POWERCAP = Path("/sys/class/powercap")
"""Where Linux keeps the processors' energy counters (RAPL), of Intel and AMD alike."""

OFTEN, SELDOM = 0.05, 10.0
"""Seconds between looks at memory, and at energy: a counter wraps around in minutes at the soonest."""

JOULES = 3600.0
"""In a watt-hour."""


class Meter:
    """Use as a context manager. Until it is entered, and where the machine does not tell, figures are None.

    Args:
        powercap: folder of the energy counters.

    Attributes:
        began: when it was entered, in seconds since 1970.
    """

    def __init__(self, powercap: Path = POWERCAP) -> None:
        self.began = time.time()
        self._powercap = powercap
        self._clocks = (time.perf_counter(), time.process_time())
        self._memory = PeakMemory(OFTEN)
        self._energy: Energy | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Meter:
        self.began, self._clocks = time.time(), (time.perf_counter(), time.process_time())
        self._energy = Energy(self._powercap)
        self._memory.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._memory.__exit__()
        self._thread.join()

    def _watch(self) -> None:
        while self._energy and not self._stop.wait(SELDOM):
            self._energy.look()

    @property
    def wall_seconds(self) -> float | None:
        """Since it was entered."""
        return time.perf_counter() - self._clocks[0] if self._energy else None

    @property
    def processor_seconds(self) -> float | None:
        """Of all cores together, by this process."""
        return time.process_time() - self._clocks[1] if self._energy else None

    @property
    def peak_memory(self) -> int | None:
        """Bytes of anonymous memory that this process held at most."""
        return (max(self._memory.peak, anonymous_memory()) or None) if self._energy else None

    @property
    def energy(self) -> tuple[float | None, str]:
        """Watt-hours so far, and of what; or None, and why."""
        if self._energy is None:
            return None, "it was not metered"
        self._energy.look()
        joules = self._energy.joules
        return (None if joules is None else joules / JOULES), self._energy.because


class Energy:
    """Joules that the processors took since it was made, whoever used them.

    Adds the counters of the packages, and of memory where that has its own; those of cores and graphics are
    parts of a package, and that of the whole platform includes it.

    Args:
        root: folder of the counters, ``intel-rapl:*`` with ``name``, ``energy_uj`` and
            ``max_energy_range_uj``.

    Attributes:
        joules: None if the machine does not tell.
        because: of what, or why not.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        self.joules: float | None = 0.0
        self.because = "the processors of the whole machine, whoever used them (RAPL)"
        self._turn = threading.Lock()
        self._last: dict[Path, int] = {}
        try:
            self._last = {zone: _number(zone / "energy_uj") for zone in _zones(root)}
        except PermissionError:
            self._silent("the energy counters may be read by the administrator only")
        except (OSError, ValueError) as error:
            self._silent(f"the energy counters cannot be read ({error})")
        if not self._last and self.joules is not None:
            self._silent("this machine has no energy counter of its processors")

    def look(self) -> None:
        """Add what the counters gained; at least once in the time that they take to wrap around."""
        with self._turn:
            if self.joules is None:
                return
            try:
                self.joules += sum(self._gained(zone) for zone in self._last) / 1e6
            except (OSError, ValueError) as error:
                self._silent(f"an energy counter stopped telling ({error})")

    def _gained(self, zone: Path) -> int:
        """Microjoules since the last look: a counter that is lower now has wrapped around."""
        before, now = self._last[zone], _number(zone / "energy_uj")
        self._last[zone] = now
        return (
            now - before if now >= before else now - before + _number(zone / "max_energy_range_uj")
        )

    def _silent(self, why: str) -> None:
        self.joules, self.because = None, why


def _zones(root: Path) -> list[Path]:
    names = {
        zone: (zone / "name").read_text().strip() for zone in sorted(root.glob("intel-rapl:*"))
    }
    return [zone for zone, name in names.items() if name.startswith("package") or name == "dram"]


def _number(path: Path) -> int:
    return int(path.read_text())
