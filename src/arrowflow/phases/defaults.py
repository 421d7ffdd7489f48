"""What a run uses when nobody brings their own: the system's clock, this machine, an observer that keeps silent."""

from __future__ import annotations

import ctypes
import os
import random
import socket
import sys
import time
import uuid

import pyarrow as pa

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

    def __init__(self) -> None:
        self._gave_back_at = 0.0

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

    def give_back_memory(self) -> None:
        """Once a second at most: it takes some milliseconds, and what is needed again has to be asked for again."""
        now = time.monotonic()
        if now - self._gave_back_at >= 1:
            self._gave_back_at = now
            pa.default_memory_pool().release_unused()
            if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):  # glibc's
                libc.malloc_trim(0)


class Silence:
    """An observer that hears everything and says nothing."""

    def notice(self, event: object) -> None:
        """Let it pass."""
