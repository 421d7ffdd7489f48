"""Open panes: in memory as lanes of arrays, for others as one Arrow table. It decides nothing about time.

A pane is one key and one stretch of time. Numbers of keys, partitions and slots are private: they never leave in a
table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from arrowflow.errors import StateRefused
from arrowflow.types import I64, MIN_US, SourcePartition
from arrowflow.windows.aggregates.accumulator import Accumulator, Slice
from arrowflow.windows.aggregates.build import build_accumulator, most_per_row
from arrowflow.windows.aggregates.states import CustomStates
from arrowflow.windows.aggregates.traces import Trace
from arrowflow.windows.arrays import I32, Array, Field, Numbers, nulls
from arrowflow.windows.chains import LastWords, blocks, pieces
from arrowflow.windows.columns import Columns, bits_of, whole
from arrowflow.windows.digest import row_hashes, sum_hashes
from arrowflow.windows.feeders import FEEDER, NOBODY, Feeders
from arrowflow.windows.hands import WORTH_IT, Hands, Sheets
from arrowflow.windows.kernels.counts import count_rows, merge_counts
from arrowflow.windows.keys import Coded, Keys
from arrowflow.windows.kinds.panes import Combined, Kind, Panes
from arrowflow.windows.lanes import Lane, Rare
from arrowflow.windows.order import order_of
from arrowflow.windows.plan import Plan
from arrowflow.windows.room import Room, bytes_of, size_of, weakly
from arrowflow.windows.seats import Chained, Hashed, Seats
from arrowflow.windows.shapes import Session

GONE = "gone"
_TOLD, _HASHED, _CHANGED = 1, 2, 4
_TOUCHED = _TOLD | _HASHED | _CHANGED
_ALL128 = (1 << 128) - 1
_NEVER = 2**63 - 1
_FEW = 1 << 16
_PATIENCE = 64
"""A key that comes again and again is forgotten at most once while this many panes go per key known."""
CARRY_US = MIN_US
"""The start of a slot that is no pane: it holds what was last known of its key before the panes that are open."""
_TELLING = ("start", "missed", "bound")
"""What tells panes of one key apart."""
_PLACE_TYPES: dict[str, pa.DataType] = {"given_out": pa.bool_(), "missed": pa.int32()}


def state_schema(plan: Plan, kind: Kind, accumulators: Sequence[Any]) -> pa.Schema:
    """The columns of the state, in order; what they mean is in docs/state.md."""
    keys = [pa.field(f"key.{field.name}", field.type) for field in plan.keys]
    bounds: list[Field] = [pa.field(name, _place_type(name)) for name, _lane in kind.columns]
    counts = [pa.field("feeder", FEEDER), pa.field("rows", pa.int64())]
    published = [pa.field("revision", pa.int64()), pa.field("home", pa.int64())] if plan.corrects else []
    held = [field for accumulator in accumulators for field in accumulator.fields]
    return pa.schema(
        [*keys, *bounds, *plan.window.fields(), *counts, *published, *held],
        dict(plan.state_metadata().items()),
    )


@dataclass(frozen=True, slots=True)
class Contents:
    """What windows hold: their rows and accumulators, by slot; the state's own, or a scratch copy."""

    rows: Numbers
    accumulators: dict[str, Accumulator]


class _Tombs(NamedTuple):
    """Panes that are gone and not yet told of: their places as the readers of the deltas know them."""

    keys: Keys
    """Who knows what the numbers of their keys mean."""
    key: I64
    places: dict[str, Array]
    """What tells panes of one key apart, by the kind's name for it."""


