"""The record that a modality fills in, and the values that pass through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from tutelage.errors import NotYetError

if TYPE_CHECKING:
    from tutelage.modality.perturb import Perturb

Item = Path | str | npt.NDArray[Any]
"""What a user hands over as one example: a file, a string, or an array."""


@dataclass(frozen=True)
class InputSpec:
    """How an input is made ready for a teacher: a value of its card and part of every digest.

    Attributes:
        size: height = width in pixels of what the network sees; where ``unit`` is ``"tokens"``, the most it reads.
        resize: length in pixels of the short side before the central crop.
        interpolation: ``"bicubic"`` or ``"bilinear"`` (Pillow's, which low-pass filters); ``"none"``.
        mean, std: per channel, for values in 0..1.
        channels: of the array handed over, 3 for RGB.
        padding: the networks own rule for borders, kept because it changes activations.
        smallest: input in pixels that the network was seen to work at; ``size`` if it takes no other.
        unit: of the sizes: ``"px"`` or ``"tokens"``.
        restored: whether what slips and adversaries did to an item is undone before it is read, where the modality can.
    """

    size: int = 224
    resize: int = 256
    interpolation: Literal["bicubic", "bilinear", "none"] = "bicubic"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    channels: int = 3
    padding: str = ""
    smallest: int = 32
    unit: str = "px"
    restored: bool = False

    @property
    def told(self) -> str:
        """In words."""
        if self.unit != "px":
            return f"input up to {self.size} {self.unit}" + (", restored" if self.restored else "")
        return f"input {self.size} px (short side to {self.resize}), {self.interpolation}, {self.channels} channels, down to {self.smallest} px"

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary; ``InputSpec.from_json`` is its inverse."""
        plain = {**asdict(self), "mean": list(self.mean), "std": list(self.std)}
        usual = {"unit": "px", "restored": False}
        return {k: v for k, v in plain.items() if k not in usual or v != usual[k]}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> InputSpec:
        """The inverse of ``as_json``."""
        return InputSpec(**{**value, "mean": tuple(value["mean"]), "std": tuple(value["std"])})


@dataclass(frozen=True)
class Facts:
    """What a look at one item told: its form, and its defects as ``(kind, detail)``.

    Attributes:
        form: e.g. ``{"format": "JPEG", "mode": "RGB", "width": 256, "height": 192}``.
        defects: kinds that ``data.checks`` knows, e.g. ``("unreadable", "truncated at byte 812")``.
        scale: a length that says how large the item is natively (long side in pixels); 0 if unknown.
        richness: among copies the one with most of it is called the original (pixels, then bytes).
        content: digest of the decoded content; equal means the same thing in another wrapping.
        fingerprint: for near-duplicates; None where only exact ones count.
    """

    form: Mapping[str, Any] = field(default_factory=dict)
    defects: tuple[tuple[str, str], ...] = ()
    scale: int = 0
    richness: int = 0
    content: str = ""
    fingerprint: Fingerprint | None = None


@dataclass(frozen=True)
class Fingerprint:
    """For near-duplicates: words of 64 bits to find candidates by, and values to confirm them with.

    Two items are candidates if the first word of one differs in few bits from any word of the
    other; ``Modality.confirm`` then decides.

    Attributes:
        words: ``(W,)`` uint64; the first is the whole item's, the others those of likely parts of it.
        vector: ``(P,)`` uint8 or float32, what ``confirm`` compares.
    """

    words: npt.NDArray[np.uint64]
    vector: npt.NDArray[Any]


Confirm = Callable[
    [Sequence[Fingerprint], Sequence[Fingerprint], Sequence[int]], npt.NDArray[np.bool_]
]


@dataclass(frozen=True)
class Modality:
    """Images, text, or what a user brings: the only place that knows what an item is.

    Attributes:
        name: for cards and messages only; nobody compares it.
        columns: names of table columns that hold the item, in order of preference, each with
            ``"path"`` (relative to the table) or ``"value"`` (the cell is the item itself).
        sniff: is this file one of mine? Looks at the name only (contents are ``check``'s business).
        check: look at an item without decoding it whole (``full=False``) or decoding all of it.
        fingerprint: reduced-scale look for near-duplicates, or None where only exact ones count;
            ``check`` calls it, so that one decode serves both.
        confirm: given wholes, containers and the container's matching word, each of length B,
            -> ``(B,)`` bool: are they copies? None stands for correlation of the vectors >= 0.98.
        read: decode an item, as it is; raises DataError(kind="unreadable") if it cannot be.
        augment: decoded item + spec -> one array of the spec's shape; ``rng`` None gives the plain
            view that ``predict`` uses, else a random view drawn from it.
        collate: arrays -> the batch, ``{"x": (N, ...)}``; uint8 for images. Where items differ in length they
            are padded to the longest, and ``"mask"`` (N, T) says which places are true.
        spec: the InputSpec to use, given the card's spec and the items' native scales.
        reduced: like ``read``, but with no more detail than a spec needs; None where ``read`` is all there is.
        show: item -> WebP bytes of a thumbnail with the given long side, for pages.
        excerpt: item -> a line of it, for pages, where reading tells more than a picture; instead of ``show``.
        attribute: decoded item + spec + how much each place of it speaks for an answer, (h, w) and nothing
            negative -> PNG bytes of the item beside itself under that heat; None where the modality lacks it.
        perturb: what an adversary may do to an item, a record of functions of its own (see
            ``modality.perturb``); None where the modality lacks it.
        worn: plain view + rng -> the view after changes that must not matter to what it shows; None where nothing is
            known to be such.
        random_views: whether a fit learns from random views beside the plain one; else one view says all.
        defects: kinds of defects of its own -> how bad, and what to do; they are told in one finding each.
    """

    name: str
    columns: Mapping[str, Literal["path", "value"]]
    sniff: Callable[[Path], bool]
    check: Callable[[Item, bool], Facts]
    read: Callable[[Item], Any]
    augment: Callable[[Any, InputSpec, np.random.Generator | None], npt.NDArray[Any]]
    collate: Callable[[Sequence[npt.NDArray[Any]]], dict[str, npt.NDArray[Any]]]
    fingerprint: Callable[[Item], Fingerprint | None] | None = None
    confirm: Confirm | None = None
    spec: Callable[[InputSpec, Sequence[int]], InputSpec] | None = None
    show: Callable[[Item, int], bytes] | None = None
    excerpt: Callable[[Item], str] | None = None
    reduced: Callable[[Item, InputSpec], Any] | None = None
    attribute: Callable[[Any, InputSpec, npt.NDArray[np.floating]], bytes] | None = None
    perturb: Perturb | None = None
    worn: Callable[[npt.NDArray[Any], np.random.Generator], npt.NDArray[Any]] | None = None
    random_views: bool = True
    defects: Mapping[str, tuple[Literal["error", "warning", "info"], str]] = field(
        default_factory=dict
    )

    @property
    def family(self) -> str:
        """Its name without what binds it to a number of channels or to one teacher."""
        return self.name.partition("/")[0]

    @property
    def literal(self) -> bool:
        """Whether a string may be an item itself, and not only where one lies."""
        return "value" in self.columns.values()

    def decode(self, item: Item, spec: InputSpec) -> Any:
        """An item decoded for views by a spec; raises as ``read`` does."""
        return self.reduced(item, spec) if self.reduced else self.read(item)


def lacking(modality: Modality, what: str) -> NotYetError:
    """The one error for a function that a modality does not have."""
    return NotYetError(
        "modality-lacks", given=f"`{what}` was asked of {modality.name}",
        expected="a modality that has it", next="Leave that option out for this data.",
    )  # fmt: skip
