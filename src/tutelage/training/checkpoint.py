"""What a killed run goes on from: weights, optimiser and history, in one safetensors file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tutelage.errors import ArtefactError
from tutelage.files import read_arrays, write_arrays

if TYPE_CHECKING:
    from tutelage.training.loop import Pupil, Race


def save_checkpoint(path: Path | None, identity: str, pupil: Pupil, optimiser: torch.optim.Optimizer, race: Race) -> None:  # fmt: skip
    """Write the state after an epoch, atomically. ``identity`` names the run it belongs to."""
    if path is None:
        return
    arrays = {f"pupil/{n}": t.detach().cpu().numpy() for n, t in pupil.state_dict().items()}
    for index, moments in optimiser.state_dict()["state"].items():
        arrays |= {f"optimiser/{index}/{n}": np.asarray(t.cpu()) for n, t in moments.items()}
    told = {"epoch": race.epoch, "history": race.history}
    arrays["race"] = np.frombuffer(json.dumps({"identity": identity, **told}).encode(), np.uint8)
    write_arrays(path, arrays)


def load_checkpoint(path: Path | None, identity: str, pupil: Pupil, optimiser: torch.optim.Optimizer, race: Race) -> bool:  # fmt: skip
    """Put everything back as it was; False if there is nothing sound to go on from."""
    if path is None or not path.exists():
        return False
    try:
        arrays = read_arrays(path)
        told: dict[str, Any] = json.loads(arrays.pop("race").tobytes())
    except (ArtefactError, KeyError, ValueError):
        return False  # a damaged checkpoint costs the epochs in it, nothing else
    if told.pop("identity") != identity:
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
