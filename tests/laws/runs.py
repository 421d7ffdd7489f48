"""One run of an operator with its clocks, and all it gave, as plain Python. Judges only what must hold at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa
from tests.laws.answers import normal
from tests.laws.setups import Setup
from tests.oracles.windows import Row
from tests.unit.windows.drive import partition_of, place

from arrowflow.types import MIN_US, Closed, LateRows, PartitionClock, RawBatch, RowBatch, SourcePartition
from arrowflow.windows.clocks import raise_floor, tick, watermark_us

MAX_US = 2**63 - 1


class Broken(AssertionError):
    """A law does not hold."""


def hold(what: str, found: object, wanted: object) -> None:
    """Raise unless both are equal, with both in the message."""
    if found != wanted:
        raise Broken(f"{what}: found {found!r}, wanted {wanted!r}")


@dataclass
class Outcome:
    """Everything a run gave, and the floors it recorded on the way, by the place of the row from which on they hold."""

    results: Counter[tuple] = field(default_factory=Counter)
    late: dict = field(default_factory=dict)
    missed: dict = field(default_factory=dict)
    rejects: dict = field(default_factory=dict)
    between: int = 0
    ahead: set = field(default_factory=set)
    folded: int = 0
    left: int = 0
    floors: dict = field(default_factory=dict)
    revisions: dict = field(default_factory=dict)

    def copy(self) -> Outcome:
        other = copy(self)
        for name in ("results", "late", "missed", "rejects", "ahead", "floors", "revisions"):
            setattr(other, name, copy(getattr(self, name)))
        return other


class Run:
    """Folds, closes, tells deltas and comes back from crashes; `stride` is how rows lie in their raw batch."""

    def __init__(self, setup: Setup, partitions: Iterable[SourcePartition], stride: int = 1) -> None:
        self.setup, self.stride = setup, stride
        self.operator = setup.spec.build(setup.schema)
        self.output = self.operator.output_schema()
        self.clocks = dict.fromkeys(partitions, PartitionClock())
        self.outcome, self.mark, self.epoch = Outcome(), MIN_US, 0
        self.full, self.deltas = None, []
        self._committed = (dict(self.clocks), Outcome(), MIN_US, 0)
        self.position = 0

    # ---- what a run is made of --------------------------------------------------------------------------

    def fold(self, rows: Sequence[Row]) -> None:
        """Fold consecutive rows of one partition."""
        partition, event = partition_of(rows[0]), np.array([row.event_us for row in rows], np.int64)
        before = self._awake(self.clocks[partition])
        if before.floor_us is not None:
            self.outcome.floors.setdefault(place(rows[0]), before.floor_us)
        limit = None if rows[0].limit_us is None else np.array([row.limit_us for row in rows], np.int64)
        ticked = tick(before, event, np.ones(len(rows), np.bool_), limit, self.setup.tolerance_us)
        self.clocks[partition] = ticked.clock
        if ticked.ahead.any():
            self.outcome.ahead |= {place(row) for row, far in zip(rows, ticked.ahead, strict=True) if far}
            rows = [row for row, far in zip(rows, ticked.ahead, strict=True) if not far]
            if not rows:
                return
            event = event[~ticked.ahead]
        folded = self.operator.fold(self._batch(rows, event, ticked.clock_us[~ticked.ahead]))
        self.outcome.folded += folded.folded
        corrects = self.setup.spec.correct_for_us is not None
        self._note(folded.late, rows, self.outcome.late, "beyond_correction" if corrects else "behind_clock")
        self._note(folded.missed, rows, self.outcome.missed, "missed_windows")
        self.outcome.between += folded.filtered.get("no_window", 0)
        for reject in folded.rejects:
            self.outcome.rejects[place(rows[reject.row // self.stride])] = reject.reason

    def close(self) -> None:
        """Close what the clocks have passed."""
        mark = watermark_us(self.clocks, self.setup.tolerance_us)
        if mark is not None:
            if mark < self.mark:
                raise Broken(f"the watermark fell from {self.mark} to {mark}")
            self.mark = mark
        clocks = {partition: clock.clock_us(self.setup.tolerance_us) for partition, clock in self.clocks.items()}
        self._take(self.operator.close(clocks, self.mark, self.epoch), "watermark")

    def close_early(self, partitions: Sequence[SourcePartition] | None, label: str) -> Closed:
        """Close before time what `partitions`, or all, feed; floors rise as the operator asks."""
        closed = self.operator.close_fed_by(partitions, label, self.epoch)
        self._take(closed, label)
        floors = dict.fromkeys(self.clocks, closed.reach_us) if partitions is None else closed.floors
        for partition, floor in floors.items():
            if floor > MIN_US:
                self.clocks[partition] = raise_floor(self.clocks[partition], floor)
        return closed

    def commit(self, *, full: bool = False) -> None:
        """End an epoch: close, and tell the delta or everything."""
        self.close()
        if full:
            self.operator.delta()
            self.full, self.deltas = self.operator.snapshot(), []
        else:
            self.deltas.append(self.operator.delta())
        self.epoch += 1
        self._committed = (dict(self.clocks), self.outcome.copy(), self.mark, self.position)

    def crash(self) -> None:
        """Throw the operator away and go back to the last commit."""
        digest = rows = windows = None
        clocks, outcome, self.mark, position = self._committed
        if position == self.position:
            digest, rows, windows = self.operator.digest(), self.operator.folded_rows, self.operator.open_windows
        self.clocks, self.outcome, self.position = dict(clocks), outcome.copy(), position
        self.operator = self.setup.spec.build(self.setup.schema)
        self.operator.restore(self.full, self.deltas)
        if digest is not None:
            hold("digest after a restore", self.operator.digest(), digest)
            hold("rows after a restore", self.operator.folded_rows, rows)
            hold("windows after a restore", self.operator.open_windows, windows)

    def finish(self) -> Outcome:
        """Close everything and count what is left."""
        self._take(self.operator.close_fed_by(None, "end_of_input", self.epoch), "end_of_input")
        hold("windows open at the end", self.operator.open_windows, 0)
        stay = self.setup.kind == "sliding" or self.setup.spec.correct_for_us is not None
        if not stay:
            hold("rows in the state at the end", self.operator.folded_rows, 0)
        self.outcome.left += self.operator.folded_rows
        return self.outcome

    def idle(self, partition: SourcePartition) -> None:
        """Let a partition leave the minimum until its next row."""
        clock = self.clocks[partition]
        self.clocks[partition] = PartitionClock(max_event_us=clock.max_event_us, floor_us=clock.floor_us, idle=True)

    def tuples(self, table: pa.Table, drop: int) -> list[tuple]:
        """Rows of results as tuples in which equal means bit-equal, without the last `drop` columns."""
        columns = []
        for column in table.columns[: table.num_columns - drop]:
            if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
                # Python's dates end where Arrow's do not.
                column = column.cast(pa.int64() if pa.types.is_timestamp(column.type) else pa.int32())
            columns.append(map(normal, column.to_pylist()))
        return list(zip(*columns, strict=True))

    # ---- inside -----------------------------------------------------------------------------------------

    def _awake(self, clock: PartitionClock) -> PartitionClock:
        """An idle partition joins again at the watermark of this moment."""
        if not clock.idle:
            return clock
        awake = PartitionClock(max_event_us=clock.max_event_us, floor_us=clock.floor_us)
        return awake if self.mark == MIN_US else raise_floor(awake, self.mark)

    def _batch(self, rows: Sequence[Row], event_us: np.ndarray, clock_us: np.ndarray) -> RowBatch:
        n, keys, arrays = len(rows), self.setup.spec.group_by, []
        for each in self.setup.schema:
            if each.name in keys:
                at = keys.index(each.name)
                values = [row.key[at] for row in rows]
            else:
                values = [row.values[each.name] for row in rows]
            array = pa.array(values, each.type, from_pandas=False)
            coded = self.setup.coded and pa.types.is_string(each.type)
            arrays.append(array.dictionary_encode() if coded else array)
        table = pa.Table.from_arrays(arrays, names=self.setup.schema.names) if arrays else _columnless(n)
        size, index = n * self.stride, np.arange(n, dtype=np.int64) * self.stride
        offset = np.full(size, -1, np.int64)
        offset[index] = [row.offset for row in rows]
        nothing = pa.nulls(size, pa.binary())
        raw = RawBatch(partition_of(rows[0]), offset, np.full(size, MIN_US), np.zeros(size, np.bool_), nothing, nothing)
        return RowBatch(raw, index, table, event_us, clock_us)

    def _note(self, told: LateRows | None, rows: Sequence[Row], noted: dict, reason: str) -> None:
        if told is None:
            return
        hold("reason of late rows", told.reason, reason)
        bounds = zip(told.row.tolist(), told.window_start_us.tolist(), told.window_end_us.tolist(), strict=True)
        for row, start, end in bounds:
            noted[place(rows[row])] = (start, end)

    def _take(self, closed: Closed, label: str) -> None:
        """Note what was given out; each table is in order, named and of the promised columns."""
        self.outcome.left += closed.folded_rows
        hold("windows counted", closed.windows, closed.table.num_rows)
        if not closed.table.num_rows:
            return
        hold("columns of the result", closed.table.schema, self.output)
        rows = self.tuples(closed.table, 1)
        labels = closed.table.column(closed.table.num_columns - 1).to_pylist()
        keys = len(self.setup.spec.group_by)
        order = [(row[keys], *((value is None, value) for value in row[:keys]), row[keys + 1]) for row in rows]
        if any(left > right for left, right in pairwise(order)):
            raise Broken(f"results out of order: {order}")
        if closed.revision is None:
            hold("labels", set(labels), {label})
            self.outcome.results.update(rows)
        else:
            self._revise(closed, rows, labels, label, keys + 2)

    def _revise(self, closed: Closed, rows: list[tuple], labels: list[str], label: str, width: int) -> None:
        """Revisions of a window count up from 1, are labelled so, and know the epoch of the first."""
        revisions = zip(rows, labels, closed.revision.tolist(), closed.home.tolist(), strict=True)
        for row, said, revision, home in revisions:
            before = self.outcome.revisions.get(row[:width])
            wanted = (1, label, -1) if before is None else (before[0] + 1, "correction", before[1])
            hold(f"revision of {row[:width]}", (revision, said, home), wanted)
            counted = width + len(self.setup.spec.window.fields())
            if before is not None and before[2][counted] >= row[counted]:
                raise Broken(f"revision {revision} of {row[:width]} has no more rows than the one before")
            self.outcome.revisions[row[:width]] = (revision, self.epoch if before is None else before[1], row)


def _columnless(rows: int) -> pa.Table:
    """A table of no columns that has rows all the same."""
    return pa.table({"nothing": pa.nulls(rows)}).select([])
