"""Head first, then tail: recipe (numbers by rule), loop (yields records), train (the student)."""

from tutelage.training.lesson import Chosen, Lesson, fetching, open_facts, open_lesson
from tutelage.training.options import FitOptions, read_options, require
from tutelage.training.train import Trained, train

__all__ = [
    "Chosen",
    "FitOptions",
    "Lesson",
    "Trained",
    "fetching",
    "open_facts",
    "open_lesson",
    "read_options",
    "require",
    "train",
]
