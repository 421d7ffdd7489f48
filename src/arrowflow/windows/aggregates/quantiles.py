"""Quantiles from counts of values in buckets of a fixed grid: no sketch, so no order and no cutting changes a result."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pyarrow as pa

from arrowflow.types import I64
from arrowflow.windows.aggregates.accumulator import Slice, Windows
from arrowflow.windows.aggregates.runs import Runs, cut, join, list_array, list_edges
from arrowflow.windows.arrays import Array, Numbers
from arrowflow.windows.functions import is_decimal, scale_of
from arrowflow.windows.lanes import Lane
from arrowflow.windows.plan import PlannedAccumulator, PlannedAggregate

MANTISSA = 7
"""Bits of the mantissa that a bucket keeps: it is at most ``2**-7`` of its values wide, its middle at most 1/256 away."""
_DROPPED = 52 - MANTISSA
_INFINITE = 0x7FF << MANTISSA
_NAN = _INFINITE + 1
_NORMAL = 1 << MANTISSA
_WIDE = (1023 + MANTISSA) << MANTISSA
"""The bucket of 128: below it there is at most one integer in a bucket, at its lower end."""
_PACK = 20
_MIDDLE = 1 << (_PACK - 1)
_ALL_BUT_SIGN = 2**63 - 1
_COUNT = 44
"""A slot holds one integer per bucket, ``bucket << 44 | count``: 20 bits with the sign, and 2**44 rows is beyond any pane."""
_ALL_COUNT = (1 << _COUNT) - 1
_EMPTY = np.empty(0, np.int64)


class Buckets:
    """``quantile``: the nearest rank, at most 1/256 (0.4 %) off the value of that rank; integers below 256 are exact."""

    def __init__(self, planned: PlannedAccumulator) -> None:
        self._column, self._type = planned.column, planned.type
        self._held = Lane(object, None)
        self.lanes = (self._held,)
        self.fields = (
            pa.field(f"{planned.name}.buckets", pa.list_(pa.int32())),
            pa.field(f"{planned.name}.counts", pa.list_(pa.int64())),
        )

    def fold(self, rows: Slice) -> None:
        rows_in = np.flatnonzero(rows.columns.valid(self._column) & (rows.slot >= 0))
        if not len(rows_in):
            return
        # Slot and bucket in one integer, which sorts far faster than two.
        packed = (rows.slot[rows_in] << _PACK) | (bucket_of(self._bits(rows)[rows_in]) + _MIDDLE)
        packed.sort()
        slots, fresh = Runs.of_rows(packed >> _PACK, (packed & (2 * _MIDDLE - 1)) - _MIDDLE)
        held = self._held.values
        both = _runs([_EMPTY if each is None else each for each in held[slots].tolist()]).united(fresh)
        for slot, part in zip(slots.tolist(), cut(both.edge, _packed(both)), strict=True):
            held[slot] = part

    def merge(self, into: I64, source: I64) -> None:
        held = self._held.values
        for a, b in zip(into.tolist(), source.tolist(), strict=True):
            if held[a] is None or held[b] is None:
                held[a] = held[b] if held[a] is None else held[a]
            else:
                held[a] = _packed(_run(held[a]).united(_run(held[b])))

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        # The decimal that was written, not the double nearest to it: 0.07 of 100 values is the 7th.
        q = Fraction(str(aggregate.arguments[0]))
        picked = [self._pick(self._held.values[slot], q) for slot in windows.slot.tolist()]
        null = np.array([each is None for each in picked], np.bool_)
        buckets = np.array([0 if each is None else each for each in picked], np.int64)
        return pa.array(self._values(buckets), pa.float64(), mask=null, from_pandas=False)

    def dump(self, slots: I64) -> list[Array]:
        runs = _runs([_EMPTY if each is None else each for each in self._held.values[slots].tolist()])
        none = np.zeros(len(slots), np.bool_)
        buckets = pa.array(runs.key.astype(np.int32), pa.int32())
        return [list_array(runs.edge, buckets, none), list_array(runs.edge, pa.array(runs.count, pa.int64()), none)]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        edge, buckets = list_edges(columns[0])
        counts = list_edges(columns[1])[1].to_numpy()
        packed = _packed(Runs(edge, buckets.to_numpy().astype(np.int64), counts))
        for slot, part in zip(slots.tolist(), cut(edge, packed), strict=True):
            self._held.values[slot] = part if len(part) else None

    def _bits(self, rows: Slice) -> I64:
        bits, _whole = rows.columns.doubles(self._column)
        if not is_decimal(self._type):
            return bits
        # Rounded twice, but the same for equal values, which is all a bucket needs.
        return np.asarray(bits.view(np.float64) / 10.0 ** scale_of(self._type)).view(np.int64)

    def _pick(self, held: I64 | None, q: Fraction) -> int | None:
        """The bucket of the nearest rank: the smallest value with at least ``q * n`` values up to it."""
        if held is None:
            return None
        if held[-1] >> _COUNT == _NAN:
            return _NAN
        upto = np.cumsum(held & _ALL_COUNT)
        rank = -(-q.numerator * int(upto[-1]) // q.denominator)
        return int(held[np.searchsorted(upto, rank)]) >> _COUNT

    def _values(self, bucket: I64) -> Numbers:
        """float64[m]: the middle of each bucket; for integers that of the integers in it."""
        size = np.abs(bucket)
        low = (size << _DROPPED).view(np.float64)
        middle = ((size << _DROPPED) | (1 << (_DROPPED - 1))).view(np.float64)
        if pa.types.is_integer(self._type):
            middle = np.where(size < _WIDE, low, middle - 0.5)
        middle = np.where((size == 0) | (size == _INFINITE), low, middle)
        return np.where(bucket == _NAN, np.nan, np.where(bucket < 0, -middle, middle))


def bucket_of(bits: I64) -> I64:
    """int64[n]: the bucket of each double, ascending with the values; below ``2**-1022`` it is that of zero.

    Parameters
    ----------
    bits : int64[n]
        Bit patterns of doubles.
    """
    magnitude = bits & _ALL_BUT_SIGN
    size = magnitude >> _DROPPED
    size = np.where(size < _NORMAL, 0, size)
    signed = np.where(bits < 0, -size, size)
    return np.where(magnitude > 0x7FF << 52, _NAN, signed)


def _runs(parts: Sequence[I64]) -> Runs:
    edge, packed = join(parts)
    return Runs(edge, packed >> _COUNT, packed & _ALL_COUNT)


def _run(packed: I64) -> Runs:
    return Runs(np.array([0, len(packed)], np.int64), packed >> _COUNT, packed & _ALL_COUNT)


def _packed(runs: Runs) -> I64:
    return (runs.key << _COUNT) | runs.count
