"""Cells of a user's own aggregate function: one Python value per slot. What it means only the function knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from arrowflow.errors import PromiseBroken
from arrowflow.types import I64
from arrowflow.windows.aggregates.accumulator import Slice, Windows
from arrowflow.windows.arrays import Array
from arrowflow.windows.lanes import Lane
from arrowflow.windows.plan import PlannedAccumulator, PlannedAggregate


class CustomStates:
    """Calls the function once per window and slice that has values for it."""

    def __init__(self, planned: PlannedAccumulator) -> None:
        assert planned.custom is not None
        self._column, self._function = planned.column, planned.custom
        self._state_type = planned.custom.state(planned.type)
        self._held = Lane(object, None)
        self.lanes = (self._held,)
        self.fields = (pa.field(f"{planned.name}.state", self._state_type),)

    def fold(self, rows: Slice) -> None:
        rows_in = np.flatnonzero(rows.columns.valid(self._column) & (rows.slot >= 0))
        rows_in = rows_in[np.argsort(rows.slot[rows_in], kind="stable")]
        slots, first = np.unique(rows.slot[rows_in], return_index=True)
        values: Array = rows.columns.array(self._column).take(pa.array(rows_in, pa.int64()))
        edge = [*first.tolist(), len(rows_in)]
        for i, slot in enumerate(slots.tolist()):
            part = values.slice(edge[i], edge[i + 1] - edge[i])
            self._held.values[slot] = self._function.add(self._state(slot), part)

    def merge(self, into: I64, source: I64) -> None:
        held = self._held.values
        for a, b in zip(into.tolist(), source.tolist(), strict=True):
            if held[a] is None or held[b] is None:
                held[a] = held[b] if held[a] is None else held[a]
            else:
                held[a] = self._function.merge(held[a], held[b])

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        results = [self._function.finish(self._state(slot)) for slot in windows.slot.tolist()]
        try:
            return pa.array(results, aggregate.output, from_pandas=False)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise PromiseBroken(
                f"{aggregate.function} of {self._column!r} promised results of type {aggregate.output}, but one of "
                f"{len(results)} is none: {error}"
            ) from error

    def dump(self, slots: I64) -> list[Array]:
        held = [self._held.values[slot] for slot in slots.tolist()]
        try:
            return [pa.array(held, self._state_type, from_pandas=False)]
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise PromiseBroken(
                f"{self._function.name} of {self._column!r} promised states of type {self._state_type}: {error}"
            ) from error

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        for slot, state in zip(slots.tolist(), columns[0].to_pylist(), strict=True):
            self._held.values[slot] = state

    def _state(self, slot: int) -> Any:  # noqa: ANN401 (only the function knows)
        held = self._held.values[slot]
        return self._function.initial() if held is None else held
