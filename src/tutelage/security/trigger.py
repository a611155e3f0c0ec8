"""Universal trigger: a few words in front of every item that move what a teacher sees (Wallace et al., EMNLP 2019).

It is made word by word from the teacher and random words alone, without any item of the task: of random words the one
stays that moves the looks at random items farthest. Where items have no words to put in front, there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from tutelage.modality.perturb import Perturb
from tutelage.security.crafted import Arrays, crafted
from tutelage.security.eye import Eye
from tutelage.security.inquiry import Inquiry
from tutelage.security.rows import Row

WORDS = 3
"""Of a trigger."""

ITEMS, LENGTH = 16, 12
"""Random items that it is tried on, and their words."""

MEASURE = "words in front"


def trigger_rows(inquiry: Inquiry) -> Iterator[Row]:
    """T0 with a trigger, and the control with random words."""
    perturb, spec = inquiry.perturb, inquiry.subject.student.facts.spec
    if perturb.joined is None or perturb.drawn is None:
        return
    name = inquiry.subject.teacher.card.name
    moved = perturb.joined(trigger(inquiry), inquiry.items.windows)
    yield inquiry.row("trigger", "T0", moved, float(WORDS), measure=MEASURE, on=name)
    rng = np.random.default_rng(inquiry.seed)
    chance = perturb.joined(perturb.drawn(spec, 1, WORDS, rng)[0], inquiry.items.windows)
    yield inquiry.row("control: random words", "control", chance, float(WORDS), measure=MEASURE)


def trigger(inquiry: Inquiry) -> npt.NDArray[Any]:
    """The trigger as a window; from the cache, if it is there."""
    crafter, cut = inquiry.crafter(), inquiry.headline
    facts = {
        "teacher": crafter.teacher.card.weights_digest, "spec": crafter.spec.as_json(), "goal": "trigger", "words": WORDS, "cut": cut,
        "reads": list(inquiry.reads()), "tried": inquiry.preset.steps, "seed": inquiry.seed,
        "engine": crafter.engine.as_json() if crafter.engine else None,
    }  # fmt: skip

    def make() -> Arrays:
        eye = Eye(
            crafter.teacher, crafter.spec, cut, inquiry.reads(), inquiry.device, crafter.engine
        )
        return {"pattern": _made(eye, inquiry.perturb, 2 * inquiry.preset.steps, np.random.default_rng(inquiry.seed))}  # fmt: skip

    return crafted(facts, make)["pattern"]


def _made(eye: Eye, perturb: Perturb, tried: int, rng: np.random.Generator) -> npt.NDArray[Any]:
    assert perturb.drawn is not None and perturb.joined is not None
    items = perturb.drawn(eye.spec, ITEMS, LENGTH, rng)
    before = eye.calibrate(items).look(items)
    best: npt.NDArray[Any] = np.zeros_like(items[0])
    for _ in range(WORDS):
        some = perturb.joined(best, perturb.drawn(eye.spec, tried, 1, rng))
        far = [_apart(eye.look(perturb.joined(one, items)), before) for one in some]
        best = some[int(np.argmax(far))]
    return best


def _apart(looks: Tensor, before: Tensor) -> float:
    """How far looks have moved on average, squared, in deviations."""
    return float(((looks - before) ** 2).sum(1).mean())
