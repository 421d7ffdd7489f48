"""Runs rows of the oracle's kind through a real operator, cut and interleaved as a test likes. Judges nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from tests.oracles.windows import Row, Window

from arrowflow.protocols import CalendarTable
from arrowflow.types import MIN_US, Folded, PartitionClock, RawBatch, RowBatch, SourcePartition
from arrowflow.windows.clocks import tick, watermark_us
from arrowflow.windows.operator import KeyedWindows
from arrowflow.windows.spec import Sliding, WindowSpec

UTC = pa.timestamp("us", tz="UTC")


def partition_of(row: Row) -> SourcePartition:
    return SourcePartition("in", row.topic, row.partition)


def batch_of(
    rows: Sequence[Row],
    schema: pa.Schema,
    keys: Sequence[str],
    clock_us: np.ndarray,
    raw_rows: np.ndarray | None = None,
) -> RowBatch:
    """Rows of one partition as the engine would hand them on."""
    n = len(rows)
    columns = {
        field.name: [row.key[keys.index(field.name)] if field.name in keys else row.values[field.name] for row in rows]
        for field in schema
    }
    table = pa.table({f.name: pa.array(columns[f.name], f.type, from_pandas=False) for f in schema}, schema=schema)
    empty = pa.nulls(n, pa.binary())
    raw = RawBatch(
        partition_of(rows[0]),
        np.array([row.offset for row in rows], np.int64),
        np.full(n, MIN_US, np.int64),
        np.zeros(n, np.bool_),
        empty,
        empty,
    )
    index = np.arange(n, dtype=np.int64) if raw_rows is None else raw_rows
    return RowBatch(raw, index, table, np.array([row.event_us for row in rows], np.int64), clock_us)


@dataclass
class Outcome:
    """Everything a run gave."""

    results: list[dict] = field(default_factory=list)
    late: dict = field(default_factory=dict)
    rejects: dict = field(default_factory=dict)
    missed: dict = field(default_factory=dict)
    between: int = 0
    ahead: set = field(default_factory=set)
    folded: int = 0
    left: int = 0
    digests: list[str] = field(default_factory=list)
    watermarks: list[int] = field(default_factory=list)


@dataclass
class Drive:
    """One run of an operator with its clocks; `crash` restores a fresh operator from what was told so far."""

    spec: WindowSpec
    schema: pa.Schema
    tolerance: int = 0
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self):
        self.operator: KeyedWindows = self.spec.build(self.schema)
        self.clocks: dict[SourcePartition, PartitionClock] = {}
        self.full, self.deltas = None, []

    def know(self, partitions: Iterable[SourcePartition]) -> Drive:
        for partition in partitions:
            self.clocks.setdefault(partition, PartitionClock())
        return self

    def fold(self, rows: Sequence[Row]) -> Folded:
        """Fold one slice of one partition."""
        partition = partition_of(rows[0])
        limited = rows[0].limit_us is not None
        event = np.array([row.event_us for row in rows], np.int64)
        limit = np.array([row.limit_us for row in rows], np.int64) if limited else None
        ticked = tick(
            self.clocks.get(partition, PartitionClock()), event, np.ones(len(rows), np.bool_), limit, self.tolerance
        )
        self.clocks[partition] = ticked.clock
        self.outcome.ahead |= {place(row) for row, far in zip(rows, ticked.ahead, strict=True) if far}
        kept = [row for row, far in zip(rows, ticked.ahead, strict=True) if not far]
        if not kept:
            return Folded(0)
        batch = batch_of(kept, self.schema, self.spec.group_by, ticked.clock_us[~ticked.ahead])
        folded = self.operator.fold(batch)
        self.outcome.folded += folded.folded
        for told, noted in ((folded.late, self.outcome.late), (folded.missed, self.outcome.missed)):
            if told is not None:
                for row, start, end in zip(told.row, told.window_start_us, told.window_end_us, strict=True):
                    noted[place(kept[row])] = (int(start), int(end))
        self.outcome.between += folded.filtered.get("no_window", 0)
        for reject in folded.rejects:
            self.outcome.rejects[place(kept[reject.row])] = reject.reason
        return folded

    def watermark(self) -> int:
        mark = watermark_us(self.clocks, self.tolerance)
        return MIN_US if mark is None else mark

    def close(self) -> None:
        """End an epoch: close by the clocks, tell the delta."""
        clocks = {partition: clock.clock_us(self.tolerance) for partition, clock in self.clocks.items()}
        self.outcome.watermarks.append(self.watermark())
        closed = self.operator.close(clocks, self.watermark())
        self._take(closed)
        self.deltas.append(self.operator.delta())

    def finish(self) -> Outcome:
        self._take(self.operator.close_fed_by(None, "end_of_input"))
        assert self.operator.open_windows == 0
        if isinstance(self.spec.window, Sliding):  # rows stay for later rows to look back at
            self.outcome.left += self.operator.folded_rows
        else:
            assert self.operator.folded_rows == 0
        return self.outcome

    def crash(self, *, full: bool) -> None:
        """Throw the operator away and restore another one from what was told."""
        if full:
            self.full, self.deltas = self.operator.snapshot(), []
        digest, rows, panes = self.operator.digest(), self.operator.folded_rows, self.operator.open_windows
        self.operator = self.spec.build(self.schema)
        self.operator.restore(self.full, self.deltas)
        assert self.operator.digest() == digest
        assert (self.operator.folded_rows, self.operator.open_windows) == (rows, panes)
        self.outcome.digests.append(digest)

    def _take(self, closed) -> None:
        # Python's dates end where Arrow's do not: times as integers.
        table = closed.table
        for at, each in enumerate(table.schema):
            if pa.types.is_timestamp(each.type):
                table = table.set_column(at, each.name, table.column(at).cast(pa.int64()))
        rows = table.to_pylist()
        assert len(rows) == closed.windows
        self.outcome.results += rows
        self.outcome.left += closed.folded_rows


def place(row: Row) -> tuple:
    return (row.topic, row.partition, row.offset)


def slices(rows: Sequence[Row], cut: Callable[[int], bool]) -> list[list[Row]]:
    """Rows in arrival order as slices of one partition each; ``cut(i)`` starts a new slice before row i."""
    parts: list[list[Row]] = []
    for i, row in enumerate(rows):
        if not parts or partition_of(parts[-1][-1]) != partition_of(row) or cut(i):
            parts.append([])
        parts[-1].append(row)
    return parts


@dataclass(frozen=True)
class PlainCalendar:
    """A calendar from lists: for each key value its consecutive windows, None for a value without."""

    windows: Mapping[str | None, Sequence[Window]]
    clip: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        return ("T1", "T2", "T3", "off")

    @property
    def has_holes(self) -> bool:
        return False

    def table(self, key: str | None, from_us: int, to_us: int) -> CalendarTable | None:
        held = self.windows.get(key)
        if held is None:
            return None
        over = [window for window in held if window.end > from_us and window.start < to_us]
        starts = [window.start for window in over] + [over[-1].end]
        if self.clip:
            starts[0], starts[-1] = max(starts[0], from_us), min(starts[-1], to_us)
        return CalendarTable(
            np.array(starts, np.int64),
            np.array([self.labels.index(window.label) for window in over], np.int32),
            np.array([window.day for window in over], np.int32),
        )

    def fingerprint(self) -> Mapping[str, object]:
        return {"plain": sorted(map(str, self.windows))}


@dataclass(frozen=True)
class HoledCalendar:
    """A calendar from lists: for each key value its consecutive pieces, each with the window it is part of."""

    pieces: Mapping[str | None, Sequence[tuple[int, int, Window]]]

    @property
    def labels(self) -> tuple[str, ...]:
        return ("T1", "T2", "T3", "off")

    @property
    def has_holes(self) -> bool:
        return True

    def table(self, key: str | None, from_us: int, to_us: int) -> CalendarTable | None:
        """The pieces that touch the range, each whole, without those of the same window further away."""
        held = self.pieces.get(key)
        if held is None:
            return None
        over = [piece for piece in held if piece[1] > from_us and piece[0] < to_us]
        return CalendarTable(
            np.array([start for start, _end, _window in over] + [over[-1][1]], np.int64),
            np.array([self.labels.index(window.label) for _start, _end, window in over], np.int32),
            np.array([window.day for _start, _end, window in over], np.int32),
            np.array([window.start for _start, _end, window in over], np.int64),
            np.array([window.end for _start, _end, window in over], np.int64),
        )

    def fingerprint(self) -> Mapping[str, object]:
        return {"holed": sorted(map(str, self.pieces))}
