"""A run as plain lines on stderr: one per event, safe for any log collector."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from arrowflow.cli.figures import balance_line, count, moment
from arrowflow.cli.output import say
from arrowflow.events import Committed, Notice, Progress, Started

_PROGRESS_EVERY_S = 10.0


class Lines:
    """An `Observer` that prints; progress at most every ten seconds.

    Parameters
    ----------
    clean : callable
        Makes text safe to print.
    """

    def __init__(self, clean: Callable[[str], str]) -> None:
        self._clean = clean
        self._told_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def say(self, level: str, message: str) -> None:
        """Print one line with the time and a level."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        say(f"{now} {level} {self._clean(message)}")

    def notice(self, event: object) -> None:
        if isinstance(event, Notice):
            self.say(event.level, event.message)
        elif isinstance(event, Started):
            redone = f", {count(event.redone, 'epoch')} published again" if event.redone else ""
            self.say("info", f"started: own record {event.head.epoch}{redone}")
        elif isinstance(event, Committed):
            self.say("info", _committed(event))
        elif isinstance(event, Progress) and time.monotonic() - self._told_at >= _PROGRESS_EVERY_S:
            self._told_at = time.monotonic()
            self.say("info", _progress(event))


def _committed(event: Committed) -> str:
    record = event.manifest
    rows = sum(file.new_rows for file in record.outputs)
    parts = [f"epoch {record.epoch} committed: {balance_line(record.balance)}"]
    parts.append(f"{count(rows, 'row')} written to {count(len(record.outputs), 'file')}")
    parts += [f"{count(outbox.rows, 'row')} delivered to {outbox.sink}" for outbox in record.outbox]
    parts.append(f"watermark {moment(record.watermark_us)}")
    return "; ".join(parts)


def _progress(event: Progress) -> str:
    lag = sum(max(0, end - event.positions.get(part, end)) for part, end in event.ends.items())
    return f"epoch {event.epoch}: {count(event.rows, 'row')} read, {count(lag, 'record')} to go, {count(event.open_windows, 'window')} open"
