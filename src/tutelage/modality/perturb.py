"""What an adversary may do to the items of a modality: the seam between attacks and what they attack.

The audit (``tutelage.security``) works on *windows*: arrays as the network sees them after the modality's own
preprocessing. It moves them by gradients, brings them back to a real item, and lets the student answer that item
through its ordinary preprocessing. What a window is, what may be done to it, and how far two of them look apart is
the modality's business and comes in this record.

Windows are always numbers of one shape, so that they can be kept in the cache. A modality whose items cannot be moved
by gradients (texts) gives ``search``, ``windows`` and ``batch``: a window is then the item itself in numbers (its
bytes, padded, say), ``batch`` makes of it what the network gets, ``search`` looks for windows inside the budget itself,
asking the objective that it is handed, and ``noise`` spends a budget at random. Mimicry, copies, controls and the white
box then go through them; a pattern for all items is a short item in front of each (``drawn``, ``joined``). What needs a
scale (junk from neurons, perceptual budgets) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.modality.record import InputSpec, Item, Modality

Window = npt.NDArray[Any]
Corruption = Callable[[Window, int, np.random.Generator], Window]
"""(window, severity 1..5, rng) -> window of the same shape and type."""

Objective = Callable[[Window], npt.NDArray[np.floating]]
"""Windows (N, ...) -> what is to be made small (N,)."""

Search = Callable[[Objective, Window, float, int, np.random.Generator], Window]
"""(objective, windows, budget, rounds, rng) -> windows inside the budget, never worse than those given."""

Noise = Callable[[Window, float, np.random.Generator], Window]
"""(window, budget, rng) -> the window after as much change as the budget allows, drawn at random."""


@dataclass(frozen=True)
class Perturb:
    """A modality's perturbations.

    Attributes:
        item: (window, spec) -> an item whose plain view by that spec is exactly this window.
        low, high: the scale of a window's values; both ends are allowed.
        unit: what a budget counts, for people: ``"/255"`` reads "4/255".
        budgets: the budgets of a standard audit in steps of the scale, rising; grades are given at ``graded``.
        graded: one of ``budgets``.
        sanity: a budget at which a white-box attack must succeed, if attacks work at all.
        settle: real-valued windows, the windows they came from, a budget -> the nearest real windows that are
            inside the budget and on the scale, in the dtype of the originals.
        corruptions: name -> corruption by accident (noise, blur, ...).
        distance: (windows, windows) -> how unlike they look, 0..1 each (N,); what ``perceptual`` budgets bound.
        distance_name: what it is, for people.
        perceptual: budgets in ``distance``; empty where there is none.
        relaxed: the same distance for torch tensors (N, ...) with gradients; None where there is none.
        picture: window -> PNG bytes, for pages; None where it cannot be shown.
        quote: window -> a line, for pages, where reading tells more than a picture.
        search: see the head of this file; None where windows are moved by gradients.
        noise: see the head of this file; given with ``search``.
        drawn: (spec, how many, how many words, rng) -> windows of random items that have nothing to do with any task.
        joined: (window, windows) -> these windows with that one in front of each.
        restored: spec -> the spec of a student that undoes what it can of all this before it reads; None where nothing is.
        windows: items + spec -> windows (N, ...); None stands for their plain views, stacked.
        batch: windows + spec -> the batch that the network gets; None stands for ``{"x": windows}``.
    """

    item: Callable[[Window, InputSpec], Item]
    low: float
    high: float
    unit: str
    budgets: tuple[float, ...]
    graded: float
    sanity: float
    settle: Callable[[npt.NDArray[np.floating], Window, float], Window]
    corruptions: Mapping[str, Corruption]
    distance: Callable[[Window, Window], npt.NDArray[np.float64]] | None = None
    distance_name: str = ""
    perceptual: tuple[float, ...] = ()
    relaxed: Callable[[Any, Any], Any] | None = None
    picture: Callable[[Window], bytes] | None = None
    quote: Callable[[Window], str] | None = None
    search: Search | None = None
    noise: Noise | None = None
    drawn: Callable[[InputSpec, int, int, np.random.Generator], Window] | None = None
    joined: Callable[[Window, Window], Window] | None = None
    restored: Callable[[InputSpec], InputSpec] | None = None
    windows: Callable[[Sequence[Item], InputSpec], Window] | None = None
    batch: Callable[[Window, InputSpec], dict[str, npt.NDArray[Any]]] | None = None


def windows_of(items: Sequence[Item], modality: Modality, spec: InputSpec) -> Window:
    """Some items as windows (N, ...); raises as ``read`` does."""
    perturb = modality.perturb
    if perturb is not None and perturb.windows is not None:
        return perturb.windows(items, spec)
    views = [modality.augment(modality.decode(item, spec), spec, None) for item in items]
    return np.stack(views)


def batch_of(windows: Window, modality: Modality, spec: InputSpec) -> dict[str, npt.NDArray[Any]]:
    """Windows (N, ...) as the batch that a network of this modality gets."""
    perturb = modality.perturb
    given = perturb.batch(windows, spec) if perturb is not None and perturb.batch else None
    return given if given is not None else {"x": windows}


def batches_of(windows: Window, modality: Modality, spec: InputSpec) -> Iterator[tuple[npt.NDArray[np.intp], dict[str, npt.NDArray[Any]]]]:  # fmt: skip
    """Windows (N, ...) as batches of items of one shape each, with their places: a row then has the bits that ``predict`` gives it."""
    perturb = modality.perturb
    if perturb is None or perturb.batch is None:
        yield np.arange(len(windows)), {"x": windows}
        return
    alone = [perturb.batch(window[None], spec) for window in windows]
    shapes = [one["x"].shape for one in alone]
    for shape in sorted(set(shapes)):
        places = np.flatnonzero([s == shape for s in shapes])
        yield places, {name: np.concatenate([alone[i][name] for i in places]) for name in alone[0]}
