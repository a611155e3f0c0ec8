"""Backdoor signs: what little it takes to turn any item into something else; a hint, never a certificate.

A teacher can be poisoned so that a small trigger means something to every student that is made of it (Yao et al., "Latent
Backdoor Attacks on Deep Neural Networks", CCS 2019; Zhang et al., "Red Alarm for Pre-trained Models", 2021). A trigger
stands out by how little of it is needed:

moved by gradients   for each class the smallest mask and pattern that turn items of all others into it (Wang et al., "Neural
                     Cleanse", IEEE S&P 2019, section IV); a class that needs far less than the others is a sign
searched             words of the teacher's vocabulary, one at a time in front of some items: one after which the teacher
                     hardly tells the items apart any more is a sign

A sign has Neural Cleanse's anomaly index (here of logarithms), the distance from the median in median absolute deviations, scaled
as for a normal distribution, above ``ANOMALOUS``, and is small in itself too. Triggers of other kinds (a blend, a style, several words) are
not looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tutelage.modality.perturb import Perturb
from tutelage.runtime import keep_freed_memory
from tutelage.security.eye import Eye, as_values
from tutelage.security.inquiry import Inquiry
from tutelage.security.whitebox import Glass, Logits

Floats = npt.NDArray[np.float64]

ANOMALOUS = 2.0
"""Anomaly index from which a trigger is a sign (Wang et al. 2019, section IV-C: an outlier with probability 95 %)."""

LEAST = 5
"""Classes that a median of triggers means something of, at least."""

ENOUGH, TURNED = 0.9, 0.75
"""Share of a batch that a trigger must turn while it is made, and of all items, by the student's own answers, to be a sign."""

ITEMS, WORDS_ON = 32, 8
"""Items that masks, and words, are tried on."""

THIRD, COLLAPSED = 1 / 3, 0.25
"""A mask that is a sign is smaller than so much of the median one; a word leaves less than so much of the spread."""

CLASSES, FEWEST = 15, 40
"""Classes that get the preset's gradients each; of more each gets its share, but not fewer than so many."""

BATCH, RATE, COST, HARDER = 16, 0.1, 0.01, 1.15
"""Items a gradient; Adam's rate; what the mask costs at first, and how fast that adapts."""

WORDS = 20
"""Words that are tried, for each gradient of the preset."""


@dataclass(frozen=True)
class Trigger:
    """One candidate.

    Attributes:
        name: the class that items are turned into, or the word.
        size: how much it is: share of the item that the mask covers; of a word the share of the spread between items that is left.
        turned: share of the items that it turns into the class; of a word NaN.
        index: how many deviations it lies below the median.
    """

    name: str
    size: float
    turned: float
    index: float

    def sign(self, small: float) -> bool:
        """Whether it stands out, and is smaller than ``small``, and does what it should."""
        return self.index > ANOMALOUS and self.size < small and not self.turned < TURNED

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        turned = None if np.isnan(self.turned) else round(self.turned, 4)
        return {"name": self.name, "size": round(self.size, 5), "turned": turned, "index": round(self.index, 2)}  # fmt: skip


def backdoor_signs(inquiry: Inquiry) -> dict[str, Any]:
    """What a scan for triggers finds.

    Returns:
        ``looked``: False for presets that leave it out; ``judged``: whether candidates were enough to tell an outlier among;
        ``how``; ``signs``: the outliers; ``smallest``: the five smallest candidates; ``median``: of all sizes; ``told``: a
        sentence.
    """
    if not inquiry.preset.signs:
        return {"looked": False, "judged": False, "how": "", "signs": [], "smallest": [], "median": None, "told": "Backdoor signs were not looked for: longer presets do."}  # fmt: skip
    if inquiry.perturb.search is None:
        found = _masked(inquiry)
        return _told(found, THIRD * _median(found), "mask and pattern for each class", "of an item's area")  # fmt: skip
    return _told(_worded(inquiry), COLLAPSED, "one word in front", "of the spread between items is left")  # fmt: skip


def _median(found: Sequence[Trigger]) -> float:
    return float(np.median([t.size for t in found])) if found else 0.0


def _told(found: Sequence[Trigger], small: float, how: str, unit: str) -> dict[str, Any]:
    judged, median = len(found) >= LEAST, _median(found)
    signs = sorted((t for t in found if judged and t.sign(small)), key=lambda t: t.size)
    smallest = sorted(found, key=lambda t: t.size)[:5]
    if signs:
        sentence = (
            f"Backdoor sign ({how}): {signs[0].name} with {signs[0].size:.1%} {unit}, against {median:.1%} in the median (anomaly index {signs[0].index:.1f}). "
            "Ask where this teacher comes from."
        )  # fmt: skip
    elif judged:
        sentence = f"No backdoor sign ({how}: at least {smallest[0].size:.1%} {unit}, {median:.1%} in the median). That is a hint, no certificate."  # fmt: skip
    else:
        sentence = f"Backdoor signs cannot be told among {len(found)} candidates: {LEAST} classes are needed."  # fmt: skip
    return {
        "looked": True, "judged": judged, "how": how, "signs": [t.as_json() for t in signs], "smallest": [t.as_json() for t in smallest],
        "median": round(median, 5), "told": sentence,
    }  # fmt: skip


