"""Transfer learning with a receipt: a pretrained teacher and a folder of photos become a student.

    import tutelage as tl
    student = tl.fit("photos/")
    student.predict(["a.jpg"])

Importing this module is quick: the rooms, and PyTorch, are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tutelage.api import advise, audit, check, compare, fit, harden, load
    from tutelage.errors import TutelageError
    from tutelage.estimator import TransferClassifier
    from tutelage.student import Student

__version__ = "0.1.0"
__all__ = ["Student", "TransferClassifier", "TutelageError", "__version__", "advise", "audit", "check", "compare", "fit", "harden", "load"]  # fmt: skip

_WHERE = {
    "fit": "tutelage.api", "load": "tutelage.api", "check": "tutelage.api",
    "compare": "tutelage.api", "advise": "tutelage.api", "audit": "tutelage.api", "harden": "tutelage.api",
    "TransferClassifier": "tutelage.estimator", "Student": "tutelage.student",
    "TutelageError": "tutelage.errors",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'tutelage' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
