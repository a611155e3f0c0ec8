"""Are two images copies of each other: resized, re-encoded, cropped a little?

Candidates come from perceptual words: the signs of the 8 x 8 lowest frequencies (Zauner 2010,
"Implementation and benchmarking of perceptual image hash functions") of the whole image and of 24
windows of it, each side cropped by 0, 2.5 or 5 %; a cropped copy's whole looks like a window of its
original. A candidate is confirmed by aligning it: the window's four sides are moved by Gauss-Newton
steps until the two correlate best at 32 px, and then the correlation must be at least 0.98 and that
of the fine detail (a Laplacian) at least 0.93, which is what two different digits lack.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutelage.modality.record import Fingerprint

Floats = npt.NDArray[np.float32]

THUMB, LOOK, LEAST = 64, 32, 64
"""Side of the kept grey thumbnail, of the compared one, and of the smallest image with a fingerprint."""
WINDOWS = ((0.0, 1.0), (0.05, 0.95), (0.05, 1.0), (0.0, 0.95), (0.025, 0.975))
ALIKE, DETAIL = 0.98, 0.93
HOPEFUL = (0.75, 0.9, 0.94, 0.96)
"""The correlation that a pair must have reached to be worth each further step of aligning."""
_NUDGE, _REACH, _FLAT = 0.01, 0.15, 1.5


def _resample(low: Floats, high: Floats) -> Floats:
    """``(B,)`` ends of windows in 0..1 -> ``(B, 32, 64)`` matrices that average cells of a thumbnail."""
    edges = (
        low[:, None] + (high - low)[:, None] * np.linspace(0, 1, LOOK + 1, dtype=np.float32)
    ) * THUMB
    cells = np.arange(THUMB, dtype=np.float32)
    share = np.minimum(edges[:, 1:, None], cells + 1) - np.maximum(edges[:, :-1, None], cells)
    share = np.clip(share, 0, None)
    whole: Floats = share / (share.sum(2, keepdims=True) + 1e-9)
    return whole


def _waves() -> Floats:
    """``(5 * 8, 64)``: the eight lowest cosines over each window of a thumbnail's side."""
    wave, place = np.arange(8)[:, None], np.arange(LOOK)[None]
    cosines = np.cos(np.pi * wave * (2 * place + 1) / (2 * LOOK)).astype(np.float32)
    ends = np.array(WINDOWS, np.float32)
    waves: Floats = np.concatenate([cosines @ m for m in _resample(ends[:, 0], ends[:, 1])])
    return waves


_WAVES = _waves()


def fingerprint_of(grey: Image.Image) -> Fingerprint | None:
    """The fingerprint of an upright grey image (mode L), or None if it is too small or flat to tell."""
    small = grey.resize((THUMB, THUMB), Image.Resampling.BILINEAR)
    thumb = np.asarray(small, dtype=np.uint8)
    values = thumb.astype(np.float32)
    middle = values - values.mean()
    if float(np.vdot(middle, middle)) < _FLAT**2 * values.size:
        return None
    return Fingerprint(_words(values), thumb.reshape(-1).copy())


def _words(thumb: Floats) -> npt.NDArray[np.uint64]:
    many = len(WINDOWS)
    waves = (_WAVES @ thumb @ _WAVES.T).reshape(many, 8, many, 8).transpose(0, 2, 1, 3)
    signs = waves.reshape(many * many, 64) > 0
    signs[:, 0] = False  # the mean says nothing
    packed = np.packbits(signs, axis=1)
    return packed.view(">u8")[:, 0].astype(np.uint64)


def confirm(
    wholes: Sequence[Fingerprint], containers: Sequence[Fingerprint], words: Sequence[int]
) -> npt.NDArray[np.bool_]:
    """Is each whole a copy of (a window of) its container?

    Args:
        wholes, containers: B fingerprints each.
        words: B numbers of the container's word that looked like the whole's first.

    Returns:
        ``(B,)`` bool.
    """
    target = _look(_thumbs(wholes), np.tile(np.array([0, 1, 0, 1], np.float32), (len(wholes), 1)))
    thumbs = _thumbs(containers)
    many = len(WINDOWS)
    sides = np.array([(*WINDOWS[w // many], *WINDOWS[w % many]) for w in words], np.float32)
    best = _look(thumbs, sides)
    alike = _dot(target, best)
    for hopeful in HOPEFUL:
        done = (alike >= ALIKE) & (_dot(_fine(target), _fine(best)) >= DETAIL)
        live = np.flatnonzero((alike >= hopeful) & ~done)
        if not len(live):
            break
        sides[live] = _nudged(thumbs[live], sides[live], target[live])
        moved = _look(thumbs[live], sides[live])
        now = _dot(target[live], moved)
        better = now > alike[live]
        alike[live[better]], best[live[better]] = now[better], moved[better]
    verdict: npt.NDArray[np.bool_] = (alike >= ALIKE) & (_dot(_fine(target), _fine(best)) >= DETAIL)
    return verdict


def _thumbs(prints: Sequence[Fingerprint]) -> Floats:
    return np.stack([p.vector for p in prints]).reshape(-1, THUMB, THUMB).astype(np.float32)


def _look(thumbs: Floats, sides: Floats) -> Floats:
    """Windows of thumbnails as ``(B, 1024)`` rows of mean 0 and length 1."""
    down, across = _resample(sides[:, 0], sides[:, 1]), _resample(sides[:, 2], sides[:, 3])
    return _unit((down @ thumbs @ across.transpose(0, 2, 1)).astype(np.float32))


def _unit(images: Floats) -> Floats:
    flat = images.reshape(len(images), -1)
    flat = flat - flat.mean(1, keepdims=True)
    unit: Floats = flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)
    return unit


def _dot(left: Floats, right: Floats) -> Floats:
    product: Floats = np.einsum("bi,bi->b", left, right)
    return product


def _fine(rows: Floats) -> Floats:
    """What a pixel has that its four neighbours have not."""
    image = rows.reshape(-1, LOOK, LOOK)
    pad = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = pad[:, :-2, 1:-1] + pad[:, 2:, 1:-1] + pad[:, 1:-1, :-2] + pad[:, 1:-1, 2:]
    return _unit((image - around / 4).astype(np.float32))


def _nudged(thumbs: Floats, sides: Floats, target: Floats) -> Floats:
    """One Gauss-Newton step of the windows' four sides towards the target."""
    here = _look(thumbs, sides)
    steps = _NUDGE * np.eye(4, dtype=np.float32)
    slopes = np.stack([(_look(thumbs, sides + step) - here) / _NUDGE for step in steps], axis=2)
    normal = slopes.transpose(0, 2, 1) @ slopes + 1e-3 * np.eye(4, dtype=np.float32)
    pull = slopes.transpose(0, 2, 1) @ (target - here)[:, :, None]
    step = np.clip(np.linalg.solve(normal, pull)[:, :, 0], -0.03, 0.03)
    least = np.array([0, 1 - _REACH, 0, 1 - _REACH], np.float32)
    moved: Floats = np.clip(sides + step, least, least + np.float32(_REACH)).astype(np.float32)
    return moved
