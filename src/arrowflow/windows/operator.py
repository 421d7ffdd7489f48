"""The rules of windows over one state: which rows are late, which windows close, and what closing gives. Reads no clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

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
from arrowflow.windows.aggregates.accumulator import Before, Windows
from arrowflow.windows.aggregates.traces import carry_for_us
from arrowflow.windows.arrays import Array, ready
from arrowflow.windows.columns import Columns
from arrowflow.windows.feeders import NOBODY
from arrowflow.windows.kernels.pairs import lie_within
from arrowflow.windows.kernels.panes import FOLD, LATE, NO_WINDOW
from arrowflow.windows.kinds.build import build_kind
from arrowflow.windows.kinds.calendar import CalendarKind
from arrowflow.windows.kinds.panes import BEYOND, MISSED, Due, Held, Panes
from arrowflow.windows.plan import UTC, Plan, PlannedAggregate
from arrowflow.windows.rollcall import Closing, Rollcall
from arrowflow.windows.shapes import MAX_US, Sliding
from arrowflow.windows.state import Contents, State

CORRECTION = "correction"
_FAR = 2**61


class KeyedWindows:
    """Folds rows into panes and gives each window out once, when no row on time can still change it.

    Lateness is decided row by row by the clock of the row's own partition; closing by the watermark (scope
    "pipeline") or by the clock of the one partition that feeds the key (scope "partition"). Neither depends on how
    the stream was cut into batches.
    """

    def __init__(self, plan: Plan, max_state_bytes: int | None = None) -> None:
        self._plan, self._max_state_bytes = plan, max_state_bytes
        self._schema, self._own_schema = plan.output_schema(), plan.own_schema()
        self._nothing = self._schema.empty_table()
        self._kind = build_kind(plan)
        self._state = State(plan, self._kind, max_state_bytes)
        self._rollcall = self._build_rollcall()
        self._carry_for_us = carry_for_us(plan)
        # Under "correct" a row is lost only when its window can no longer be corrected.
        self._patience_us = min(MAX_US, plan.allowed_lateness_us + (plan.correct_for_us or 0))
        self._spacing = self._build_spacing()

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
        key_columns = [columns.key(field.name) for field in self._plan.keys]
        if (spacing := self._spacing_of(event_us)) is not None:
            keys = state.keys.code(key_columns, len(batch))
            offset = ready(batch.offset, np.int64)
            folded, others = state.fold_spaced(keys, feeder, columns, event_us, clock_us, offset, spacing)
            return Folded(folded) if not others else self._tell_spaced(batch, event_us, clock_us, folded)
        parts = state.keys.parts(key_columns)
        panes = self._kind.assign(event_us, parts, state.keys)
        others = self._kind.judge(panes, event_us, clock_us, self._patience_us)
        key = state.keys.number(parts, panes.fate)
        self._check_promise(key, panes.fate == FOLD, batch.partition, feeder)
        folded = state.fold(key, panes, feeder, columns, event_us, ready(batch.offset, np.int64))
        if not others:
            return Folded(folded)
        return self._tell(batch, panes, event_us, folded)

    def close(self, clocks: Mapping[SourcePartition, int], watermark_us: int, epoch: int = -1) -> Closed:
        """Give out the windows that the watermark, or the clock of their feeder, has passed by the allowed lateness."""
        state, whole = self._state, self._plan.scope == "pipeline"
        fastest = watermark_us if whole else max(clocks.values(), default=MIN_US)
        # Silence has rows of its own where there is a roster: then time passing is enough.
        if self._rollcall is None and self._limit(fastest) < state.quiet_us:
            revision, home = self._publications(np.empty(0, np.int64))
            return Closed(self._nothing, 0, 0, revision=revision, home=home)
        slots = state.slots
        held = self._held(slots, self._limits(slots, clocks, watermark_us))
        slowest = watermark_us if whole else min(clocks.values(), default=MIN_US)
        closed = self._give_out(held, self._kind.due(held), "watermark", epoch, self._limit(slowest))
        state.look_again()
        return closed

    def close_fed_by(self, partitions: Sequence[SourcePartition] | None, label: str, epoch: int = -1) -> Closed:
        """Close what `partitions` feed, or everything for None, before its time.

        The floors asked for are those of the partitions that fed the windows, as far as the state knows them: under
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
        held = self._before_time(slots)
        due = self._kind.due(held)
        fresh = self._fresh(due)
        floors, reach = self._floors(fresh), self._latest(fresh.end_us)
        return replace(self._give_out(held, due, label, epoch), floors=floors, reach_us=reach)

    def interim(self) -> pa.Table:
        """What every open window would give now, ordered like results; `__af_closed_by` is null."""
        due = self._in_order(self._fresh(self._kind.due(self._before_time(self._state.slots))))
        table = self._table(due, None)
        if self._rollcall is None:
            return table
        return self._rollcall.rehearse(self._closing(table, due, None, MIN_US), self._state.keys)[0]

    def delta(self) -> pa.Table:
        table = self._state.take_delta()
        return table if self._rollcall is None else self._rollcall.delta(table)

    def snapshot(self) -> pa.Table:
        table = self._state.dump(self._state.everything)
        return table if self._rollcall is None else self._rollcall.snapshot(table)

    def parts(self) -> Iterator[pa.Table]:
        parts = self._state.parts()
        return parts if self._rollcall is None else self._rollcall.parts(parts)

    def restore(self, full: pa.Table | Sequence[pa.Table] | None, deltas: Sequence[pa.Table]) -> None:
        """Start over from a snapshot, whole or in parts, and its deltas.

        Raises
        ------
        StateRefused
            Naming every difference in schema, or the open windows whose bounds have moved.
        StateTooLarge
            If the tables need more memory than is allowed.
        """
        state, rollcall = State(self._plan, self._kind, self._max_state_bytes), self._build_rollcall()
        parts = [full] if isinstance(full, pa.Table) else full or ()
        expected = len(parts) * parts[0].num_rows if parts else 0
        own = (parts, deltas) if rollcall is None else rollcall.read(parts, deltas)
        state.load(own[0], own[1], expected)
        self._refuse_moved(state)
        self._state, self._rollcall = state, rollcall

    def digest(self) -> str:
        own = self._state.digest()
        return own if self._rollcall is None else self._rollcall.digest(own)

    @property
    def open_windows(self) -> int:
        """How many panes wait to be given out."""
        if self._plan.corrects:
            return int((self._state.revision.values[self._state.slots] == 0).sum())
        if self._kind.per_row:
            return int((self._state.next_us.values[self._state.slots] == 0).sum())
        return len(self._state)

    @property
    def state_bytes(self) -> int:
        """Bytes of memory that the open windows take; the Python objects among them are visited one by one."""
        return self._state.nbytes

    @property
    def folded_rows(self) -> int:
        return self._state.rows_in(self._state.slots)

    @property
    def oldest_home(self) -> int | None:
        slots = self._state.slots
        homes = (
            self._state.home.values[slots[self._state.revision.values[slots] > 0]] if self._plan.corrects else slots[:0]
        )
        return int(homes.min()) if len(homes) else None

    # ---- what closes ------------------------------------------------------------------------------------

    def _limits(self, slots: I64, clocks: Mapping[SourcePartition, int], watermark_us: int) -> I64:
        """Per slot the clock that decides it, less the allowed lateness."""
        if self._plan.scope == "pipeline":
            return np.full(len(slots), self._limit(watermark_us), np.int64)
        known = self._state.feeders.all
        limits = np.array([self._limit(clocks.get(each, MIN_US)) for each in known], np.int64)
        return np.asarray(limits[self._state.feeder.values[slots]])

    def _limit(self, clock_us: int) -> int:
        """Kept inside int64."""
        return max(MIN_US, clock_us - self._plan.allowed_lateness_us)

    def _held(self, slots: I64, limit_us: I64, clock_us: I64 | None = None) -> Held:
        state = self._state
        bounds = (state.start_us[slots], state.end_us[slots], state.next_us.values[slots])
        clocks = (limit_us, limit_us if clock_us is None else clock_us)
        return Held(slots, state.key[slots], *bounds, *clocks, state.keys.ranks)

    def _before_time(self, slots: I64) -> Held:
        """Slots as if time had ended, while rows may still come."""
        return self._held(slots, np.full(len(slots), MAX_US, np.int64), np.full(len(slots), MIN_US, np.int64))

    def _fresh(self, due: Due) -> Due:
        """Without the windows that came out before and got no row since."""
        if not self._plan.corrects:
            return due
        state = self._state
        fresh = (state.revision.values[due.slot] == 0) | (state.changed(due.slot) != 0)
        return replace(due, slot=due.slot[fresh], start_us=due.start_us[fresh], end_us=due.end_us[fresh])

    def _gone(self, due: Due, held: Held) -> I64:
        """Slots nobody needs any more; under "correct" a window stays until no row can correct it."""
        if self._plan.correct_for_us is None:
            return due.gone
        room = held.clock_us >= MIN_US + self._plan.correct_for_us
        return held.slot[room & (held.end_us <= np.where(room, held.clock_us - self._plan.correct_for_us, MIN_US))]

    def _floors(self, due: Due) -> dict[SourcePartition, int]:
        feeders = self._state.feeder.values[due.slot]
        floors = {}
        for number, partition in enumerate(self._state.feeders.all):
            fed = due.end_us if self._plan.scope == "pipeline" else due.end_us[feeders == number]
            if len(fed):
                floors[partition] = self._latest(fed)
        return floors

    def _latest(self, ends: I64) -> int:
        """The clock at which the last of windows with these ends takes no more rows, kept inside int64."""
        if not len(ends):
            return MIN_US
        return min(MAX_US, int(ends.max()) + self._plan.allowed_lateness_us + int(self._kind.strict))

    # ---- what comes out ---------------------------------------------------------------------------------

    def _give_out(self, held: Held, due: Due, label: str, epoch: int, clock_us: int = MIN_US) -> Closed:
        """Finish the windows that are due among those `held`, and take what nobody needs any more out of the state."""
        state = self._state
        gone, fresh = self._gone(due, held), self._in_order(self._fresh(due))
        revision, home = self._publications(fresh.slot)
        table = self._table(fresh, label, revision)
        if self._rollcall is not None:
            table = self._rollcall.call(self._closing(table, fresh, label, clock_us), state.keys)
        if self._plan.corrects:
            state.publish(fresh.slot, epoch)
        folded = state.rows_in(gone)
        state.move(due.moved, due.next_us)
        state.carry(gone)
        state.remove(np.concatenate([gone, self._expired(clock_us)]))
        return Closed(table, folded, table.num_rows, revision=revision, home=home)

    def _in_order(self, due: Due) -> Due:
        """The windows ordered by start, keys and end, whatever came first."""
        if due.ordered:
            return due
        order = self._state.in_order(due.slot, due.start_us, due.end_us)
        at = due.at if due.combined is None else due.at[order]
        return replace(due, slot=due.slot[order], start_us=due.start_us[order], end_us=due.end_us[order], at=at)

    def _publications(self, slots: I64) -> tuple[I64 | None, I64 | None]:
        """Under "correct", the revision that windows come out as now, and the epoch whose file holds the first one."""
        if not self._plan.corrects:
            return None, None
        return self._state.revision.values[slots] + 1, self._state.home.values[slots]

    def _table(self, due: Due, label: str | None, revision: I64 | None = None) -> pa.Table:
        state = self._state
        if not len(due.slot):
            return self._own_schema.empty_table()
        # What hangs on no contents comes first: accumulators may still be at work on the last rows, beside.
        known = [
            *state.key_columns(due.slot),
            pa.array(due.start_us, pa.int64()).view(UTC),
            pa.array(due.end_us, pa.int64()).view(UTC),
            *state.extra_columns(due.slot),
        ]
        contents = state.contents(due.combined)
        at = due.slot if due.combined is None else due.at
        windows = Windows(at, due.start_us, due.end_us, lambda i: self._name(due, i), self._before(due))
        columns = [
            *known,
            *(self._finish(aggregate, contents, windows) for aggregate in self._plan.aggregates),
            _labels(label, revision, len(at)),
        ]
        table = pa.Table.from_arrays(columns, schema=self._own_schema)
        if not self._kind.per_row:
            return table
        return table.take(pa.array(np.repeat(np.arange(len(at)), state.rows.values[due.slot]), pa.int64()))

    def _closing(self, table: pa.Table, due: Due, label: str | None, clock_us: int) -> Closing:
        """What the roll is called for: windows with rows in `table`, and all others up to the last of them or the clock."""
        up_to = max(clock_us, int(due.end_us.max(initial=MIN_US)))
        return Closing(table, self._state.key[due.slot], due.start_us, due.end_us, up_to, label)

    def _build_rollcall(self) -> Rollcall | None:
        return None if self._plan.roster is None else Rollcall(self._plan, self._kind)

    def _before(self, due: Due) -> dict[str, Before]:
        """For aggregates that look back over a window's start, the last sample before it."""
        state = self._state
        if not state.traces:
            return {}
        key, slots = state.key[due.slot], state.everything
        slots = slots[np.isin(state.key[slots], key)]
        look = (key, due.start_us, slots, state.key[slots])
        at_start = isinstance(self._plan.window, Sliding) and self._plan.window.closed == "right"
        return {name: trace.before(*look, at_start=at_start) for name, trace in state.traces.items()}

    def _expired(self, clock_us: int) -> I64:
        """Carry slots that no window to come looks back to: no row on time will lie before `clock_us`."""
        state = self._state
        if not state.traces or self._carry_for_us is None or clock_us < MIN_US + self._carry_for_us:
            return np.empty(0, np.int64)
        slots = state.carries
        idle = ~np.isin(state.key[slots], state.key[state.slots])
        return np.asarray(slots[idle & (state.next_us.values[slots] < clock_us - self._carry_for_us)])

    def _finish(self, aggregate: PlannedAggregate, contents: Contents, windows: Windows) -> Array:
        if aggregate.accumulator is None:
            return pa.array(contents.rows[windows.slot], pa.int64())
        return contents.accumulators[aggregate.accumulator.name].finish(aggregate, windows)

    def _name(self, due: Due, i: int) -> str:
        """Name one window in an error message."""
        key = self._state.name_key(int(self._state.key[due.slot[i]]))
        return f"window [{due.start_us[i]}, {due.end_us[i]}) µs of {key}"

    # ---- what is refused --------------------------------------------------------------------------------

    def _build_spacing(self) -> I64 | None:
        """Where rows go to their panes in one pass, what that needs to know; see `kernels.pairs.place_rows`.

        Several key columns make one key only for rows that are not late, and a promise is checked before any row is
        placed: such rows go another way, and so do those near the ends of int64.
        """
        spacing, plan = self._kind.spacing, self._plan
        if spacing is None or plan.scope != "pipeline" or len(plan.keys) > 1 or spacing.size_us + spacing.hop_us > _FAR:
            return None
        return np.array([*spacing, self._patience_us], np.int64)

    def _spacing_of(self, event_us: I64) -> I64 | None:
        """The same for a batch with these event times."""
        spacing = self._spacing
        if spacing is None:
            return None
        edge_us = int(spacing[0] + spacing[1])
        return spacing if lie_within(event_us, MIN_US + edge_us, MAX_US - edge_us) else None

    def _tell_spaced(self, batch: RowBatch, event_us: I64, clock_us: I64, folded: int) -> Folded:
        """What became of rows that were placed in one pass: those not plainly folded are judged again, with reasons."""
        panes = self._kind.assign(event_us, (), self._state.keys)
        self._kind.judge(panes, event_us, clock_us, self._patience_us)
        return self._tell(batch, panes, event_us, folded)

    def _tell(self, batch: RowBatch, panes: Panes, event_us: I64, folded: int) -> Folded:
        """What became of rows that were not plainly folded."""
        fate = panes.fate
        late = self._late(panes, event_us, np.flatnonzero(fate == LATE), BEYOND if self._plan.corrects else None)
        some = np.empty(0, np.int64) if panes.missed is None else np.flatnonzero((fate == FOLD) & (panes.missed != 0))
        missed = self._late(panes, event_us, some, MISSED)
        between = int((fate == NO_WINDOW).sum())
        rows = np.flatnonzero((fate != FOLD) & (fate != LATE) & (fate != NO_WINDOW)).tolist()
        rejects = tuple(
            Reject(int(batch.row[row]), *self._kind.explain(int(fate[row]), int(event_us[row]))) for row in rows
        )
        return Folded(folded, late, rejects, {"no_window": between} if between else {}, missed=missed)

    def _late(self, panes: Panes, event_us: I64, rows: I64, reason: str | None) -> LateRows | None:
        if not len(rows):
            return None
        late = self._kind.late(panes, event_us, rows)
        return late if reason is None else replace(late, reason=reason)

    def _refuse_moved(self, state: State) -> None:
        """Refuse open windows that today's rules would bound otherwise: their rows would end up in two windows.

        New time zone data may move boundaries; windows not yet begun may move freely.
        """
        if not isinstance(self._kind, CalendarKind):
            return
        slots = state.slots
        start, end = state.start_us[slots], state.end_us[slots]
        keys = state.key_columns(slots)
        now = self._kind.bounds_today(start, end, state.label(slots), state.keys.parts(keys), state.keys)
        moved = np.flatnonzero((now[0] != start) | (now[1] != end))
        if len(moved):
            row = int(moved[0])
            name = tuple(column[row].as_py() for column in keys)
            raise StateRefused(
                f"{len(moved)} open windows were recorded with other bounds than the calendar gives now: key {name}, "
                f"recorded [{start[row]}, {end[row]}) µs, now [{now[0][row]}, {now[1][row]}) µs. "
                "Were time zone data changed? Run with the version the newest record names until these windows have closed"
            )

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


def _labels(label: str | None, revision: I64 | None, n: int) -> Array:
    """Why each window came out; a later revision says so whatever the occasion."""
    if label is None:
        return pa.nulls(n, pa.string())
    if revision is None:
        return pa.repeat(pa.scalar(label, pa.string()), n)
    return pa.array(np.where(revision > 1, CORRECTION, label).tolist(), pa.string())
