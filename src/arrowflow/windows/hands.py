"""A second thread for one operator: what accumulators do with a batch, while the next batch looks for its panes."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np

from arrowflow.types import I64

Work = Callable[[], None]

WORTH_IT = 8_192
"""Rows below which handing work over costs more than doing it."""


class Hands:
    """At most one piece of work at a time, done in the order given; its caller goes on meanwhile.

    Whoever looks at what the work changes, or moves it in memory, calls `rest` first. The work must not depend on
    when it is done. The thread starts with the first piece of work and ends with this object.
    """

    def __init__(self) -> None:
        self._todo: SimpleQueue[Work | None] = SimpleQueue()
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._started, self._busy = False, False

    def give(self, work: Work) -> None:
        """Start `work` once the work before it is done."""
        self.rest()
        if not self._started:
            # Two queues pass work on in a third of the time of an executor, which is felt at a few hundred rows.
            threading.Thread(target=_labour, args=(self._todo, self._done), name="arrowflow-fold", daemon=True).start()
            weakref.finalize(self, self._todo.put, None)
            self._started = True
        self._todo.put(work)
        self._busy = True

    def rest(self) -> None:
        """Wait until all work given is done; raises what it raised."""
        if not self._busy:
            return
        raised = self._done.get()
        self._busy = False
        if raised is not None:
            raise raised


class Sheets:
    """Two arrays lent in turn: while work beside reads one, what the next work reads is written to the other.

    What was lent before the last one is written to again, so the work that reads it has to be done by then: `Hands`
    does one piece at a time, which is enough. Memory that was written once costs less than new memory.
    """

    _MOST = 1 << 17
    """Longer arrays are not kept."""

    def __init__(self) -> None:
        self._next, self._last = np.empty(0, np.int64), np.empty(0, np.int64)

    def lend(self, n: int) -> I64:
        """int64[n], whatever it holds."""
        if n > self._MOST:
            return np.empty(n, np.int64)
        sheet = self._next if len(self._next) >= n else np.empty(n, np.int64)
        self._next, self._last = self._last, sheet
        return sheet[:n]


def _labour(todo: SimpleQueue[Work | None], done: SimpleQueue[BaseException | None]) -> None:
    """Do work until there is nobody left to give any."""
    while (work := todo.get()) is not None:
        try:
            work()
        except BaseException as raised:  # noqa: BLE001 - it is raised again where it is waited for
            done.put(raised)
        else:
            done.put(None)
        del work  # what it refers to is not kept until there is more to do
