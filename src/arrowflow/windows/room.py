"""How much memory the state of one operator may take, asked before it grows. Knows no pane and frees nothing."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable
from typing import TypeVar

from arrowflow.errors import StateTooLarge

T = TypeVar("T")
Admit = Callable[[int], None]
"""Asked before an array grows, with the bytes it will take beside those that are taken; raises `StateTooLarge`."""

_SHARED = range(-5, 257)
"""Integers that Python has once for everybody."""


def weakly(method: Callable[..., T]) -> Callable[..., T]:
    """Call a method of an object without keeping that alive: a state that asks for room owns the room it asks."""
    found = weakref.WeakMethod(method)

    def call(*given: object) -> T:
        bound = found()
        if bound is None:
            raise AssertionError("whoever asks for room is alive")
        return bound(*given)

    return call


def freely(_more: int) -> None:
    """Let everything grow."""


class Room:
    """The bytes a state takes against those it may take.

    Arrays say what they take at any time. Python objects would have to be visited one by one: between two visits they
    are taken to have grown by what the rows folded could have brought at most, and visited when that is too much.

    Parameters
    ----------
    limit : int or None
        Bytes; None lets everything grow.
    arrays, objects : callable
        How many bytes the arrays take, and the Python objects, visited.
    complaint : callable
        From the bytes that would be taken and the limit to the message of the error.
    """

    def __init__(
        self,
        limit: int | None,
        arrays: Callable[[], int],
        objects: Callable[[], int],
        complaint: Callable[[int, int], str],
    ) -> None:
        self._limit = limit
        self._arrays, self._objects, self._complaint = arrays, objects, complaint
        self._most = 0

    def admit(self, more: int) -> None:
        """Raise `StateTooLarge` if `more` bytes beside those taken pass the limit."""
        if self._limit is None or self._arrays() + self._most + more <= self._limit:
            return
        self._most = self._objects()
        wanted = self._arrays() + self._most + more
        if wanted > self._limit:
            raise StateTooLarge(self._complaint(wanted, self._limit))

    def brought(self, most: int) -> None:
        """Count objects of at most so many bytes, which are there already."""
        self._most += most
        self.admit(0)

    def visit(self) -> None:
        """Count the objects that are there."""
        if self._limit is not None:
            self._most = self._objects()
            self.admit(0)


def bytes_of(values: Iterable[object]) -> int:
    """Bytes that Python objects take; what several share counts for each of them."""
    return sum(map(size_of, values))


def size_of(value: object) -> int:
    """Bytes that one Python object takes with what it holds, as far as Python knows."""
    if value is None or (type(value) is int and value in _SHARED):
        return 0
    size = sys.getsizeof(value)
    if isinstance(value, tuple | list | set | frozenset):
        return size + bytes_of(value)
    if isinstance(value, dict):
        return size + bytes_of(value) + bytes_of(value.values())
    return size
