"""The student: an artefact that predicts the same everywhere, and says where it comes from."""

from tutelage.student.artefact import FORMAT, Student, load
from tutelage.student.facts import StudentFacts

__all__ = ["FORMAT", "Student", "StudentFacts", "load"]
