"""Where the work runs: device, threads, memory, rank. Nothing else in the house may know.

``Runtime`` is the seam behind which a distributed engine will live: the training loop sees only
``prepare``, ``backward``, ``gather`` and ``is_main``. Measurements of this machine live in the
machine profile, a small JSON file, so that what they decide is decided once.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tutelage.errors import UsageError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory() -> int:
    """Bytes that can be taken without swapping; 0 where the system does not tell."""
    return _kilobytes("/proc/meminfo", "MemAvailable")


def _kilobytes(path: str, name: str) -> int:
    words = _proc(path, name).split()
    return int(words[0]) * 1024 if words else 0


def _proc(path: str, name: str) -> str:
    """What Linux says after ``name:`` in one of its files; empty elsewhere."""
    try:
        with open(path, encoding="utf-8") as stream:
            lines = (line.split(":", 1) for line in stream)
            return next((rest[0].strip() for key, *rest in lines if key.strip() == name), "")
    except OSError:
        return ""


def host() -> dict[str, Any]:
    """Facts about this machine that change how fast or how exactly it computes."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _proc("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": cores(),
        "python": platform.python_version(),
    }


class Runtime(Protocol):
    """What the training loop may ask of the place it runs in."""

    @property
    def device(self) -> str:
        """Where tensors live."""
        ...

    @property
    def is_main(self) -> bool:
        """Is this the process that writes files and records?"""

    def prepare(self, module: torch.nn.Module) -> torch.nn.Module:
        """Move a module to where it trains."""

    def backward(self, loss: torch.Tensor) -> None:
        """Back-propagate."""

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """Collect rows from every process, each row once."""


@dataclass(frozen=True)
class LocalRuntime:
    """One process on one device."""

    device: str = "cpu"

    @property
    def is_main(self) -> bool:
        """Always: there is no other."""
        return True

    def prepare(self, module: torch.nn.Module) -> torch.nn.Module:
        """Move a module to the device."""
        return module.to(self.device)

    def backward(self, loss: torch.Tensor) -> None:
        """Back-propagate."""
        loss.backward()  # type: ignore[no-untyped-call]

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor itself."""
        return tensor


def open_runtime(device: str = "auto") -> LocalRuntime:
    """The runtime for ``--device``: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Raises:
        UsageError: the device is not there.
    """
    if device == "cpu" or (device == "auto" and not _may_have_accelerator()):
        return LocalRuntime("cpu")
    import torch

    if device == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return LocalRuntime(accelerator.type if accelerator is not None else "cpu")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            "no-such-device", given=f"--device {device}", expected="a device of this machine",
            next="Use --device auto, or look at: tutelage doctor",
        ) from error  # fmt: skip
    return LocalRuntime(device)


def _may_have_accelerator() -> bool:
    """Without PyTorch, whose import takes seconds: is there a driver that could be asked?"""
    drivers = ("/dev/nvidiactl", "/dev/kfd", "/dev/dri", "/dev/dxg")
    return platform.system() == "Darwin" or any(os.path.exists(driver) for driver in drivers)


class MachineProfile:
    """Measurements of this machine, kept so that the same question is answered once.

    A profile is a JSON file; concurrent writers merge under a lock, and the first answer stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def recall(self, question: str, measure: Callable[[], T]) -> T:
        """The kept answer to ``question``, or the measured one, which is then kept."""
        kept = self._read().get(question)
        if kept is None:
            kept = self._keep(question, measure())
        answer: T = kept
        return answer

    def known(self, question: str) -> Any:
        """The kept answer to ``question``, or None."""
        return self._read().get(question)

    def _read(self) -> dict[str, Any]:
        from tutelage.errors import ArtefactError
        from tutelage.files import read_json

        if not self.path.exists():
            return {}
        try:
            profile = read_json(self.path)
        except ArtefactError:
            return {}  # a damaged profile costs one measurement, nothing else
        return profile if isinstance(profile, dict) else {}

    def _keep(self, question: str, answer: T) -> T:
        from tutelage.files import write_json

        with self._alone():
            profile = self._read()
            kept: T = profile.setdefault(question, answer)
            write_json(self.path, profile)
        return kept

    def _alone(self) -> AbstractContextManager[bool]:
        from tutelage.files import lock

        return lock(self.path.with_suffix(".lock"))


def keep_freed_memory() -> None:
    """Ask glibc to keep large freed blocks instead of giving them back to the kernel each time.

    Training frees and takes the same megabytes in every step; half of its time went into page
    faults on the machine where this was measured. Elsewhere than on glibc it does nothing.
    """
    if platform.libc_ver()[0] == "glibc":
        glibc = ctypes.CDLL(None)
        for parameter in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
            glibc.mallopt(parameter, 1 << 30)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


class PeakMemory:
    """Samples the anonymous memory of this process (``RssAnon``) until stopped; bytes."""

    def __init__(self, interval: float = 0.02) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(interval,), daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.peak = max(self.peak, anonymous_memory())

    def _watch(self, interval: float) -> None:
        while not self._stop.wait(interval):
            self.peak = max(self.peak, anonymous_memory())


def anonymous_memory() -> int:
    """Bytes of anonymous resident memory of this process; 0 where the system does not tell."""
    return _kilobytes("/proc/self/status", "RssAnon")
