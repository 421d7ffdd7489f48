"""How often and how long an outside call is made again: with growing pauses, within a limit, by a clock that can be exchanged."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from arrowflow.errors import RetryableError
from arrowflow.protocols import Clock

_T = TypeVar("_T")
_DICE = random.SystemRandom()
"""Not the dice of `random` itself, which belong to the program."""


@dataclass(frozen=True, slots=True)
class Wall:
    """The system's time; the engine's own clock lies in a layer that stores do not know."""

    def now_us(self) -> int:
        """Microseconds since Unix time zero."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait at most 0.2 s at a time."""
        time.sleep(min(seconds, 0.2))


@dataclass(frozen=True, slots=True)
class Patience:
    """Repeats a step while it raises `RetryableError`.

    Parameters
    ----------
    clock : Clock
        Tells when patience ends, and waits.
    total_s : float
        No new try begins after so many seconds. The engine has patience of its own for the whole epoch, so this one only
        bridges what passes at once.
    first_s, longest_s : float
        The first pause and the longest; each is double the one before, shortened at random by up to a half so that
        many writers do not come back together.
    """

    clock: Clock = field(default_factory=Wall)
    total_s: float = 15.0
    first_s: float = 0.1
    longest_s: float = 3.0

    def repeat(self, step: Callable[[], _T]) -> _T:
        """Return what `step` returns; raise its last `RetryableError` once patience is over, anything else at once."""
        began, pause = self.clock.monotonic(), self.first_s
        while True:
            try:
                return step()
            except RetryableError:
                if self.clock.monotonic() - began + pause > self.total_s:
                    raise
            self._wait(pause * _DICE.uniform(0.5, 1.0))
            pause = min(2 * pause, self.longest_s)

    def _wait(self, seconds: float) -> None:
        until = self.clock.monotonic() + seconds
        while (left := until - self.clock.monotonic()) > 0:
            self.clock.sleep(left)
