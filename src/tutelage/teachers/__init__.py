"""The zoo: teachers with their cards, verified before they are believed. Free of PyTorch at import."""

from tutelage.teachers.card import Card, StageFacts
from tutelage.teachers.embedded import DEFAULT
from tutelage.teachers.origin import Asked
from tutelage.teachers.published import Line
from tutelage.teachers.waiting import expect
from tutelage.teachers.zoo import (
    Teacher,
    load_teacher,
    teacher_from_module,
    teacher_from_network,
)

__all__ = [
    "DEFAULT",
    "Asked",
    "Card",
    "Line",
    "StageFacts",
    "Teacher",
    "expect",
    "load_teacher",
    "teacher_from_module",
    "teacher_from_network",
]
