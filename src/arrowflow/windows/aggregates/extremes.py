"""Least and largest values.

For floats -0.0 is below 0.0, and NaN wins: one NaN makes both the least and the largest value NaN, as it makes the sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.types import I64
from arrowflow.windows.aggregates.accumulator import Slice, Windows
from arrowflow.windows.arrays import Array
from arrowflow.windows.columns import array_of, bits_of, valid_of
from arrowflow.windows.functions import is_float
from arrowflow.windows.kernels.extremes import keep_least, merge_least
from arrowflow.windows.lanes import Lane
from arrowflow.windows.plan import PlannedAccumulator, PlannedAggregate

_LEAST = -(2**63)
_ALL_BUT_SIGN = 2**63 - 1
_INFINITY_BITS = 0x7FF << 52
_NAN_BITS = 0x7FF8 << 48


class Extreme:
    """``min`` and ``max`` of everything with a fixed width, as int64 codes that sort like the values.

    For ``max`` the codes are inverted, so that the least code wins in both. The least int64 is NaN's.
    """

    def __init__(self, planned: PlannedAccumulator) -> None:
        self._column, self._type = planned.column, planned.type
        self._largest = planned.kind == "max"
        self._code, self._seen = Lane(np.int64), Lane(np.uint8)
        self.lanes = (self._code, self._seen)
        self.fields = (pa.field(f"{planned.name}.value", planned.type),)

    def fold(self, rows: Slice) -> None:
        valid, code = rows.columns.valid(self._column), self._encode(rows.columns.bits(self._column))
        keep_least(rows.slot, valid, code, self._code.values, self._seen.values)

    def merge(self, into: I64, source: I64) -> None:
        merge_least(into, source, self._code.values, self._seen.values)

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        return self._values(windows.slot)

    def dump(self, slots: I64) -> list[Array]:
        return [self._values(slots)]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        self._seen.values[slots] = valid_of(columns[0])
        self._code.values[slots] = self._encode(bits_of(columns[0]))

    def _values(self, slots: I64) -> Array:
        return array_of(self._decode(self._code.values[slots]), self._seen.values[slots] != 0, self._type)

    def _encode(self, bits: I64) -> I64:
        code = bits
        if pa.types.is_uint64(self._type):
            code = bits ^ _LEAST
        elif is_float(self._type):
            code = bits ^ ((bits >> 63) & _ALL_BUT_SIGN)
        if self._largest:
            code = ~code
        if is_float(self._type):
            code = np.where(bits & _ALL_BUT_SIGN > _INFINITY_BITS, _LEAST, code)
        return code

    def _decode(self, code: I64) -> I64:
        bits = ~code if self._largest else code
        if pa.types.is_uint64(self._type):
            return bits ^ _LEAST
        if is_float(self._type):
            return np.where(code == _LEAST, _NAN_BITS, bits ^ ((bits >> 63) & _ALL_BUT_SIGN))
        return bits


class TextExtreme:
    """``min`` and ``max`` of strings in code point order, which is that of their UTF-8 bytes."""

    def __init__(self, planned: PlannedAccumulator) -> None:
        self._column, self._type = planned.column, planned.type
        self._largest = planned.kind == "max"
        self._text = Lane(object, None)
        self.lanes = (self._text,)
        self.fields = (pa.field(f"{planned.name}.value", planned.type),)

    def fold(self, rows: Slice) -> None:
        """Find each pane's winner among the rows by rank, then compare strings once per pane."""
        coded = rows.columns.array(self._column).dictionary_encode()
        order = pc.array_sort_indices(coded.dictionary).to_numpy()
        rank = np.empty(max(1, len(order)), np.int64)
        rank[order] = np.arange(len(order))[::-1] if self._largest else np.arange(len(order))
        code = rank[coded.indices.fill_null(0).to_numpy(zero_copy_only=False)]
        least, seen = np.zeros(rows.panes, np.int64), np.zeros(rows.panes, np.uint8)
        keep_least(rows.slot, rows.columns.valid(self._column), code, least, seen)
        slots = np.flatnonzero(seen)
        place = len(order) - 1 - least[slots] if self._largest else least[slots]
        winners = coded.dictionary.take(pa.array(order[place], pa.int64()))
        for slot, winner in zip(slots.tolist(), winners.to_pylist(), strict=True):
            self._keep(slot, winner)

    def merge(self, into: I64, source: I64) -> None:
        for a, b in zip(into.tolist(), source.tolist(), strict=True):
            self._keep(a, self._text.values[b])

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        return self._values(windows.slot)

    def dump(self, slots: I64) -> list[Array]:
        return [self._values(slots)]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        self._text.values[slots] = np.array([*columns[0].to_pylist(), None], object)[:-1]

    def _values(self, slots: I64) -> Array:
        return pa.array(self._text.values[slots].tolist(), self._type)

    def _keep(self, slot: int, text: str | None) -> None:
        held = self._text.values[slot]
        if text is not None and (held is None or (text > held if self._largest else text < held)):
            self._text.values[slot] = text
