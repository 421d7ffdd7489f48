"""Open panes: in memory as lanes of arrays, for others as one Arrow table. It decides nothing about time.

A pane is one (key, window start). Numbers of keys, partitions and slots are private: they never leave in a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.errors import StateRefused
from arrowflow.types import I64, SourcePartition
from arrowflow.windows.aggregates.accumulator import Slice
from arrowflow.windows.aggregates.build import build_accumulator
from arrowflow.windows.arrays import Array, nulls
from arrowflow.windows.columns import Columns, bits_of, whole
from arrowflow.windows.digest import row_hashes, sum_hashes
from arrowflow.windows.feeders import FEEDER, NOBODY, Feeders
from arrowflow.windows.kernels.counts import count_rows
from arrowflow.windows.keys import Keys
from arrowflow.windows.kinds.panes import Kind, Panes
from arrowflow.windows.lanes import Lane
from arrowflow.windows.pairs import Pairs
from arrowflow.windows.plan import Plan

GONE = "gone"
_TOLD, _HASHED = 1, 2
_TOUCHED = _TOLD | _HASHED
_ALL128 = (1 << 128) - 1


def state_schema(plan: Plan, accumulators: Sequence[Any]) -> pa.Schema:
    """The columns of the state, in order; what they mean is in docs/state.md."""
    keys = [pa.field(f"key.{field.name}", field.type) for field in plan.keys]
    bounds = [pa.field("window_start_us", pa.int64()), pa.field("window_end_us", pa.int64())]
    counts = [pa.field("feeder", FEEDER), pa.field("rows", pa.int64())]
    held = [field for accumulator in accumulators for field in accumulator.fields]
    return pa.schema(
        [*keys, *bounds, *plan.window.fields(), *counts, *held],
        dict(plan.state_metadata().items()),
    )


class State:
    """All open panes of one operator.

    Slots are taken in order and marked when their pane is gone; once a third is gone everything is moved together.
    What was touched since the last delta, and since the last digest, is remembered per slot.
    """

    def __init__(self, plan: Plan, kind: Kind) -> None:
        self.plan, self.kind = plan, kind
        self.keys, self.feeders = Keys(plan.keys), Feeders()
        self.accumulators = {each.name: build_accumulator(each, self.feeders) for each in plan.accumulators}
        self.schema = state_schema(plan, list(self.accumulators.values()))
        self._pairs = Pairs()
        self.end_us, self.rows, self.feeder = Lane(np.int64), Lane(np.int64), Lane(np.int64, NOBODY)
        self._label, self._day, self._touched = Lane(np.int32), Lane(np.int32), Lane(np.uint8)
        self._hash_a, self._hash_b = Lane(np.uint64), Lane(np.uint64)
        own = (self.end_us, self.rows, self.feeder, self._label, self._day, self._touched, self._hash_a, self._hash_b)
        self._lanes = (*own, *(lane for each in self.accumulators.values() for lane in each.lanes))
        self._owner = Lane(np.int64, NOBODY)
        self._gone: list[pa.Table] = []
        self._dead = 0
        self._hash_sum = 0

    # ---- panes ------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._pairs.used - self._dead

    @property
    def slots(self) -> I64:
        """Slots of the open panes, ascending."""
        return np.flatnonzero(self._pairs.left >= 0)

    @property
    def start_us(self) -> I64:
        """Window start by slot."""
        return self._pairs.right

    def owner(self, key: I64) -> I64:
        """Per key number, the partition that feeds its open panes, or `NOBODY`."""
        self._fit_owner()
        return np.asarray(self._owner.values[key])

    def fold(self, key: I64, panes: Panes, feeder: int, rows: Columns, event_us: I64, offset: I64) -> int:
        """Put rows of fate `FOLD` into their panes, opening those that are new; returns how many rows were counted."""
        slot, born = self._pairs.intern(key, panes.start_us, panes.fate)
        self._fit()
        fresh = slice(self._pairs.used - len(born), self._pairs.used)
        self.end_us.values[fresh] = panes.end_us[born]
        self._label.values[fresh], self._day.values[fresh] = panes.label[born], panes.day[born]
        if self.plan.scope == "partition":
            self.feeder.values[fresh] = feeder
            self._fit_owner()
            self._owner.values[key[born]] = feeder
        folded = count_rows(slot, self.rows.values, self._touched.values, _TOUCHED)
        batch = Slice(slot, rows, event_us, offset, feeder, self._pairs.used)
        for accumulator in self.accumulators.values():
            accumulator.fold(batch)
        return int(folded)

    def remove(self, slots: I64) -> None:
        """Take panes out; a tombstone for each goes into the next delta."""
        if not len(slots):
            return
        self._gone.append(self._identity(slots))
        self._hash_sum -= sum_hashes(self._hash_a.values[slots], self._hash_b.values[slots])
        self._pairs.forget(slots)
        self._dead += len(slots)
        if self._dead > 1024 and 3 * self._dead > self._pairs.used:
            self._compact()
        self._own()

    def place(self, slot: int) -> str:
        """Name one pane in an error message."""
        key = self.name_key(int(self._pairs.left[slot]))
        return f"window [{self.start_us[slot]}, {self.end_us.values[slot]}) µs of {key}"

    def name_key(self, key: int) -> str:
        """Name one key in an error message."""
        columns = self.keys.take(np.array([key], np.int64))
        values = (
            f"{field.name} = {column[0].as_py()!r}" for field, column in zip(self.keys.fields, columns, strict=True)
        )
        return ", ".join(values) or "all rows"

    def in_order(self, slots: I64) -> I64:
        """`slots` by window start, then by key values, nulls last: the same whatever came first."""
        distinct, which = np.unique(self._pairs.left[slots], return_inverse=True)
        rank = np.zeros(len(distinct), np.int64)
        columns = self.keys.take(distinct)
        if columns:
            table = pa.Table.from_arrays(columns, names=[str(place) for place in range(len(columns))])
            order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in table.column_names])
            rank[order.to_numpy()] = np.arange(len(distinct))
        return slots[np.lexsort((rank[which], self.start_us[slots]))]

    def key_columns(self, slots: I64) -> list[Array]:
        """The key values of panes."""
        return self.keys.take(self._pairs.left[slots])

    def extra_columns(self, slots: I64) -> list[Array]:
        """What the kind of window knows of panes beside their bounds."""
        return self.kind.describe(self._label.values[slots], self._day.values[slots])

    # ---- tables -----------------------------------------------------------------------------------------

    def dump(self, slots: I64) -> pa.Table:
        """Panes as rows of the documented schema, in slot order."""
        held = [column for each in self.accumulators.values() for column in each.dump(slots)]
        columns = [
            *self.key_columns(slots),
            pa.array(self.start_us[slots], pa.int64()),
            pa.array(self.end_us.values[slots], pa.int64()),
            *self.extra_columns(slots),
            self.feeders.array(self.feeder.values[slots]),
            pa.array(self.rows.values[slots], pa.int64()),
            *held,
        ]
        return pa.Table.from_arrays(columns, schema=self.schema)

    def take_delta(self) -> pa.Table:
        """Tombstones, then touched panes; from here on they count as told."""
        slots = self._marked(_TOLD)
        told = self.dump(slots)
        self._hash(self._marked(_HASHED), told, slots)
        self._touched.values[slots] &= np.uint8(_HASHED)
        parts = [_with_gone(table, gone=True) for table in self._gone] + [_with_gone(told, gone=False)]
        self._gone = []
        return pa.concat_tables(parts)

    def load(self, table: pa.Table) -> None:
        """Apply a snapshot or a delta: tombstones first, then panes, which replace what was there."""
        table = self._checked(table)
        gone = table.column(GONE)
        self._forget(table.filter(gone))
        self._replace(table.filter(pc.invert(gone)).drop_columns([GONE]))

    def settle(self) -> None:
        """After the last `load`: everything counts as told, nothing as gone."""
        self._touched.values[:] &= np.uint8(_HASHED)
        self._gone = []
        self._own()

    def digest(self) -> str:
        """Order-free digest of all open panes; costs what was touched since the last one."""
        slots = self._marked(_HASHED)
        if len(slots):
            self._hash(slots, self.dump(slots), slots)
        return format(self._hash_sum & _ALL128, "032x")

    # ---- inside -----------------------------------------------------------------------------------------

    def _fit(self) -> None:
        capacity = self._pairs.used
        if capacity > len(self.rows.values):
            capacity = max(16, 2 * len(self.rows.values), capacity)
            for lane in self._lanes:
                lane.fit(capacity)

    def _fit_owner(self) -> None:
        if len(self._owner.values) < len(self.keys) or not len(self._owner.values):
            self._owner.fit(max(16, 2 * len(self.keys)))

    def _marked(self, bit: int) -> I64:
        used = self._pairs.used
        return np.flatnonzero((self._touched.values[:used] & bit != 0) & (self._pairs.left >= 0))

    def _identity(self, slots: I64) -> pa.Table:
        """Rows that only say which panes they are."""
        columns = [*self.key_columns(slots), pa.array(self.start_us[slots], pa.int64())]
        rest = [nulls(len(slots), field.type) for field in list(self.schema)[len(columns) :]]
        return pa.Table.from_arrays([*columns, *rest], schema=self.schema)

    def _hash(self, slots: I64, table: pa.Table, table_slots: I64) -> None:
        """Hash `slots` anew; `table` holds rows of `table_slots`, which may be more or others than needed."""
        if not np.array_equal(slots, table_slots):
            table = self.dump(slots)
        self._hash_sum -= sum_hashes(self._hash_a.values[slots], self._hash_b.values[slots])
        lane_a, lane_b = row_hashes(table)
        self._hash_a.values[slots], self._hash_b.values[slots] = lane_a, lane_b
        self._hash_sum += sum_hashes(lane_a, lane_b)
        self._touched.values[slots] &= np.uint8(_TOLD)

    def _own(self) -> None:
        """Work out anew which partition feeds each key's open panes."""
        if self.plan.scope == "partition":
            self._fit_owner()
            self._owner.values[:] = NOBODY
            slots = self.slots
            self._owner.values[self._pairs.left[slots]] = self.feeder.values[slots]

    def _compact(self) -> None:
        """Move open panes together; number the keys anew when most belong to no open pane."""
        slots = self.slots
        left = self._pairs.left[slots]
        live = np.unique(left)
        if self.keys.weight > 2 * len(live) + 1024:
            columns, keys = self.keys.take(live), Keys(self.plan.keys)
            fresh = np.zeros(len(self.keys), np.int64)
            fresh[live] = keys.number(keys.parts(columns), np.zeros(len(live), np.int8))
            self.keys, left = keys, fresh[left]
            self._owner = Lane(np.int64, NOBODY)
        for lane in self._lanes:
            lane.keep(slots)
        self._pairs.keep(slots, left)
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

    def _forget(self, table: pa.Table) -> None:
        slots, _fresh = self._slots_of(table)
        self._fit()
        self.remove(slots)

    def _replace(self, table: pa.Table) -> None:
        slots, columns = self._slots_of(table)
        self._fit()
        extras = [columns[field.name] for field in self.plan.window.fields()]
        if extras:
            self._label.values[slots], self._day.values[slots] = self.kind.recall(extras)
        self.end_us.values[slots] = bits_of(columns["window_end_us"])
        self.rows.values[slots] = bits_of(columns["rows"])
        self.feeder.values[slots] = self.feeders.read(columns["feeder"])
        for accumulator in self.accumulators.values():
            accumulator.load(slots, [columns[field.name] for field in accumulator.fields])
        self._touched.values[slots] = _TOUCHED

    def _slots_of(self, table: pa.Table) -> tuple[I64, dict[str, Array]]:
        """The slot of each row, a new one where the pane is not open, and the table's columns as arrays."""
        columns = {field.name: whole(table.column(field.name), field.type) for field in self.schema}
        everyone = np.zeros(table.num_rows, np.int8)
        parts = self.keys.parts([columns[f"key.{field.name}"] for field in self.plan.keys])
        key = self.keys.number(parts, everyone)
        slots, _born = self._pairs.intern(key, bits_of(columns["window_start_us"]), everyone)
        return slots, columns

    def fed_by(self, partitions: Sequence[SourcePartition]) -> I64:
        """Slots of the open panes those partitions feed."""
        numbers = np.array([self.feeders.number(each) for each in partitions], np.int64)
        slots = self.slots
        return slots[np.isin(self.feeder.values[slots], numbers)]


def _with_gone(table: pa.Table, *, gone: bool) -> pa.Table:
    flags = pa.array(np.full(table.num_rows, gone), pa.bool_())
    return table.append_column(GONE, flags)


def _type_of(schema: pa.Schema, name: str) -> str:
    return str(schema.field(name).type) if name in schema.names else "absent"
