"""Helpers of one run: threads that do one piece of work at a time beside the thread that gave it. They know no engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from arrowflow.protocols import Observer

T = TypeVar("T")


class ThreadTask(Generic[T]):
    """The `Task` protocol: work that a thread does."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work: Callable[[], T] | None = work
        self._over = threading.Event()
        self._value: list[T] = []
        self._raised: BaseException | None = None

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def result(self) -> T:
        self._over.wait()
        if self._raised is not None:
            raise self._raised
        return self._value[0]

    def do(self) -> None:
        """Do the work; whatever it raises is raised where the result is asked for."""
        work, self._work = self._work, None
        if work is None:
            raise AssertionError("a piece of work is done once")
        try:
            self._value.append(work())
        except BaseException as raised:  # noqa: BLE001 - it is raised again where it is waited for
            self._raised = raised
        finally:
            del work  # what the work held may be large, and nobody needs it now
            self._over.set()


class ThreadHelper:
    """The `Helper` protocol: one thread, started with the first piece of work.

    Parameters
    ----------
    name : str
        Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._todo: SimpleQueue[ThreadTask[Any] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[], T]) -> ThreadTask[T]:
        if self._thread is None:
            self._thread = threading.Thread(target=_labour, args=(self._todo,), name=self._name, daemon=True)
            self._thread.start()
        task = ThreadTask(work)
        self._todo.put(task)
        return task

    def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self._todo.put(None)
            thread.join()


def _labour(todo: SimpleQueue[ThreadTask[Any] | None]) -> None:
    while (task := todo.get()) is not None:
        task.do()
        del task


class InTurn:
    """The `Observer` protocol: hands events on one at a time, whichever thread of a run tells them."""

    def __init__(self, observer: Observer) -> None:
        self._observer, self._lock = observer, threading.Lock()

    def notice(self, event: object) -> None:
        with self._lock:
            self._observer.notice(event)
