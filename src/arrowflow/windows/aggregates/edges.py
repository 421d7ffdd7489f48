"""First and last values by event time: ties go by source, topic, partition and offset, never by arrival."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from arrowflow.types import I64
from arrowflow.windows.aggregates.accumulator import Slice, Windows
from arrowflow.windows.arrays import Array
from arrowflow.windows.columns import array_of, bits_of
from arrowflow.windows.feeders import FEEDER, NOBODY, Feeders
from arrowflow.windows.functions import is_decimal, is_text
from arrowflow.windows.kernels.edges import keep_edge, merge_edges
from arrowflow.windows.lanes import Lane
from arrowflow.windows.plan import PlannedAccumulator, PlannedAggregate


class Edge:
    """``first`` or ``last`` of one column; nulls are skipped.

    Values of 64 bits are kept as bit patterns. For strings and decimals the kernel keeps the row of the winner, and
    the values of the panes that changed are looked up once per batch.
    """

    def __init__(self, planned: PlannedAccumulator, feeders: Feeders) -> None:
        self._column, self._type = planned.column, planned.type
        self._last = planned.kind == "last"
        self._feeders = feeders
        self._is_wide = is_text(planned.type) or is_decimal(planned.type)
        self._bits, self._event_us, self._offset = Lane(np.int64), Lane(np.int64), Lane(np.int64)
        self._feeder, self._wide = Lane(np.int64, NOBODY), Lane(object, None)
        self.lanes = (self._bits, self._event_us, self._offset, self._feeder, self._wide)
        name = planned.name
        self.fields = (
            pa.field(f"{name}.value", planned.type),
            pa.field(f"{name}.event_us", pa.int64()),
            pa.field(f"{name}.feeder", FEEDER),
            pa.field(f"{name}.offset", pa.int64()),
        )

    def fold(self, rows: Slice) -> None:
        n = len(rows.slot)
        value = np.arange(n, dtype=np.int64) if self._is_wide else rows.columns.bits(self._column)
        moved = np.empty(n, np.int64)
        moves = keep_edge(
            rows.slot,
            rows.columns.valid(self._column),
            rows.event_us,
            rows.offset,
            value,
            rows.feeder,
            self._feeders.rank,
            self._last,
            self._bits.values,
            self._event_us.values,
            self._feeder.values,
            self._offset.values,
            moved,
        )
        if self._is_wide and moves:
            slots = np.unique(moved[:moves])
            winners = rows.columns.array(self._column).take(pa.array(self._bits.values[slots], pa.int64()))
            self._wide.values[slots] = np.array([*winners.to_pylist(), None], object)[:-1]
            self._bits.values[slots] = 0

    def merge(self, into: I64, source: I64) -> None:
        moved = np.empty(len(into), np.int64)
        moves = merge_edges(
            into,
            source,
            self._feeders.rank,
            self._last,
            self._bits.values,
            self._event_us.values,
            self._feeder.values,
            self._offset.values,
            moved,
        )
        if self._is_wide:
            wide = self._wide.values
            for pair in moved[:moves].tolist():
                wide[into[pair]] = wide[source[pair]]

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        return self._values(windows.slot)

    def dump(self, slots: I64) -> list[Array]:
        feeder = self._feeder.values[slots]
        null = np.asarray(feeder == NOBODY)
        event_us = pa.array(self._event_us.values[slots], pa.int64(), mask=null)
        offset = pa.array(self._offset.values[slots], pa.int64(), mask=null)
        return [self._values(slots), event_us, self._feeders.array(feeder), offset]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        value, event_us, feeder, offset = columns
        self._feeder.values[slots] = self._feeders.read(feeder)
        self._event_us.values[slots], self._offset.values[slots] = bits_of(event_us), bits_of(offset)
        if self._is_wide:
            self._wide.values[slots] = np.array([*value.to_pylist(), None], object)[:-1]
        else:
            self._bits.values[slots] = bits_of(value)

    def _values(self, slots: I64) -> Array:
        if self._is_wide:
            return pa.array(self._wide.values[slots].tolist(), self._type)
        return array_of(self._bits.values[slots], self._feeder.values[slots] != NOBODY, self._type)
