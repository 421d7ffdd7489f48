"""A machine on which a run has no helpers: all that others do beside it is done by its own thread, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from arrowflow.phases.defaults import ThisMachine
from arrowflow.phases.helpers import ThreadTask
from arrowflow.protocols import Duty, Helper

T = TypeVar("T")


class Alone(ThisMachine):
    """The `Machine` protocol. What is to be made true is made true at once; nothing is fetched or decoded ahead."""

    def helper(self, duty: Duty) -> Helper:
        return Oneself(at_once=duty == "commit")


class Oneself:
    """The `Helper` protocol: whoever asks for a result does the work, or does it at once.

    Parameters
    ----------
    at_once : bool
        Whether the work is done when it is given.
    """

    def __init__(self, *, at_once: bool) -> None:
        self._at_once = at_once

    def start(self, work: Callable[[], T]) -> OwnTask[T]:
        task = OwnTask(work)
        if self._at_once:
            task.do()
        return task

    def close(self) -> None:
        """Nobody is there to end."""


class OwnTask(ThreadTask[T]):
    """The `Task` protocol: done where its result is asked for, if it was not before."""

    def result(self) -> T:
        if not self.is_over:
            self.do()
        return super().result()
