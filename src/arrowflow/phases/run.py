"""A run in its own thread and the handle to it: stop it, wait for it, take its result. Installs no signal handler."""

from __future__ import annotations

import threading
from collections.abc import Callable

from arrowflow.events import Finished


class Run:
    """A pipeline at work.

    The work is done in a thread of its own; the thread that holds this handle stays free for signals.
    Several runs may live in one process.
    """

    def __init__(self, name: str, work: Callable[[threading.Event], Finished]) -> None:
        self._stopping = threading.Event()
        self._done = threading.Event()
        self._work = work
        self._finished: Finished | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name=f"arrowflow-{name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the run to commit what it has read and end; returns at once."""
        self._stopping.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds; return whether the run has ended."""
        return self._done.wait(timeout)

    def result(self) -> Finished:
        """Wait for the end and return the totals, or raise what ended the run."""
        self._done.wait()
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self._finished is None:
            raise RuntimeError("a run ended without a result")
        return self._finished

    def _main(self) -> None:
        try:
            self._finished = self._work(self._stopping)
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
            self._error = error
        finally:
            self._done.set()
