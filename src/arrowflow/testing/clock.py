"""A clock that a test moves; never reads the machine's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ManualClock:
    """The `Clock` protocol by hand: `sleep` returns at once and moves both times forward.

    Parameters
    ----------
    wall_us : int
        Microseconds since Unix time zero.
    seconds : float
        The monotonic time.
    """

    wall_us: int = 1_761_890_400_000_000
    seconds: float = 0.0

    def now_us(self) -> int:
        return self.wall_us

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move both times forward by `seconds`."""
        self.seconds += seconds
        self.wall_us += round(seconds * 1_000_000)
