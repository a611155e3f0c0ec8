"""The ledger: what a run really took, beside what it made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutelage.features.shard import SUFFIX
from tutelage.files import cache_root
from tutelage.meter import Meter
from tutelage.run import Run
from tutelage.training import Lesson, Trained

COARSE = 0.02
"""Seconds by which a file's time may be behind the clock."""


def ledger(lesson: Lesson, trained: Trained, run: Run, meter: Meter) -> dict[str, Any]:
    """Time, speed, memory, disk and energy of a run so far, ready for JSON; what nobody could tell is None.

    Args:
        meter: entered before the run's work began, and not left yet.

    Returns:
        ``seconds`` (``wall``, ``processor`` of all cores, ``phases``); ``images_per_second`` through the
        whole frozen network, decoding included and compiling not, a view counting as an image;
        ``bottleneck`` of it, a sentence; ``rows`` (``computed``, ``reused``); ``peak_memory_bytes``; ``parameters`` (``trainable``,
        ``total``); ``cache_bytes_written``; ``energy`` (``watt_hours``, ``because``).
    """
    counters, (watt_hours, because) = lesson.activations.counters, meter.energy
    return {
        "seconds": {
            "wall": _rounded(meter.wall_seconds), "processor": _rounded(meter.processor_seconds),
            "phases": {phase: _rounded(seconds) for phase, seconds in run.seconds.items()},
        },
        "images_per_second": _extraction(lesson, run),
        "bottleneck": counters.bottleneck(),
        "rows": {"computed": counters.rows_computed, "reused": counters.rows_reused},
        "peak_memory_bytes": meter.peak_memory,
        "parameters": {"trainable": trained.trainable, "total": trained.total},
        "cache_bytes_written": written(lesson, meter.began),
        "energy": {"watt_hours": _rounded(watt_hours), "because": because},
    }  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _extraction(lesson: Lesson, run: Run) -> float | None:
    pace = run.paces.get(f"trunk to {lesson.teacher.card.names[-1]}")
    return _rounded(pace.rate) if pace else None


def written(lesson: Lesson, since: float) -> int:
    """Bytes of activations of this teacher that were written since a time (seconds since 1970).

    By whomever: of two runs that fill the same rows at once, each counts those of both.
    """
    folder, total = cache_root() / "activations", 0
    for cut in range(lesson.depth + 1):
        for path in (folder / lesson.activations.extractor(cut).digest).glob("*" + SUFFIX):
            told = path.stat()
            total += told.st_size if told.st_mtime >= since - COARSE else 0
    return total


def as_rows(cost: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The ledger for people: what, and how much."""
    seconds, energy, speed = cost["seconds"], cost["energy"], cost["images_per_second"]
    memory, rows, parameters = cost["peak_memory_bytes"], cost["rows"], cost["parameters"]
    phases = sorted(seconds["phases"].items(), key=lambda pair: -pair[1])
    return [
        ("time", _either(seconds["wall"], "{:.1f} s") + _either(seconds["processor"], ", {:.1f} s of processor time", "")),
        *((f"of it {phase}", f"{spent:.2f} s") for phase, spent in phases),
        ("through the frozen network", _either(speed, "{:.0f} items a second", "nothing to speak of: it came from the cache")),
        *([("of that", cost["bottleneck"])] if cost["bottleneck"] else []),
        ("activations", f"{rows['computed']:,} computed, {rows['reused']:,} from the cache"),
        ("written to the cache", f"{cost['cache_bytes_written'] / 2**20:.1f} MiB"),
        ("memory at most", _either(memory and memory / 2**20, "{:.0f} MiB")),
        ("parameters trained", f"{parameters['trainable']:,} of {parameters['total']:,}"),
        ("energy", _either(energy["watt_hours"], "{:.3g} Wh, ", "not told: ") + energy["because"]),
    ]  # fmt: skip


def _either(value: float | None, form: str, otherwise: str = "not told by this machine") -> str:
    return otherwise if value is None else form.format(value)
