"""The run folder: ``OUT/<verb>/<name>/``, never overwritten, with everything that was given and found."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tutelage.errors import ArtefactError
from tutelage.files import claim_folder, lock, read_json, write_json
from tutelage.meter import Meter

Listener = Callable[[Mapping[str, Any]], None]
"""Takes events: ``{"phase", "done", "total"}`` while something goes on, records of epochs, notes."""


def silent(event: Mapping[str, Any]) -> None:
    """A listener that does not listen."""


@dataclass
class Pace:
    """How fast something goes, by what it tells of itself; what comes before the first step does not count.

    Attributes:
        items: done between steps.
        seconds: that they took.
    """

    items: int = 0
    seconds: float = 0.0
    _last: tuple[int, float] | None = None

    def step(self, done: int, total: int) -> None:
        """So many of all are done now."""
        now = time.perf_counter()
        if self._last is not None and done > self._last[0]:
            self.items += done - self._last[0]
            self.seconds += now - self._last[1]
        self._last = (done, now) if done < total else None

    @property
    def rate(self) -> float | None:
        """Items a second; None if nothing was seen to go on."""
        return self.items / self.seconds if self.seconds > 0 else None


@dataclass
class Run:
    """One run: its folder, its log, the seconds of its phases, and what it takes.

    Attributes:
        folder: absolute path.
        listener: who hears the events beside the log.
        seconds: phase -> seconds so far.
        paces: what told its progress -> how fast it went.
        started: when, on the clock of ``time.monotonic``.
        meter: of memory and energy; see ``metered``.
    """

    folder: Path
    listener: Listener = silent
    seconds: dict[str, float] = field(default_factory=dict)
    paces: dict[str, Pace] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    meter: Meter = field(default_factory=Meter)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase, and tell when it begins and ends."""
        start = time.perf_counter()
        self.listener({"phase": name, "begins": True})
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
            self.log({"phase": name, "seconds": round(spent, 4)})

    def log(self, record: Mapping[str, Any]) -> None:
        """Append a record to ``log.jsonl``, with ``at``, the seconds since the run began; tell the listener."""
        dated = {**record, "at": round(time.monotonic() - self.started, 3)}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(dated, allow_nan=False) + "\n")
        self.listener(record)

    def progress(self, phase: str, done: int, total: int) -> None:
        """Tell the listener how far a phase is; this is not logged."""
        self.paces.setdefault(phase, Pace()).step(done, total)
        self.listener({"phase": phase, "done": done, "total": total})

    def told(self, phase: str) -> Callable[[int, int], None]:
        """``progress`` of one phase."""
        return lambda done, total: self.progress(phase, done, total)

    def inner(self) -> Run:
        """The same run with seconds and paces of its own: for work inside a phase, whose seconds are counted there."""
        return replace(self, seconds={}, paces={})


def open_run(out: Path, verb: str, name: str, args: Mapping[str, Any], listener: Listener) -> Run:
    """A new run folder, with its arguments written down before anything else happens."""
    run = Run(claim_folder(out / verb, safe_name(name)), listener)
    write_json(run.folder / "args.json", {"schema": 1, "verb": verb, **args})
    return run


def reopen_run(folder: Path, listener: Listener) -> tuple[Run, dict[str, Any]]:
    """An unfinished run and its arguments.

    Raises:
        ArtefactError: no run is there.
    """
    if not (folder / "args.json").exists():
        raise ArtefactError(
            "no-run", given=f"{folder} has no args.json", expected="the folder of an interrupted run",
            next="Start a new one with: tutelage fit DATA",
        )  # fmt: skip
    args = read_json(folder / "args.json")
    return Run(folder.absolute(), listener), {k: v for k, v in args.items() if k not in ("schema", "verb")}  # fmt: skip


@contextmanager
def alone(run: Run) -> Iterator[None]:
    """Hold the run's lock: two processes must not work in one folder.

    Raises:
        ArtefactError: another process works in it.
    """
    with lock(run.folder / ".lock", wait=False) as held:
        if not held:
            raise ArtefactError(
                "run-busy", given=f"another process works in {run.folder}", expected="one process a run folder",
                next="Wait for it, or start a new run with: tutelage fit DATA",
            )  # fmt: skip
        yield


@contextmanager
def metered(run: Run) -> Iterator[None]:
    """Meter what the run takes; ``run.meter`` tells, until the block ends."""
    with run.meter:
        yield


@contextmanager
def resumable(run: Run) -> Iterator[None]:
    """Say how to go on, where the work is interrupted."""
    try:
        yield
    except KeyboardInterrupt as error:
        error.add_note(f"go on with: tutelage fit --resume {run.folder}")
        raise


def safe_name(text: str) -> str:
    """A folder name from whatever the source is called; letters of any script stay."""
    cleaned = re.sub(r"[^\w.\-]+", "-", text, flags=re.UNICODE).strip("-.")
    return cleaned[:60] or "run"
