"""The rules of windows over one state: which rows are late, which panes close, and what closing gives. Reads no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from arrowflow.errors import ConfigError, PromiseBroken, StateRefused
from arrowflow.types import (
    I64,
    MIN_US,
    Bool,
    Closed,
    Folded,
    LateRows,
    Reject,
    RowBatch,
    SourcePartition,
)
from arrowflow.windows.aggregates.accumulator import Windows
from arrowflow.windows.arrays import Array, ready
from arrowflow.windows.columns import Columns
from arrowflow.windows.feeders import NOBODY
from arrowflow.windows.kernels.panes import FOLD, LATE, judge_late
from arrowflow.windows.kinds.calendar import CalendarKind
from arrowflow.windows.kinds.panes import Kind, Panes
from arrowflow.windows.kinds.tumbling import TumblingKind
from arrowflow.windows.plan import UTC, CalendarWindow, Plan, Tumbling
from arrowflow.windows.state import State

_MAX_US = 2**63 - 1


class WindowOperator:
    """Folds rows into panes and gives each pane out once, when no row on time can still change it.

    Lateness is decided row by row by the clock of the row's own partition; closing by the watermark (scope
    "pipeline") or by the clock of the one partition that feeds the pane (scope "partition"). Neither depends on how
    the stream was cut into batches.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._schema = plan.output_schema()
        self._kind = _build_kind(plan)
        self._state = State(plan, self._kind)

    def output_schema(self) -> pa.Schema:
        return self._schema

    def fold(self, batch: RowBatch) -> Folded:
        """Fold rows of one partition; each is folded, late, or rejected, and a late or rejected row leaves no trace."""
        if not len(batch):
            return Folded(0)
        state = self._state
        columns = Columns(batch.table, self._plan.columns)
        event_us = ready(batch.event_us, np.int64)
        clock_us = ready(batch.clock_us, np.int64)
        feeder = state.feeders.number(batch.partition)
        parts = state.keys.parts([columns.array(field.name) for field in self._plan.keys])
        panes = self._kind.assign(event_us, parts, state.keys)
        others = judge_late(panes.end_us, clock_us, self._plan.allowed_lateness_us, panes.fate)
        key = state.keys.number(parts, panes.fate)
        self._check_promise(key, panes.fate == FOLD, batch.partition, feeder)
        offset = ready(batch.offset, np.int64)
        folded = state.fold(key, panes, feeder, columns, event_us, offset)
        if not others:
            return Folded(folded)
        return Folded(folded, _late(panes), self._rejects(batch, panes, event_us))

    def close(self, clocks: Mapping[SourcePartition, int], watermark_us: int, epoch: int = -1) -> Closed:
        """Close the panes with ``end + allowed lateness <= `` the watermark, or the clock of their feeder."""
        slots = self._state.slots
        if self._plan.scope == "pipeline":
            limit = np.full(len(slots), self._reach(watermark_us), np.int64)
        else:
            known = self._state.feeders.all
            reach = np.array([self._reach(clocks.get(each, MIN_US)) for each in known], np.int64)
            limit = reach[self._state.feeder.values[slots]]
        return self._give_out(slots[self._state.end_us.values[slots] <= limit], "watermark")

    def close_fed_by(self, partitions: Sequence[SourcePartition] | None, label: str, epoch: int = -1) -> Closed:
        """Close what `partitions` feed, or everything for None, before its time.

        The floors asked for are those of the partitions that fed the panes, as far as the state knows them: under
        scope "pipeline" a pane knows no feeder, so all partitions met since the last restore are asked for.
        """
        if partitions is None:
            slots = self._state.slots
        elif self._plan.scope == "partition":
            slots = self._state.fed_by(partitions)
        else:
            raise ConfigError(
                'closing the windows of silent partitions needs scope = "partition": under scope = "pipeline" '
                "every window waits for all partitions; use idle_timeout there"
            )
        floors = self._floors(slots)
        reach = self._latest(self._state.end_us.values[slots])
        closed = self._give_out(slots, label)
        return Closed(closed.table, closed.folded_rows, closed.windows, floors, reach)

    def delta(self) -> pa.Table:
        return self._state.take_delta()

    def snapshot(self) -> pa.Table:
        return self._state.dump(self._state.slots)

    def restore(self, full: pa.Table | None, deltas: Sequence[pa.Table]) -> None:
        """Start over from a snapshot and its deltas.

        Raises
        ------
        StateRefused
            Naming every difference in schema, or the open windows whose bounds have moved.
        """
        state = State(self._plan, self._kind)
        for table in [*([] if full is None else [full]), *deltas]:
            state.load(table)
        state.settle()
        self._refuse_moved(state)
        self._state = state

    def digest(self) -> str:
        return self._state.digest()

    @property
    def open_windows(self) -> int:
        return len(self._state)

    @property
    def folded_rows(self) -> int:
        return int(self._state.rows.values[self._state.slots].sum())

    def _refuse_moved(self, state: State) -> None:
        """Refuse open windows that today's rules would bound otherwise: their rows would end up in two windows.

        New time zone data may move boundaries; windows not yet begun may move freely.
        """
        slots = state.slots
        start, end = state.start_us[slots], state.end_us.values[slots]
        keys = state.key_columns(slots)
        now = self._kind.assign(start, state.keys.parts(keys), state.keys)
        moved = np.flatnonzero((now.start_us != start) | (now.end_us != end))
        if len(moved):
            row = int(moved[0])
            name = tuple(column[row].as_py() for column in keys)
            raise StateRefused(
                f"{len(moved)} open windows were recorded with other bounds than the calendar gives now: key {name}, "
                f"recorded [{start[row]}, {end[row]}) µs, now [{now.start_us[row]}, {now.end_us[row]}) µs. "
                "Were time zone data changed? Run with the version the newest record names until these windows have closed"
            )

    def _reach(self, clock_us: int) -> int:
        """The largest window end that `clock_us` closes, kept inside int64."""
        return max(MIN_US, clock_us - self._plan.allowed_lateness_us)

    def _check_promise(self, key: I64, on_time: Bool, partition: SourcePartition, feeder: int) -> None:
        """Under scope "partition", refuse rows of a key whose open panes another partition feeds."""
        if self._plan.scope == "pipeline":
            return
        owner = self._state.owner(np.where(on_time, key, 0))
        broken = np.flatnonzero(on_time & (owner != NOBODY) & (owner != feeder))
        if len(broken):
            row = int(broken[0])
            other = self._state.feeders.all[int(owner[row])]
            raise PromiseBroken(
                f"key {self._state.name_key(int(key[row]))} came from {partition} while windows fed by {other} are "
                'open for it: scope = "partition" promises that a key lives in one partition. '
                'Set scope = "pipeline" in [event_time], or partition the topic by this key'
            )

    def _rejects(self, batch: RowBatch, panes: Panes, event_us: I64) -> tuple[Reject, ...]:
        rows = np.flatnonzero((panes.fate != FOLD) & (panes.fate != LATE)).tolist()
        return tuple(
            Reject(int(batch.row[row]), *self._kind.explain(int(panes.fate[row]), int(event_us[row]))) for row in rows
        )

    def _floors(self, slots: I64) -> dict[SourcePartition, int]:
        ends, feeders = self._state.end_us.values[slots], self._state.feeder.values[slots]
        floors = {}
        for number, partition in enumerate(self._state.feeders.all):
            fed = ends if self._plan.scope == "pipeline" else ends[feeders == number]
            if len(fed):
                floors[partition] = self._latest(fed)
        return floors

    def _latest(self, ends: I64) -> int:
        """The clock at which the last of windows with these ends takes no more rows, kept inside int64."""
        return min(_MAX_US, int(ends.max()) + self._plan.allowed_lateness_us) if len(ends) else MIN_US

    def _give_out(self, slots: I64, label: str, epoch: int = -1) -> Closed:
        """Finish panes into result rows, ordered by window start and keys, and take them out of the state."""
        state = self._state
        if not len(slots):
            return Closed(self._schema.empty_table(), 0, 0)
        slots = state.in_order(slots)
        results = [self._finish(index, slots) for index in range(len(self._plan.aggregates))]
        columns = [
            *state.key_columns(slots),
            pa.array(state.start_us[slots], pa.int64()).view(UTC),
            pa.array(state.end_us.values[slots], pa.int64()).view(UTC),
            *state.extra_columns(slots),
            *results,
            pa.repeat(pa.scalar(label, pa.string()), len(slots)),
        ]
        table = pa.Table.from_arrays(columns, schema=self._schema)
        folded = int(state.rows.values[slots].sum())
        state.remove(slots)
        return Closed(table, folded, len(slots))

    def _finish(self, index: int, slots: I64) -> Array:
        state, aggregate = self._state, self._plan.aggregates[index]
        if aggregate.accumulator is None:
            return pa.array(state.rows.values[slots], pa.int64())
        accumulator = state.accumulators[aggregate.accumulator.name]
        bounds = state.start_us[slots], state.end_us.values[slots]
        return accumulator.finish(aggregate, Windows(slots, *bounds, lambda i: state.place(int(slots[i]))))


def _build_kind(plan: Plan) -> Kind:
    match plan.window:
        case Tumbling():
            return TumblingKind(plan.window)
        case CalendarWindow():
            names = [field.name for field in plan.keys]
            return CalendarKind(plan.window, names.index(plan.window.key))


def _late(panes: Panes) -> LateRows | None:
    rows = np.flatnonzero(panes.fate == LATE)
    if not len(rows):
        return None
    return LateRows(rows, panes.start_us[rows], panes.end_us[rows])
