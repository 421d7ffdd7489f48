"""What a run uses when nobody brings their own: the system's clock, this machine, an observer that keeps silent."""

from __future__ import annotations

import os
import random
import socket
import time
import uuid

from arrowflow.phases.helpers import ThreadHelper
from arrowflow.protocols import Duty, Helper

_DICE = random.SystemRandom()
"""Not the dice of `random` itself, which belong to the program."""


class SystemClock:
    """Processing time from the operating system."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.2))


class ThisMachine:
    """The machine and process this code runs in."""

    @property
    def host(self) -> str:
        return socket.gethostname()

    @property
    def pid(self) -> int:
        return os.getpid()

    def runs(self, pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def new_name(self) -> str:
        return uuid.uuid4().hex

    def between(self, low: float, high: float) -> float:
        return _DICE.uniform(low, high)

    def helper(self, duty: Duty) -> Helper:
        return ThreadHelper(f"arrowflow-{duty}")


class Silence:
    """An observer that hears everything and says nothing."""

    def notice(self, event: object) -> None:
        """Let it pass."""
