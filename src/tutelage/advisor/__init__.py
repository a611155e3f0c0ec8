"""How deep to freeze: the decision and its reasons."""

from tutelage.advisor.advise import advise
from tutelage.advisor.teachers import settle, take

__all__ = ["advise", "settle", "take"]