class State:
    """All open panes of one operator.

    Slots are taken in order and marked when their pane is gone; once half are gone everything is moved together.
    What was touched since the last delta, and since the last digest, is remembered per slot.
    """

    def __init__(self, plan: Plan, kind: Kind, max_bytes: int | None = None) -> None:
        self.plan, self.kind = plan, kind
        self.keys, self.feeders = Keys(plan.keys), Feeders()
        self.accumulators = self._build_accumulators()
        self.schema = state_schema(plan, kind, list(self.accumulators.values()))
        self._seats = _build_seats(plan)
        self.rows, self.feeder, self.next_us = Lane(np.int64), Lane(np.int64, NOBODY), Lane(np.int64)
        self.revision, self.home = Lane(np.int64), Lane(np.int64, -1)
        self._label, self._day, self._touched = Lane(np.int32), Lane(np.int32), Lane(np.uint8)
        self._hash_a, self._hash_b, self._told_us = Lane(np.uint64), Lane(np.uint64), Lane(np.int64, _NEVER)
        own = (self.rows, self.feeder, self.next_us, self._touched, self._hash_a, self._hash_b, self._told_us)
        published = (self.revision, self.home) if plan.corrects else ()
        named = (self._label, self._day) if plan.window.fields() else ()
        held = (lane for each in self.accumulators.values() for lane in each.lanes)
        self._lanes: tuple[Lane | Rare, ...] = (*own, *published, *named, *held)
        self._owner, self._carry = Lane(np.int64, NOBODY), Lane(np.int64, NOBODY)
        self.traces = {name: each for name, each in self.accumulators.items() if isinstance(each, Trace)}
        self._quiet_us: int | None = None
        self._hands, self._sheets = Hands(), Sheets()
        self._beside = not any(isinstance(each, Trace | CustomStates) for each in self.accumulators.values())
        self._gone: list[_Tombs] = []
        self._dead, self._crowd = 0, 0
        self._hash_sum = 0
        self._room = Room(max_bytes, weakly(self._array_bytes), weakly(self._object_bytes), weakly(self._complain))
        self._most_per_row = sum(map(most_per_row, self.accumulators.values()))
        self.keys.watch(self._room.admit)
        self._seats.watch(self._room.admit)

    # ---- panes ------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        held = self._seats.used - self._dead
        return held - len(self.carries) if self.traces else held

    @property
    def nbytes(self) -> int:
        """Bytes of memory taken; Python objects are visited one by one for it."""
        return self._array_bytes() + self._object_bytes()

    @property
    def slots(self) -> I64:
        """Slots of the open panes, ascending."""
        panes = self._seats.key >= 0
        return np.flatnonzero(panes & (self.start_us != CARRY_US) if self.traces else panes)

    @property
    def carries(self) -> I64:
        """Slots that are no panes but hold the last sample of a key, ascending."""
        return np.flatnonzero((self._seats.key >= 0) & (self.start_us == CARRY_US))

    @property
    def everything(self) -> I64:
        """Slots of panes and carries, ascending: what a snapshot holds."""
        return np.flatnonzero(self._seats.key >= 0)

    @property
    def key(self) -> I64:
        """Key number by slot, -1 where the pane is gone."""
        return self._seats.key

    @property
    def start_us(self) -> I64:
        """Pane start by slot."""
        return self._seats.start_us

    @property
    def end_us(self) -> I64:
        """Pane end by slot."""
        return self._seats.end_us

    @property
    def quiet_us(self) -> int:
        """Below this limit no pane has anything due: a closing need not look at them one by one."""
        if self._quiet_us is None:
            # Samples carried on go by the clock; windows that can be corrected stay, so something is always due.
            self._quiet_us = MIN_US if self.traces else self._least_wait(self.slots)
        return self._quiet_us

    def look_again(self) -> None:
        """Work `quiet_us` out anew when it is asked for: panes may be due later than it says, never earlier."""
        self._quiet_us = None

    def owner(self, key: I64) -> I64:
        """Per key number, the partition that feeds its open panes, or `NOBODY`."""
        self._fit_to_keys(self._owner)
        return np.asarray(self._owner.values[key])

    def changed(self, slots: I64) -> I64:
        """Which of `slots` got rows since they were last given out, as numbers that are not 0."""
        self._hands.rest()
        return np.asarray(self._touched.values[slots] & _CHANGED)

    def rows_in(self, slots: I64) -> int:
        """How many rows those panes hold together."""
        self._hands.rest()
        return int(self.rows.values[slots].sum())

    def fold(self, key: I64, panes: Panes, feeder: int, rows: Columns, event_us: I64, offset: I64) -> int:
        """Put rows of fate `FOLD` into their panes, opening those that are new; returns how many rows were counted."""
        slot, born, into, source = self._seats.seat(key, panes, event_us)
        if len(born):
            self._bear(key, panes, feeder, born)
        if len(into):
            self._merge(into, source)
        self._hands.rest()
        folded = count_rows(slot, self.rows.values, self._touched.values, _TOUCHED)
        self._accumulate(Slice(slot, rows, event_us, offset, feeder, self._seats.used), counted=True)
        self.remove(source)
        return int(folded)

    def fold_spaced(
        self, keys: Coded, feeder: int, rows: Columns, event_us: I64, clock_us: I64, offset: I64, spacing: I64
    ) -> tuple[int, int]:
        """Put rows into their panes, which lie on one grid for all keys; judges them on the way.

        Rows are counted beside, where they are folded; what is returned was counted as they were placed.

        Returns
        -------
        folded, others : int
            How many rows got a pane, and how many are not plainly folded: `Kind.judge` says what they are.
        """
        assert isinstance(self._seats, Hashed)
        slot, before = self._sheets.lend(len(event_us)), self._seats.used
        others, lost = self._seats.place(keys, event_us, clock_us, spacing, slot)
        if self._seats.used > before:
            fresh = slice(before, self._seats.used)
            self._note_born(fresh, self.kind.spaced_next(self.start_us[fresh], self._seats.missed[fresh]))
        self._accumulate(Slice(slot, rows, event_us, offset, feeder, self._seats.used), counted=False)
        return len(slot) - lost, others

    def remove(self, slots: I64) -> None:
        """Take panes out; a tombstone for each goes into the next delta."""
        if not len(slots):
            return
        self._hands.rest()
        self._bury(slots, self._told_or_start(slots))
        self._hash_sum -= sum_hashes(self._hash_a.values[slots], self._hash_b.values[slots])
        self._seats.forget(slots)
        self._dead += len(slots)
        if self._dead > 1024 and self._dead > self._idle_share * (self._seats.used - self._dead):
            self._compact()
        self._own()

    @property
    def _idle_share(self) -> int:
        """How many panes may be gone for each that is open: where panes are few, room is cheaper than moving them."""
        return 3 if self._seats.used <= _FEW else 1

    def carry(self, slots: I64) -> None:
        """Keep the last samples of panes about to go, one slot per key; it says in `next_us` when they were measured."""
        if not self.traces or not len(slots):
            return
        self._hands.rest()
        into = self._carry_slots(slots)
        distinct = np.unique(into)
        for trace in self.traces.values():
            trace.merge(into, slots)
            trace.keep_latest(distinct)
        self._date(distinct)
        self._touched.values[distinct] |= np.uint8(_TOLD | _HASHED)

    def move(self, slots: I64, next_us: I64) -> None:
        """Note how far panes that stay have been given out."""
        self._hands.rest()
        self.next_us.values[slots] = next_us
        self._touched.values[slots] |= np.uint8(_TOLD | _HASHED)

    def publish(self, slots: I64, epoch: int) -> None:
        """Count one more revision of windows that stay; the first one makes `epoch` their home."""
        self._hands.rest()
        first = slots[self.revision.values[slots] == 0]
        self.home.values[first] = epoch
        self.revision.values[slots] += 1
        self._touched.values[slots] = _TOLD | _HASHED

    def contents(self, combined: Combined | None) -> Contents:
        """The panes' own contents, or what comes of putting some of them together; the panes stay as they are."""
        self._hands.rest()
        if combined is None:
            return Contents(self.rows.values, self.accumulators)
        rows = self.rows.copied(combined.copied, combined.slots)
        merge_counts(combined.into, combined.source, rows)
        accumulators = self._build_accumulators()
        for name, own in self.accumulators.items():
            for lane, scratch in zip(own.lanes, accumulators[name].lanes, strict=True):
                scratch.values = lane.copied(combined.copied, combined.slots)
            accumulators[name].merge(combined.into, combined.source)
        return Contents(rows, accumulators)

    def name_key(self, key: int) -> str:
        """Name one key in an error message."""
        columns = self.keys.take(np.array([key], np.int64))
        values = (
            f"{field.name} = {column[0].as_py()!r}" for field, column in zip(self.keys.fields, columns, strict=True)
        )
        return ", ".join(values) or "all rows"

    def in_order(self, slots: I64, start_us: I64, end_us: I64) -> I64:
        """The order of windows by start, key values (nulls last) and end: the same whatever came first."""
        return order_of(start_us, self.keys.ranks(self.key[slots]), end_us)

    def key_columns(self, slots: I64) -> list[Array]:
        """The key values of panes."""
        return self.keys.take(self.key[slots])

    def extra_columns(self, slots: I64) -> list[Array]:
        """What the kind of window knows of panes beside their bounds."""
        if not self.plan.window.fields():
            return []
        return self.kind.describe(self._label.values[slots], self._day.values[slots])

    def label(self, slots: I64) -> I32:
        """The number of each pane's name, where the kind of window names panes."""
        return np.asarray(self._label.values[slots])

    def fed_by(self, partitions: Sequence[SourcePartition]) -> I64:
        """Slots of the open panes those partitions feed."""
        numbers = np.array([self.feeders.number(each) for each in partitions], np.int64)
        slots = self.slots
        return slots[np.isin(self.feeder.values[slots], numbers)]

    # ---- tables -----------------------------------------------------------------------------------------

    def dump(self, slots: I64) -> pa.Table:
        """Panes as rows of the documented schema, in slot order."""
        self._hands.rest()
        held = [column for each in self.accumulators.values() for column in each.dump(slots)]
        published = (self.revision, self.home) if self.plan.corrects else ()
        columns = [
            *self.key_columns(slots),
            *(self._place(lane, slots).cast(_place_type(name)) for name, lane in self.kind.columns),
            *self.extra_columns(slots),
            self.feeders.array(self.feeder.values[slots]),
            *(pa.array(lane.values[slots], pa.int64()) for lane in (self.rows, *published)),
            *held,
        ]
        return pa.Table.from_arrays(columns, schema=self.schema)

    def take_delta(self) -> pa.Table:
        """Tombstones, then touched panes; from here on they count as told."""
        self._hands.rest()
        slots = self._marked(_TOLD)
        moved = slots[(self._told_us.values[slots] != _NEVER) & (self._told_us.values[slots] != self.start_us[slots])]
        if len(moved):
            self._bury(moved, self._told_us.values[moved])
        told = self.dump(slots)
        self._hash(self._marked(_HASHED), told, slots)
        self._touched.values[slots] &= np.uint8(_HASHED | _CHANGED)
        self._told_us.values[slots] = self.start_us[slots]
        parts = [_with_gone(self._identity(each), gone=True) for each in self._gone] + [_with_gone(told, gone=False)]
        self._gone = []
        return pa.concat_tables(parts)

    def parts(self) -> Iterator[pa.Table]:
        """All panes in blocks; from here on they count as told, as after a delta. Nothing may change in between."""
        self._hands.rest()
        slots = self.everything
        self._gone = []
        self._touched.values[slots] &= np.uint8(_HASHED | _CHANGED)
        self._told_us.values[slots] = self.start_us[slots]
        return map(self._dumped_and_hashed, blocks(slots) if len(slots) else [slots])

    def load(self, full: Iterable[pa.Table], deltas: Sequence[pa.Table], expected: int = 0) -> None:
        """Fill an empty state from a snapshot, in parts, and deltas, in order: the last word on a pane counts.

        Lanes are made for `expected` panes at once, since what arrays leave behind when they grow is not given back.
        """
        assert not len(self), "a state is loaded once, while it is empty"
        self._fit(expected)
        words = LastWords(len(self._identity_names()) - len(self.plan.keys))
        for table, met in self._newest_first(full, deltas):
            self._take(table, words, met)
        self._seats.link()
        self._room.visit()
        self._own()

    def digest(self) -> str:
        """Order-free digest of all open panes; costs what was touched since the last one."""
        self._hands.rest()
        for slots in blocks(self._marked(_HASHED)):
            self._hash(slots, self.dump(slots), slots)
        return format(self._hash_sum & _ALL128, "032x")

    # ---- memory -----------------------------------------------------------------------------------------

    def _array_bytes(self) -> int:
        lanes = (*self._lanes, self._owner, self._carry)
        return int(self.keys.nbytes + self._seats.nbytes + sum(lane.nbytes for lane in lanes))

    def _object_bytes(self) -> int:
        self._hands.rest()
        return sum(bytes_of(lane.objects()) for lane in self._lanes)

    def _complain(self, wanted: int, limit: int) -> str:
        """The sentence that stops the job: what there is, whose it is, what to do."""
        self._hands.rest()
        key = self._seats.key
        weight = np.zeros(len(self.rows.values), np.int64)
        for lane in self._lanes:
            if objects := lane.objects():
                weight += np.fromiter(map(size_of, objects), np.int64, len(weight))
        n = min(len(key), len(weight))  # the newest panes may have a seat and nothing else yet
        held = np.flatnonzero(key[:n] >= 0)
        each = self._array_bytes() / max(1, len(key))
        of_key = np.bincount(key[held], weight[held] + each, minlength=1)
        top = [number for number in np.argsort(of_key)[:-4:-1].tolist() if of_key[number] >= wanted / 100]
        share = "; ".join(f"{self.name_key(number)}: {of_key[number] / wanted:.0%}" for number in top)
        kind = self.plan.window.fingerprint()["kind"]
        return (
            f"the open windows would take {wanted:,} bytes of memory, and max_state_bytes is {limit:,}. "
            f"{int((key >= 0).sum()):,} {kind} windows (or panes) of {len(self.keys):,} keys are open"
            f"{f'; most of it belongs to {share}' if share else '; no key has 1 % of it'}. Raise max_state_bytes if "
            "there is more memory. To need less, group by fewer values, or let windows end sooner: smaller ones, "
            "a shorter allowed_lateness, correct_for or carry_for"
        )

    # ---- inside -----------------------------------------------------------------------------------------

    def _accumulate(self, batch: Slice, *, counted: bool) -> None:
        """Let the accumulators take rows in; beside this thread where none of them may stop the job."""
        accumulators, rows, touched = tuple(self.accumulators.values()), self.rows.values, self._touched.values

        def work() -> None:
            if not counted:
                count_rows(batch.slot, rows, touched, _TOUCHED)
            for accumulator in accumulators:
                accumulator.fold(batch)

        if self._beside and len(batch.slot) >= WORTH_IT:
            self._hands.give(work)
        else:
            self._hands.rest()
            work()
        if self._most_per_row:
            self._room.brought(len(batch.slot) * self._most_per_row + batch.columns.nbytes)

    def _carry_slots(self, slots: I64) -> I64:
        """The carry slot of each pane's key, taken where there is none yet."""
        self._fit_to_keys(self._carry)
        key = self.key[slots]
        new, first = np.unique(np.where(self._carry.values[key] == NOBODY, key, -1), return_index=True)
        new, first = new[new >= 0], first[new >= 0]
        if len(new):
            taken = np.arange(self._seats.used, self._seats.used + len(new))
            self._seats.take(
                new, np.full(len(new), CARRY_US), np.full(len(new), CARRY_US), np.zeros(len(new), np.int64)
            )
            self._seats.link()
            self._fit()
            self._carry.values[new] = taken
            self.feeder.values[taken] = self.feeder.values[slots[first]]
            self.next_us.values[taken] = CARRY_US
        return np.asarray(self._carry.values[key])

    def _bear(self, key: I64, panes: Panes, feeder: int, born: I64) -> None:
        """Fill in what is known of new panes from the rows that opened them."""
        fresh = slice(self._seats.used - len(born), self._seats.used)
        self._note_born(fresh, self.kind.born_next(panes, born))
        if panes.label is not None and panes.day is not None:
            self._label.values[fresh], self._day.values[fresh] = panes.label[born], panes.day[born]
        if self.plan.scope == "partition":
            self.feeder.values[fresh] = feeder
            self._fit_to_keys(self._owner)
            self._owner.values[key[born]] = feeder

    def _note_born(self, fresh: slice, next_us: I64) -> None:
        """Make room for new panes, and note when they have something due first."""
        self._fit()
        self.next_us.values[fresh] = next_us
        if self._quiet_us is not None:
            self._quiet_us = min(self._quiet_us, self._least_wait(fresh))

    def _least_wait(self, slots: I64 | slice) -> int:
        waits = self.kind.waits_us(self.end_us[slots], self.next_us.values[slots])
        return MIN_US if waits is None else int(waits.min(initial=_NEVER))

    def _build_accumulators(self) -> dict[str, Accumulator]:
        return {each.name: build_accumulator(each, self.feeders) for each in self.plan.accumulators}

    def _fit(self, used: int | None = None) -> None:
        capacity = self._seats.used if used is None else used
        if capacity > len(self.rows.values):
            self._hands.rest()
            capacity = max(16, 2 * len(self.rows.values), capacity)
            self._room.visit()
            wider, longest = sum(lane.slot_bytes for lane in self._lanes), max(lane.nbytes for lane in self._lanes)
            self._room.admit(wider * (capacity - len(self.rows.values)) + longest)
            for lane in self._lanes:
                lane.fit(capacity)

    def _fit_to_keys(self, lane: Lane) -> None:
        """Let a lane have an entry for each key."""
        if len(lane.values) < len(self.keys) or not len(lane.values):
            lane.fit(max(16, 2 * len(self.keys)))

    def _merge(self, into: I64, source: I64) -> None:
        """Let panes absorb others; those stay where they are until they are removed."""
        self._hands.rest()
        merge_counts(into, source, self.rows.values)
        for accumulator in self.accumulators.values():
            accumulator.merge(into, source)

    def _marked(self, bit: int) -> I64:
        used = self._seats.used
        return np.flatnonzero((self._touched.values[:used] & bit != 0) & (self._seats.key >= 0))

    def _place(self, lane: str, slots: I64) -> Array:
        match lane:
            case "start":
                values = self.start_us
            case "end" | "bound":
                values = self.end_us
            case "missed":
                values = self._seats.missed
            case _:
                values = self.next_us.values
        return pa.array(values[slots], pa.int64())

    def _told_or_start(self, slots: I64) -> I64:
        """Under which start readers of the deltas know these panes, if they know them at all."""
        told = self._told_us.values[slots]
        return np.where(told == _NEVER, self.start_us[slots], told)

    def _bury(self, slots: I64, start_us: I64) -> None:
        """Note the places of panes for the next delta, by number: they are written when it is taken."""
        telling = [lane for _name, lane in self.kind.columns if lane in _TELLING]
        start = pa.array(start_us, pa.int64())
        places = {lane: start if lane == "start" else self._place(lane, slots) for lane in telling}
        self._gone.append(_Tombs(self.keys, self.key[slots], places))

    def _identity(self, tombs: _Tombs) -> pa.Table:
        """Rows that only say where panes were."""
        places: list[Array] = [
            tombs.places[lane].cast(_place_type(name)) for name, lane in self.kind.columns if lane in tombs.places
        ]
        known = dict(zip(self._identity_names(), [*tombs.keys.take(tombs.key), *places], strict=True))
        columns = [known.get(field.name) for field in self.schema]
        filled = [
            nulls(len(tombs.key), field.type) if column is None else column
            for column, field in zip(columns, self.schema, strict=True)
        ]
        return pa.Table.from_arrays(filled, schema=self.schema)

    def _identity_names(self) -> list[str]:
        """The columns that tell panes apart."""
        places = [name for name, lane in self.kind.columns if lane in _TELLING]
        return [*(f"key.{field.name}" for field in self.plan.keys), *places]

    def _dumped_and_hashed(self, slots: I64) -> pa.Table:
        table = self.dump(slots)
        if len(slots) and (self._touched.values[slots] & _HASHED != 0).all():
            self._hash(slots, table, slots)
        return table

    def _hash(self, slots: I64, table: pa.Table, table_slots: I64) -> None:
        """Hash `slots` anew if `table` holds just their rows; if not, they wait for the next digest."""
        if not np.array_equal(slots, table_slots):
            return
        for block, piece in zip(blocks(slots), pieces(table), strict=False):
            self._hash_sum -= sum_hashes(self._hash_a.values[block], self._hash_b.values[block])
            lane_a, lane_b = row_hashes(piece)
            self._hash_a.values[block], self._hash_b.values[block] = lane_a, lane_b
            self._hash_sum += sum_hashes(lane_a, lane_b)
        self._touched.values[slots] &= np.uint8(_TOLD | _CHANGED)

    def _date(self, carries: I64) -> None:
        """Note in `next_us` when the last samples of carry slots were measured."""
        for trace in self.traces.values():
            latest = trace.latest(carries)
            known = carries[latest.known]
            self.next_us.values[known] = np.maximum(self.next_us.values[known], latest.event_us[latest.known])

    def _own(self) -> None:
        """Work out anew which partition feeds each key's open panes, and where its carry slot is."""
        if self.plan.scope == "partition":
            self._fit_to_keys(self._owner)
            self._owner.values[:] = NOBODY
            slots = self.slots
            self._owner.values[self.key[slots]] = self.feeder.values[slots]
        if self.traces:
            self._fit_to_keys(self._carry)
            self._carry.values[:] = NOBODY
            slots = self.carries
            self._carry.values[self.key[slots]] = slots

    def _compact(self) -> None:
        """Move open panes together; number the keys anew when most belong to no open pane."""
        self._hands.rest()
        slots = self.everything
        key = self.key[slots]
        seen = np.zeros(len(self.keys), np.bool_)
        seen[key] = True
        live = np.flatnonzero(seen)
        if self._crowd < 0:
            # Keys that came back at once after they were forgotten: to forget them costs more than to keep them.
            self._crowd = 2 * self.keys.weight
        elif self.keys.weight > max(2 * len(live) + 1024, self._crowd):
            columns, keys = self.keys.take(live), Keys(self.plan.keys)
            fresh = np.zeros(len(self.keys), np.int64)
            fresh[live] = keys.number_all(columns, len(live))
            self.keys, key = keys, fresh[key]
            self.keys.watch(self._room.admit)
            self._owner, self._carry = Lane(np.int64, NOBODY), Lane(np.int64, NOBODY)
            self._crowd = -1
        else:
            self._crowd = max(0, self._crowd - self._dead // _PATIENCE)
        for lane in self._lanes:
            lane.keep(slots)
        self._seats.keep(slots, key)
        self._dead = 0

    def _checked(self, table: pa.Table) -> pa.Table:
        if GONE not in table.column_names:
            table = table.append_column(GONE, pa.array(np.zeros(table.num_rows, np.bool_), pa.bool_()))
        expected = self.schema.append(pa.field(GONE, pa.bool_()))
        differences = [
            f"{name}: {_type_of(table.schema, name)} in the snapshot, {_type_of(expected, name)} in this pipeline"
            for name in dict.fromkeys([*table.column_names, *expected.names])
            if _type_of(table.schema, name) != _type_of(expected, name)
        ]
        for key, ours in self.plan.state_metadata().items():
            theirs = (table.schema.metadata or {}).get(key.encode(), b"nothing").decode()
            if theirs != ours:
                differences.append(f"{key}: {theirs} in the snapshot, {ours} in this pipeline")
        if differences:
            raise StateRefused("the state was written by another query. " + "; ".join(differences))
        return table.select(expected.names)

    def _newest_first(self, full: Iterable[pa.Table], deltas: Sequence[pa.Table]) -> Iterator[tuple[pa.Table, int]]:
        """Tables to load, and from which key number on a key was not met in any before."""
        for delta in reversed(deltas):
            yield self._checked(delta), _NEVER
        met = len(self.keys)
        for part in full:
            for piece in pieces(self._checked(part)):
                yield piece, met

    def _take(self, table: pa.Table, words: LastWords, met: int) -> None:
        """Open a pane for each row of `table` that is the last word on it, and no tombstone."""
        own = [whole(table.column(f"key.{field.name}"), field.type) for field in self.plan.keys]
        key = self.keys.number_all(own, table.num_rows)
        names = self._identity_names()[len(own) :]
        rows = words.among(key, [bits_of(whole(table.column(name), _place_type(name))) for name in names], met)
        rows = rows[bits_of(whole(table.column(GONE), pa.bool_()))[rows] == 0]
        if len(rows) < table.num_rows:
            table, key = table.take(pa.array(rows, pa.int64())), key[rows]
        columns = {field.name: whole(table.column(field.name), field.type) for field in self.schema}
        places = {lane: bits_of(columns[name]) for name, lane in self.kind.columns}
        start, none = places["start"], np.zeros(len(rows), np.int64)
        extras = [columns[field.name] for field in self.plan.window.fields()]
        label, day = self.kind.recall(extras) if extras else (none.astype(np.int32), none.astype(np.int32))
        end, before = places.get("end", places.get("bound", start)), self._seats.used
        self._seats.take(key, start, end, places.get("missed", self.kind.twins(label)))
        self._fit()
        slots = np.arange(before, self._seats.used)
        if extras:
            self._label.values[slots], self._day.values[slots] = label, day
        self._fill(slots, columns, start, places.get("next", none))

    def _fill(self, slots: I64, columns: Mapping[str, Array], start_us: I64, next_us: I64) -> None:
        """Put rows of the table into slots that are blank."""
        self.next_us.values[slots] = next_us
        self.rows.values[slots] = bits_of(columns["rows"])
        if self.plan.corrects:
            self.revision.values[slots], self.home.values[slots] = (
                bits_of(columns["revision"]),
                bits_of(columns["home"]),
            )
        self.feeder.values[slots] = self.feeders.read(columns["feeder"])
        for accumulator in self.accumulators.values():
            accumulator.load(slots, [columns[field.name] for field in accumulator.fields])
        if self.traces:  # few kinds tell `next_us`, and a carry slot without it would have expired long ago
            carries = self.carries
            self.next_us.values[carries] = CARRY_US
            self._date(carries)
        self._touched.values[slots] = _HASHED
        self._told_us.values[slots] = start_us


def _build_seats(plan: Plan) -> Seats:
    window = plan.window
    if isinstance(window, Session) and window.max_length_us is None:
        return Chained(window.gap_us)
    return Hashed()


def _place_type(name: str) -> pa.DataType:
    return _PLACE_TYPES.get(name, pa.int64())


def _with_gone(table: pa.Table, *, gone: bool) -> pa.Table:
    flags = pa.array(np.full(table.num_rows, gone), pa.bool_())
    return table.append_column(GONE, flags)


def _type_of(schema: pa.Schema, name: str) -> str:
    return str(schema.field(name).type) if name in schema.names else "absent"
