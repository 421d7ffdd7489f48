"""Signals for the time of one run: the first asks it to end in order, a second Ctrl-C ends the process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from arrowflow.cli.session import Handle

FORCED = 130
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


class Draining:
    """While it is entered, SIGINT, SIGTERM and SIGHUP stop `run` in order; the handlers before come back afterwards.

    Parameters
    ----------
    run : Handle
        What to stop.
    say : callable
        Told once, in a sentence, what a signal does.
    """

    def __init__(self, run: Handle, say: Callable[[str], None]) -> None:
        self._run = run
        self._say = say
        self._asked = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._asked and number == signal.SIGINT:
            os.write(2, b"arrowflow: ended by force; the next run goes on from the newest record\n")
            os._exit(FORCED)  # no clean-up on purpose: nothing outside a record counts
        if not self._asked:
            self._asked = True
            self._run.stop()
            self._say(
                f"{signal.Signals(number).name}: committing what was read, then ending; Ctrl-C again ends at once"
            )
