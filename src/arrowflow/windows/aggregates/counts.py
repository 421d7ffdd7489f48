"""How many values are not null."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from arrowflow.types import I64
from arrowflow.windows.aggregates.accumulator import Slice, Windows
from arrowflow.windows.arrays import Array
from arrowflow.windows.kernels.counts import count_values, merge_counts
from arrowflow.windows.lanes import Lane
from arrowflow.windows.plan import PlannedAccumulator, PlannedAggregate


class ValueCount:
    """``count(x)``: 0 over no values, never null."""

    def __init__(self, planned: PlannedAccumulator) -> None:
        self._column = planned.column
        self._count = Lane(np.int64)
        self.lanes = (self._count,)
        self.fields = (pa.field(f"{planned.name}.count", pa.int64()),)

    def fold(self, rows: Slice) -> None:
        count_values(rows.slot, rows.columns.valid(self._column), self._count.values)

    def merge(self, into: I64, source: I64) -> None:
        merge_counts(into, source, self._count.values)

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        return pa.array(self._count.values[windows.slot], pa.int64())

    def dump(self, slots: I64) -> list[Array]:
        return [pa.array(self._count.values[slots], pa.int64())]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        self._count.values[slots] = columns[0].to_numpy()
