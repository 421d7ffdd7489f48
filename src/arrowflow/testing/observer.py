"""An observer that keeps what it hears; never judges it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

_Event = TypeVar("_Event")


@dataclass(slots=True)
class RecordingObserver:
    """The `Observer` protocol as a list: `events` in the order they came."""

    events: list[object] = field(default_factory=list)

    def notice(self, event: object) -> None:
        self.events.append(event)

    def of(self, kind: type[_Event]) -> list[_Event]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]
