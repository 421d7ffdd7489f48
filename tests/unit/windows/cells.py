"""Cells of one accumulator, filled, merged and finished without an operator around them. Judges nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from arrowflow.types import SourcePartition
from arrowflow.windows.aggregates.accumulator import Slice, Windows
from arrowflow.windows.aggregates.build import build_accumulator
from arrowflow.windows.columns import Columns
from arrowflow.windows.feeders import Feeders
from arrowflow.windows.plan import Aggregate, Tumbling, plan_window

PARTITIONS = [SourcePartition("in", topic, partition) for topic in "ba" for partition in (1, 0)]


class Cells:
    """What one aggregate keeps, in numbered cells."""

    def __init__(self, aggregate: Aggregate, types: Mapping[str, pa.DataType], cells: int = 1) -> None:
        self.schema = pa.schema(list(types.items()))
        plan = plan_window(Tumbling(100), (), (aggregate,), 0, "pipeline", self.schema)
        (self.planned,) = plan.aggregates
        self.types, self.cells, self.feeders = plan.columns, cells, Feeders()
        self.accumulator = build_accumulator(self.planned.accumulator, self.feeders)
        for lane in self.accumulator.lanes:
            lane.fit(cells)

    def fold(self, rows: Sequence[Mapping[str, object]], cell: Sequence[int] | int = 0, partition: int = 0) -> Cells:
        """Rows of one partition; `_event_us` and `_offset` may be among their values."""
        n = len(rows)
        slot = np.full(n, cell, np.int64) if isinstance(cell, int) else np.array(cell, np.int64)
        arrays = [pa.array([row[f.name] for row in rows], f.type, from_pandas=False) for f in self.schema]
        columns = Columns(pa.Table.from_arrays(arrays, schema=self.schema), self.types)
        event_us = np.array([row.get("_event_us", 0) for row in rows], np.int64)
        offset = np.array([row.get("_offset", place) for place, row in enumerate(rows)], np.int64)
        feeder = self.feeders.number(PARTITIONS[partition])
        self.accumulator.fold(Slice(slot, columns, event_us, offset, feeder, self.cells))
        return self

    def merge(self, *pairs: tuple[int, int]) -> Cells:
        """Pairs of (into, source), in one call."""
        both = np.array(pairs, np.int64).reshape(-1, 2)
        self.accumulator.merge(both[:, 0].copy(), both[:, 1].copy())
        return self

    def results(self) -> list:
        """The result of every cell."""
        slot = np.arange(self.cells)
        windows = Windows(slot, 100 * slot, 100 * slot + 100, lambda i: f"window {i}")
        array = self.accumulator.finish(self.planned, windows)
        assert array.type == self.planned.output
        return array.to_pylist()

    def state(self) -> pa.Table:
        """What every cell holds, as the state's table has it."""
        columns = self.accumulator.dump(np.arange(self.cells))
        return pa.Table.from_arrays(columns, schema=pa.schema(self.accumulator.fields))

    def states(self) -> list[str]:
        """The same per cell as text, so that NaN equals NaN."""
        return [repr(row) for row in self.state().to_pylist()]

    def load(self, table: pa.Table, feeders: Feeders | None = None) -> Cells:
        """Replace what all cells hold."""
        columns = [table.column(name).combine_chunks() for name in table.column_names]
        self.accumulator.load(np.arange(self.cells), columns)
        return self
