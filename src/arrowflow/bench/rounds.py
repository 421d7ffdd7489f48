"""Works timed in turn, so that a machine that drifts hits all of them alike. Checks no answer."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Timed(Generic[Answer]):
    """Seconds of each run of one work, by the clock and of this process's processors, and what the last one gave."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    @property
    def answer(self) -> Answer:
        return self.answers[-1]

    def run(self, work: Callable[[], Answer]) -> Answer:
        """Time one run."""
        gc.collect()
        before, began = _cpu_s(), time.perf_counter()
        answer = work()
        wall, cpu = time.perf_counter() - began, _cpu_s() - before
        self.wall_s.append(wall)
        self.cpu_s.append(cpu)
        self.answers = [answer]
        return answer


def in_turn(works: Mapping[str, Callable[[], Answer]], rounds: int) -> dict[str, Timed[Answer]]:
    """Run every work once untimed, then all of them one after the other, `rounds` times.

    Parameters
    ----------
    works : mapping of str to callable
        What to time; each is called without arguments.
    rounds : int
        How often each is timed.
    """
    found = {name: Timed[Answer]() for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            found[name].run(work)
    return found


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
