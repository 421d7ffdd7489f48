"""The start of a run: how long it took to get to work, and a word for those who wait for it."""

from __future__ import annotations

import time
from typing import Protocol

from arrowflow.events import Started

_PATIENCE_S = 5.0
_WORD = (
    "still starting: the first run after an installation compiles the window kernels, which may take a minute; "
    "later runs find them compiled"
)


class View(Protocol):
    """What shows a run."""

    def notice(self, event: object) -> None:
        """Take one event."""

    def say(self, level: str, message: str) -> None:
        """Show a line."""


class Opening:
    """An `Observer` that passes every event on and keeps the time until the run was at work.

    Parameters
    ----------
    view : View
        Takes the events.
    patience_s : float
        How long nothing may be heard of the run before a word is said, once.
    """

    def __init__(self, view: View, patience_s: float = _PATIENCE_S) -> None:
        self.view, self._patience_s = view, patience_s
        self._began = time.monotonic()
        self._silent = True
        self.seconds = 0.0
        """From the start to the moment the run took over its records; 0 if it never did."""

    def notice(self, event: object) -> None:
        self._silent = False
        if isinstance(event, Started):
            self.seconds = time.monotonic() - self._began
        self.view.notice(event)

    def look(self) -> None:
        """Say a word if nothing was heard for too long; to be called while waiting."""
        if self._silent and time.monotonic() - self._began >= self._patience_s:
            self._silent = False
            self.view.say("info", _WORD)
