"""Why: which places of an item speak for the student's answer, as a picture beside the prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tutelage.errors import UsageError
from tutelage.files import write_bytes
from tutelage.modality import Item
from tutelage.modality.record import lacking
from tutelage.run import safe_name
from tutelage.student import Student
from tutelage.student.predict import Prediction
from tutelage.training.loop import as_activation
from tutelage.viewing.answer import Answer, answer_of
from tutelage.viewing.grad_cam import grad_cam
from tutelage.viewing.integrated_gradients import integrated_gradients
from tutelage.viewing.places import as_map

CELLS = 28
"""Rows and columns that attributions of pixels are summed to: single pixels are noise to the eye."""


@dataclass(frozen=True)
class Why:
    """How much each place speaks for a class.

    Attributes:
        heat: (h, w), nothing negative.
        method: ``"grad-cam"`` or ``"integrated-gradients"``.
        stage: whose places they are; None for the input's own.
        missing: of integrated gradients, how far their sum is from what it should be, as a share of it.
    """

    heat: npt.NDArray[np.float32]
    method: str
    stage: str | None = None
    missing: float | None = None


@dataclass(frozen=True)
class Explanation:
    """A prediction's reasons.

    Attributes:
        picture: the file.
        of: the class that is explained: the one told.
        why: see ``Why``.
    """

    picture: Path
    of: str
    why: Why

    def as_json(self) -> dict[str, Any]:
        """What a line of ``predict --explain --json`` adds under ``explanation``."""
        told = {"picture": str(self.picture), "of": self.of, "method": self.why.method, "stage": self.why.stage}  # fmt: skip
        return told if self.why.missing is None else {**told, "missing": round(self.why.missing, 4)}


class Explainer:
    """Explains answers of one student, one item at a time.

    Args:
        student: whose answers they are; the whole of it, taps and joint head included.
        method: one of ``METHODS``.

    Raises:
        NotYetError: its modality cannot show heat.
        UsageError: no such method.
    """

    def __init__(self, student: Student, method: str = "grad-cam") -> None:
        modality = student.teacher.modality
        if modality.attribute is None:
            raise lacking(modality, "--explain")
        if method not in METHODS:
            raise UsageError(
                "no-such-method", given=f"--method {method}", expected=" or ".join(METHODS), next="Type: --method grad-cam",
            )  # fmt: skip
        self._student, self._method = student, METHODS[method]
        self._show, self._answer = modality.attribute, answer_of(student)
        self._prepare = student.teacher.prepare(student.facts.spec)

    def why(self, decoded: Any, label: str) -> Why:
        """Why a class, for a decoded item."""
        student = self._student
        view = student.teacher.modality.augment(decoded, student.facts.spec, None)
        batch = student.teacher.modality.collate([view])
        start = self._prepare(as_activation(batch))
        target = student.classes.index(label)
        return self._method(self._answer, start, target, student.network.names)

    def explain(self, item: Item, label: str, path: Path) -> Explanation:
        """Write the picture of one item's reasons to ``path``."""
        decoded = self._student.teacher.modality.decode(item, self._student.facts.spec)
        why = self.why(decoded, label)
        write_bytes(path, self._show(decoded, self._student.facts.spec, why.heat))
        return Explanation(path, label, why)


def _cam(answer: Answer, start: dict[str, Tensor], target: int, names: tuple[str, ...]) -> Why:
    heat = grad_cam(answer, start, [target])
    return Why(heat.values[0].float().numpy(), "grad-cam", names[heat.stage - 1])


def _integrated(answer: Answer, start: dict[str, Tensor], target: int, names: tuple[str, ...]) -> Why:  # fmt: skip
    x = start["x"]
    if not x.is_floating_point() or as_map(x) is None:
        raise UsageError(
            "no-places", given="integrated gradients of an input that is no picture", expected="an image",
            next="Type: --method grad-cam",
        )  # fmt: skip
    found = integrated_gradients(answer, x, [target])
    places = found.values
    gained = float(found.values.sum() + found.missing[0])
    summed = torch.nn.functional.adaptive_avg_pool2d(places.sum(1), CELLS)[0].clamp(min=0)
    return Why(summed.float().numpy(), "integrated-gradients", None, abs(float(found.missing[0])) / max(abs(gained), 1e-9))  # fmt: skip


METHODS: dict[str, Callable[[Answer, dict[str, Tensor], int, tuple[str, ...]], Why]] = {
    "grad-cam": _cam,
    "integrated-gradients": _integrated,
}
"""What explains: fast and coarse; or slow, down to pixels, and adding up."""

Explained = tuple[Prediction, Explanation | None]


def explained(student: Student, found: Iterable[Prediction], items: Iterable[Item], folder: Path, method: str) -> Iterator[Explained]:  # fmt: skip
    """Each prediction with its explanation; None where the item could not be read.

    Args:
        found: predictions, in the order of the items.
        folder: where the pictures go.
    """
    explainer = Explainer(student, method)
    for number, (prediction, item) in enumerate(zip(found, items, strict=True), 1):
        if prediction.label is None:
            yield prediction, None
            continue
        name = f"{number:04d}-{safe_name(Path(prediction.input).stem)}.png"
        yield prediction, explainer.explain(item, prediction.label, folder / name)
