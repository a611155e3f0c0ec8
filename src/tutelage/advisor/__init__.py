"""How deep to freeze: the decision and its reasons."""

from tutelage.advisor.rule import advise

__all__ = ["advise"]
