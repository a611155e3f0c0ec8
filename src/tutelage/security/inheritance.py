"""The reading of the inheritance: which of the teacher's tensors a student has, and how far the rest has moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.modality.perturb import batch_of
from tutelage.network.decision import mode_of
from tutelage.security.subject import Subject
from tutelage.training.loop import as_activation
from tutelage.viewing.cka import gram, gram_cka

LOOKED = 64
"""Windows that features are compared on."""


def read_inheritance(subject: Subject, windows: npt.NDArray[Any]) -> dict[str, Any]:
    """What the weights and the features say, stage by stage.

    Args:
        windows: (N, ...); the first ``LOOKED`` are looked at.

    Returns:
        ``read_cut``: stages from the first on that are the teacher's, bit for bit; ``mode``; ``stages``, a row each with
        ``equal``, ``drift`` (norm of the change over the norm of the weights), ``statistics_drift`` (the same of
        normalisation statistics), ``cka`` (linear centred kernel alignment with the teacher's pooled features,
        Kornblith et al., ICML 2019); ``equal_tensors`` of ``tensors``.
    """
    rows = _drifts(subject)
    similar = _similarities(subject, windows[:LOOKED])
    for row, cka in zip(rows, similar, strict=True):
        row["cka"] = cka
    cut = next((i for i, row in enumerate(rows) if not row["equal"]), len(rows))
    equal, many = sum(int(r["equal_tensors"]) for r in rows), sum(int(r["tensors"]) for r in rows)
    mode = mode_of(cut, len(rows)) if equal else "none"
    return {"read_cut": cut, "mode": mode, "told_cut": subject.true_cut, "stages": rows, "equal_tensors": equal, "tensors": many}  # fmt: skip


def _drifts(subject: Subject) -> list[dict[str, Any]]:
    own, public = subject.student.teacher.tensors(), subject.teacher.tensors()
    owners, names = subject.student.facts.card.owners, subject.teacher.card.names
    rows = []
    for stage in names:
        held = [n for n, owner in owners.items() if owner == stage and n in own and n in public]
        same = [np.array_equal(own[n], public[n]) for n in held if own[n].shape == public[n].shape]
        weights = [n for n in held if "running_" not in n and "num_batches" not in n]
        statistics = [n for n in held if "running_" in n]
        rows.append({
            "stage": stage, "equal": len(same) == len(held) and all(same), "tensors": len(held), "equal_tensors": sum(same),
            "drift": _drift(own, public, weights), "statistics_drift": _drift(own, public, statistics),
        })  # fmt: skip
    return rows


def _drift(own: dict[str, Any], public: dict[str, Any], names: list[str]) -> float | None:
    """Norm of the change over the norm of the weights; None without weights, or of another shape."""
    if not names or any(own[n].shape != public[n].shape for n in names):
        return None
    change = sum(float(np.square(own[n].astype(np.float64) - public[n]).sum()) for n in names)
    size = sum(float(np.square(public[n].astype(np.float64)).sum()) for n in names)
    return round(float(np.sqrt(change / max(size, 1e-30))), 6)


def _similarities(subject: Subject, windows: npt.NDArray[Any]) -> list[float | None]:
    own, public = (_pooled(t, subject, windows) for t in (subject.student.teacher, subject.teacher))
    return [_cka(a, b) for a, b in zip(own, public, strict=True)]


def _pooled(teacher: Any, subject: Subject, windows: npt.NDArray[Any]) -> list[npt.NDArray[np.float64]]:  # fmt: skip
    import torch

    from tutelage.network.taps import PREFIX, Tapped

    spec, stages = subject.student.facts.spec, [s.module for s in teacher.network.stages]
    body = Tapped(stages, range(1, len(stages) + 1), first=teacher.prepare(spec))
    with torch.no_grad():
        seen = body(as_activation(batch_of(windows, teacher.modality, spec)))
    return [seen[f"{PREFIX}{k}"].double().numpy() for k in range(1, len(stages) + 1)]


def _cka(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float | None:
    """Linear CKA of two sets of features (N, D), (N, E); None where one is constant."""
    first, second = gram(a), gram(b)
    return round(gram_cka(first, second), 6) if first.any() and second.any() else None
