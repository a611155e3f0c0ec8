"""``functools.cached_property`` without its lock.

In Python 3.11 all instances share that lock: two heads fitted in two threads decomposed their matrices one after the
other. Here two threads that ask the same instance at once may both compute, and get the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class once(Generic[T]):
    """A property that is computed at its first use and kept in the instance's ``__dict__``."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make, self.__doc__ = make, make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        value: T = self._make(instance)
        instance.__dict__[self._name] = value
        return value
