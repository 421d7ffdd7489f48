"""A run on a terminal: rates, lag, clocks, open windows and the last commit, redrawn in place."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from arrowflow.cli.figures import count, moment
from arrowflow.events import Committed, Notice, Progress, Started
from arrowflow.types import SourcePartition

_SPAN_S = 5.0
_MOST_PARTITIONS = 20


class LiveView:
    """An `Observer` that keeps the newest facts and draws them four times a second, from a thread of its own.

    Parameters
    ----------
    name : str
        The pipeline.
    clean : callable
        Makes text safe to print.
    console : Console
        Where to draw.
    """

    def __init__(self, name: str, clean: Callable[[str], str], console: Console) -> None:
        self._name, self._clean, self._console = name, clean, console
        self._progress: Progress | None = None
        self._committed: Committed | None = None
        self._committed_at = 0.0
        self._rows_before = 0
        self._files = 0
        self._seen: deque[tuple[float, int]] = deque(maxlen=4096)
        self._live = Live(console=console, refresh_per_second=4, get_renderable=self.render, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._live.stop()

    def say(self, level: str, message: str) -> None:
        """Print a line above the view."""
        style = "yellow" if level == "warning" else "dim"
        with suppress(OSError):  # the terminal may be gone; the run is not
            self._console.print(Text(self._clean(message), style=style))

    def notice(self, event: object) -> None:
        if isinstance(event, Progress):
            before, self._progress = self._progress, event
            if before is not None and event.epoch > before.epoch:  # its commit is told later, while this one is read
                self._rows_before += before.rows
            self._seen.append((time.monotonic(), self._rows_before + event.rows))
        elif isinstance(event, Committed):
            self._committed, self._committed_at = event, time.monotonic()
            self._files += len(event.manifest.outputs)
        elif isinstance(event, Notice):
            self.say(event.level, event.message)
        elif isinstance(event, Started) and event.redone:
            self.say("info", f"{count(event.redone, 'epoch')} of an earlier run published again")

    def render(self) -> RenderableType:
        """Return what the terminal shows now."""
        return Group(Text(self._headline()), self._partitions(), Text(self._last_commit(), style="dim"))

    def rate(self) -> float:
        """Rows a second over the last few seconds."""
        seen = list(self._seen)
        now = time.monotonic()
        recent = [(at, rows) for at, rows in seen if now - at <= _SPAN_S]
        if len(recent) < 2 or recent[-1][0] == recent[0][0]:
            return 0.0
        return max(0.0, (recent[-1][1] - recent[0][1]) / (recent[-1][0] - recent[0][0]))

    def _headline(self) -> str:
        event = self._progress
        if event is None:
            return f"{self._name}: starting"
        lag = sum(_lag(event, part) for part in event.ends)
        return f"{self._name}: {self.rate():,.0f} rows/s   lag {lag:,}   {count(event.open_windows, 'window')} open   epoch {event.epoch}"

    def _partitions(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for heading in ("partition", "position", "lag", "clock"):
            table.add_column(heading, justify="left" if heading in ("partition", "clock") else "right")
        event = self._progress
        if event is None:
            return table
        for part in sorted(event.positions)[:_MOST_PARTITIONS]:
            clock = moment(event.clocks_us.get(part))
            table.add_row(Text(self._clean(str(part))), f"{event.positions[part]:,}", f"{_lag(event, part):,}", clock)
        if len(event.positions) > _MOST_PARTITIONS:
            table.add_row(f"… and {len(event.positions) - _MOST_PARTITIONS} more")
        return table

    def _last_commit(self) -> str:
        if self._committed is None:
            return "nothing committed yet"
        record = self._committed.manifest
        ago = time.monotonic() - self._committed_at
        watermark = moment(record.watermark_us)
        return f"epoch {record.epoch} committed {ago:.0f} s ago   watermark {watermark}   {count(self._files, 'file')} in this run"


def _lag(event: Progress, part: SourcePartition) -> int:
    return max(0, event.ends.get(part, 0) - event.positions.get(part, 0))
