"""What a run uses when nobody brings their own: the system's clock and an observer that keeps silent."""

from __future__ import annotations

import time


class SystemClock:
    """Processing time from the operating system."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.2))


class Silence:
    """An observer that hears everything and says nothing."""

    def notice(self, event: object) -> None:
        """Let it pass."""
