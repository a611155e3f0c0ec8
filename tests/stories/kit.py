"""Real images for the stories: the UCI digits that come with scikit-learn, as PNG files of 8 x 8 pixels.

Tiny sources get a tiny input, so that a whole fit takes seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from spawn_kit import heard, spawn

TUTELAGE = Path(sys.executable).parent / "tutelage"


def digits(folder: Path, *, classes: int = 3, each: int = 30, skip: int = 0) -> Path:
    """``folder/<digit>/NNNN.png``: some digits, some of each."""
    data = load_digits()
    for digit in range(classes):
        for index in np.flatnonzero(data.target == digit)[skip : skip + each]:
            path = folder / str(digit) / f"{index:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.rint(data.images[index] * (255 / 16)).astype(np.uint8)).save(path)
    return folder


def run(
    *arguments: object, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    typed, whole = [str(a) for a in arguments], {**os.environ, **environment}
    if heard(whole):
        done = spawn(TUTELAGE, typed, whole, 300)
    else:
        done = subprocess.run([str(TUTELAGE), *typed], capture_output=True, text=True, env=whole, timeout=300)  # fmt: skip
    assert not check or done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


def told(*arguments: object, **environment: str) -> dict:
    """What ``--json`` tells: exactly one object on standard output."""
    return json.loads(run(*arguments, "--json", **environment).stdout)
