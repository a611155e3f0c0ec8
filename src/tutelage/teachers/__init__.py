"""The zoo: teachers with their cards, verified before they are believed. Free of PyTorch at import."""

from tutelage.teachers.card import Card, StageFacts
from tutelage.teachers.zoo import (
    DEFAULT,
    Teacher,
    load_teacher,
    teacher_from_network,
    teacher_names,
)

__all__ = [
    "DEFAULT",
    "Card",
    "StageFacts",
    "Teacher",
    "load_teacher",
    "teacher_from_network",
    "teacher_names",
]