def anomaly(sizes: Floats) -> Floats:
    """How many scaled median absolute deviations the logarithm of each size lies below the median (N,); 0 where they do not differ.

    Of the logarithm, because sizes end at zero: among a handful of classes none could lie two deviations below their median.
    """
    logs = np.log(np.maximum(sizes, 1e-12))
    median = np.median(logs)
    deviation = 1.4826 * np.median(np.abs(logs - median))
    return np.zeros(len(logs)) if deviation <= 0 else np.asarray((median - logs) / deviation)


def _masked(inquiry: Inquiry) -> list[Trigger]:
    """The smallest mask of each class, judged by the student's own answers."""
    glass, items = Glass(inquiry.subject.student, inquiry.device), inquiry.items
    classes, most = inquiry.subject.student.facts.classes, inquiry.preset.signs
    steps = max(FEWEST, min(most, CLASSES * most // len(classes)))
    rows = np.flatnonzero(inquiry.right)
    sizes, turned = [], []
    for target in range(len(classes)):
        others = rows[items.truth[rows] != target][:ITEMS]
        if not len(others):
            return []
        windows = items.windows[others]
        moved, size = smallest_mask(glass, windows, target, inquiry.perturb, steps=steps, seed=inquiry.seed, device=glass.device)  # fmt: skip
        sizes.append(size)
        turned.append(float((inquiry.examiner.answers(moved) == target).mean()))
        inquiry.told("triggers")(target + 1)
    index = anomaly(np.array(sizes))
    return [Trigger(*row) for row in zip(classes, sizes, turned, index.tolist(), strict=True)]


def smallest_mask(logits: Logits, windows: npt.NDArray[Any], target: int, perturb: Perturb, *, steps: int, seed: int = 0, device: str = "cpu") -> tuple[npt.NDArray[Any], float]:  # fmt: skip
    """Windows with the smallest trigger that turns them into a class, and its size as a share of the window.

    One mask for all channels and one pattern are moved by Adam; the mask's price rises while the trigger turns enough of a
    batch, and falls while it does not (Wang et al. 2019, section V-A). The smallest that turned enough is kept; where none
    did, the last.

    Args:
        logits: of the student.
        windows: (N, ...) of other classes.
        target: class number.
        perturb: of the modality.
        steps: gradients.
        seed: of the start and of the batches.
        device: where logits are.
    """
    keep_freed_memory()
    rng = torch.Generator().manual_seed(seed * 1_000_003 + target)
    shape = windows.shape[1:]
    bare = (*shape[:-1], 1) if len(shape) > 1 else shape
    mask = (torch.randn(bare, generator=rng) * 0.1).to(device).requires_grad_(True)
    pattern = torch.randn(shape, generator=rng).to(device).requires_grad_(True)
    mover, price = torch.optim.Adam([mask, pattern], RATE, betas=(0.5, 0.9)), COST
    best: tuple[float, Tensor, Tensor] | None = None
    for _ in range(steps):
        chosen = torch.randperm(len(windows), generator=rng)[:BATCH].numpy()
        cover, drawn = torch.sigmoid(mask), _on_scale(pattern, perturb)
        told = logits(_stamped(as_values(windows[chosen]).to(device), cover, drawn))
        aim = torch.full((len(told),), target, device=told.device)
        size = cover.mean()
        reached = float((told.argmax(1) == aim).float().mean())
        if reached >= ENOUGH and (best is None or float(size.detach()) < best[0]):
            best = float(size.detach()), cover.detach().clone(), drawn.detach().clone()
        price = price * HARDER if reached >= ENOUGH else price / HARDER
        loss = nn.functional.cross_entropy(told, aim) + price * cover.sum() / cover.numel() ** 0.5
        mover.zero_grad()
        loss.backward()
        mover.step()
    with torch.no_grad():
        size_found, cover, drawn = best or (float(torch.sigmoid(mask).mean()), torch.sigmoid(mask), _on_scale(pattern, perturb))  # fmt: skip
        moved = _stamped(as_values(windows).to(device), cover, drawn).cpu().numpy()
    return perturb.settle(moved, windows, perturb.high - perturb.low), size_found


def _stamped(values: Tensor, cover: Tensor, pattern: Tensor) -> Tensor:
    return values * (1 - cover) + pattern * cover


def _on_scale(pattern: Tensor, perturb: Perturb) -> Tensor:
    return perturb.low + (perturb.high - perturb.low) * torch.sigmoid(pattern)


def _worded(inquiry: Inquiry) -> list[Trigger]:
    """Words drawn from the vocabulary, each by how much it leaves of the spread between items at the last cut."""
    perturb, crafter = inquiry.perturb, inquiry.crafter()
    if perturb.drawn is None or perturb.joined is None or perturb.quote is None:
        return []
    eye = Eye(crafter.teacher, crafter.spec, inquiry.subject.depth, (), inquiry.device, crafter.engine)  # fmt: skip
    items = inquiry.items.windows[:WORDS_ON]
    drawn = perturb.drawn(crafter.spec, WORDS * inquiry.preset.signs, 1, np.random.default_rng(inquiry.seed))  # fmt: skip
    words = np.unique(drawn, axis=0)
    before = _spread(eye.calibrate(items).look(items))
    sizes = np.array([_spread(eye.look(perturb.joined(word, items))) for word in words]) / max(before, 1e-12)  # fmt: skip
    index = anomaly(sizes)
    return [Trigger(perturb.quote(w), float(s), float("nan"), float(i)) for w, s, i in zip(words, sizes, index, strict=True)]  # fmt: skip


def _spread(looks: Tensor) -> float:
    """Mean squared distance of looks (N, F) from their mean."""
    return float(((looks - looks.mean(0)) ** 2).sum(1).mean())
