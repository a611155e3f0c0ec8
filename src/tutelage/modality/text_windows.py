"""Texts as arrays of one shape: UTF-8 bytes, padded with zeros."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tutelage.modality.record import InputSpec

BYTES = 16
"""Bytes of a window for each token that is read: words take about five."""

TAKEN = 0.75
"""Share of a window that an unedited text may take, so that edits have room."""


def width_for(spec: InputSpec) -> int:
    """Bytes of a window."""
    return BYTES * spec.size


def packed(text: str, width: int, room: bool = False) -> npt.NDArray[np.uint8]:
    """A text as a window (W,); what does not fit is left out, a whole character at a time.

    Args:
        width: W.
        room: leave some for edits.
    """
    raw = text.rstrip("\0").encode("utf-8", "replace")[: int(width * TAKEN) if room else width]
    whole = raw.decode("utf-8", "ignore").encode("utf-8")
    window = np.zeros(width, np.uint8)
    window[: len(whole)] = np.frombuffer(whole, np.uint8)
    return window


def unpacked(window: npt.NDArray[np.uint8]) -> str:
    """The text of a window."""
    return bytes(window).rstrip(b"\0").decode("utf-8")
