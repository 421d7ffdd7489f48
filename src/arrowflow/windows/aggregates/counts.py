"""How many values are not null."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from arrowflow.types import I64
from arrowflow.windows.aggregates.accumulator import Slice
from arrowflow.windows.arrays import Array
from arrowflow.windows.kernels.counts import count_values
from arrowflow.windows.lanes import Lane
from arrowflow.windows.plan import PlannedAccumulator


class ValueCount:
    """``count(x)``: 0 over no values, never null."""

    def __init__(self, planned: PlannedAccumulator) -> None:
        self._column = planned.column
        self._count = Lane(np.int64)
        self.lanes = (self._count,)
        self.fields = (pa.field(f"{planned.name}.count", pa.int64()),)

    def fold(self, rows: Slice) -> None:
        count_values(rows.slot, rows.columns.valid(self._column), self._count.values)

    def finish(self, function: str, slots: I64, place: Callable[[int], str]) -> Array:
        return pa.array(self._count.values[slots], pa.int64())

    def dump(self, slots: I64) -> list[Array]:
        return [pa.array(self._count.values[slots], pa.int64())]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        self._count.values[slots] = columns[0].to_numpy()
