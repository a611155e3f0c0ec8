"""What a killed run goes on from: weights, optimiser and history, in one safetensors file."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tutelage.errors import ArtefactError
from tutelage.files import read_arrays, write_arrays

if TYPE_CHECKING:
    from tutelage.training.loop import Pupil, Race


SHARE = 0.05
"""Of the time of a run, what keeping its state may take."""


class Keeper:
    """Keeps the state of a run in a file: after the first epoch, then as often as ``SHARE`` of the time allows.

    Args:
        path: where; None keeps nothing.
        identity: names the run that the state belongs to.
    """

    def __init__(self, path: Path | None, identity: str) -> None:
        self.path, self.identity = path, identity
        self._due = -math.inf

    def save(self, pupil: Pupil, optimiser: torch.optim.Optimizer, race: Race) -> None:
        """Write the state after an epoch, atomically, if it is time to."""
        started = time.monotonic()
        if self.path is None or started < self._due:
            return
        arrays = {f"pupil/{n}": t.detach().cpu().numpy() for n, t in pupil.state_dict().items()}
        for index, moments in optimiser.state_dict()["state"].items():
            arrays |= {f"optimiser/{index}/{n}": np.asarray(t.cpu()) for n, t in moments.items()}
        told = {"identity": self.identity, "epoch": race.epoch, "history": race.history}
        arrays["race"] = np.frombuffer(json.dumps(told).encode(), np.uint8)
        write_arrays(self.path, arrays)
        ended = time.monotonic()
        self._due = ended + (ended - started) / SHARE

    def load(self, pupil: Pupil, optimiser: torch.optim.Optimizer, race: Race) -> bool:
        """Put everything back as it was; False if there is nothing sound to go on from."""
        if self.path is None or not self.path.exists():
            return False
        try:
            arrays = read_arrays(self.path)
            told: dict[str, Any] = json.loads(arrays.pop("race").tobytes())
        except (ArtefactError, KeyError, ValueError):
            return False  # a damaged checkpoint costs the epochs in it, nothing else
        if told.pop("identity") != self.identity:
            return False
        pupil.load_state_dict(_part(arrays, "pupil/"))
        _restore(optimiser, _part(arrays, "optimiser/"))
        for name, value in told.items():
            setattr(race, name, value)
        return True


def _part(arrays: dict[str, Any], prefix: str) -> dict[str, torch.Tensor]:
    return {n[len(prefix) :]: torch.from_numpy(np.array(a)) for n, a in arrays.items() if n.startswith(prefix)}  # fmt: skip


def _restore(optimiser: torch.optim.Optimizer, moments: dict[str, torch.Tensor]) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in moments.items():
        index, moment = name.split("/")
        state.setdefault(int(index), {})[moment] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
