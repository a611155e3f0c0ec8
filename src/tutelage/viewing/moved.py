"""Which stages moved: how far fine-tuning took a student's weights from its teacher's."""

from __future__ import annotations

from tutelage.network.stages import Network


def moved(teacher: Network, student: Network) -> tuple[float, ...]:
    """For each stage ``||W_student - W_teacher|| / ||W_teacher||`` over all its parameters; 0 where it has none.

    Both networks must have the same stages. Statistics of normalisation layers are no parameters.
    """
    changes = []
    for before, after in zip(teacher.stages, student.stages, strict=True):
        pairs = list(zip(before.module.parameters(), after.module.parameters(), strict=True))
        size = sum(float(old.detach().double().square().sum()) for old, _ in pairs)
        gap = sum(float((new.detach().double() - old.detach().double()).square().sum()) for old, new in pairs)  # fmt: skip
        changes.append((gap / size) ** 0.5 if size > 0 else 0.0)
    return tuple(changes)
