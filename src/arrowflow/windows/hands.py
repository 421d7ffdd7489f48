"""A second thread for one operator: what accumulators do with a batch, while the next batch looks for its panes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

WORTH_IT = 8_192
"""Rows below which handing work over costs more than doing it."""


class Hands:
    """At most one piece of work at a time, done in the order given; its caller goes on meanwhile.

    Whoever looks at what the work changes, or moves it in memory, calls `rest` first. The work must not depend on
    when it is done. The thread starts with the first piece of work and ends with this object.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._work: Future[None] | None = None

    def give(self, work: Callable[[], None]) -> None:
        """Start `work` once the work before it is done."""
        self.rest()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "arrowflow-fold")
        self._work = self._pool.submit(work)

    def rest(self) -> None:
        """Wait until all work given is done; raises what it raised."""
        work, self._work = self._work, None
        if work is not None:
            work.result()
