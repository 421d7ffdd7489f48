"""Exact sums and means. Integers never wrap, floats round once, at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from arrowflow.errors import PromiseBroken
from arrowflow.types import I64, Bool
from arrowflow.windows.aggregates.accumulator import Slice, Windows
from arrowflow.windows.aggregates.fixed import FixedPoint, divide, units_of
from arrowflow.windows.arrays import Array, Numbers, ready
from arrowflow.windows.columns import I64x2, decimals_of, words_of_decimals
from arrowflow.windows.kernels.rounding import round_cells, round_quotients
from arrowflow.windows.kernels.sums import (
    CARRY_EVERY,
    CHUNKS,
    LOWEST,
    SEEN_MINUS,
    SEEN_NAN,
    SEEN_PLUS,
    add_floats,
    add_integers,
    carry_cells,
    merge_floats,
    merge_integers,
)
from arrowflow.windows.lanes import Lane
from arrowflow.windows.plan import PlannedAccumulator, PlannedAggregate

_LOW32 = 0xFFFFFFFF
_LOW62 = (1 << 62) - 1
_LARGEST_DIVISOR = 2**31 - 1
TINY = 1074
"""A spill counts multiples of ``2**-1074``, the least positive double: every double is a whole number of them."""
_EXACT = pa.decimal128(38, 0)


class IntegerSum:
    """``sum`` and ``mean`` of integers: ``high * 2**62 + low``, exact for any number of rows."""

    def __init__(self, planned: PlannedAccumulator) -> None:
        self._column = planned.column
        self._unsigned = pa.types.is_uint64(planned.type)
        self._high, self._low, self._count = Lane(np.int64), Lane(np.int64), Lane(np.int64)
        self.lanes = (self._high, self._low, self._count)
        name = planned.name
        self.fields = (pa.field(f"{name}.exact", _EXACT), pa.field(f"{name}.count", pa.int64()))

    def fold(self, rows: Slice) -> None:
        valid, bits = rows.columns.valid(self._column), rows.columns.bits(self._column)
        add_integers(rows.slot, valid, bits, self._unsigned, self._high.values, self._low.values, self._count.values)

    def merge(self, into: I64, source: I64) -> None:
        merge_integers(into, source, self._high.values, self._low.values, self._count.values)

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        slots = windows.slot
        high, low, count = self._high.values[slots], self._low.values[slots], self._count.values[slots]
        empty = np.asarray(count == 0)
        if aggregate.function == "mean":
            return pa.array(self._mean(high, low, np.maximum(count, 1)), pa.float64(), mask=empty, from_pandas=False)
        if aggregate.arguments[:1] == ("decimal",):
            return decimals_of(_words(high, low), ~empty, aggregate.output)
        # high * 2**62 + low fits into int64 exactly when high is in [-2, 2).
        wrong = np.flatnonzero((high < -2) | (high > 1))
        if len(wrong):
            value = (int(high[wrong[0]]) << 62) + int(low[wrong[0]])
            raise PromiseBroken(
                f"sum of {self._column!r} is {value} in {windows.place(int(wrong[0]))}: it does not fit into int64, "
                f'which is what the result column holds; make windows smaller or write sum({self._column}, "decimal")'
            )
        return pa.array((high << 62) + low, pa.int64(), mask=empty)

    def dump(self, slots: I64) -> list[Array]:
        words = _words(self._high.values[slots], self._low.values[slots])
        exact = decimals_of(words, np.ones(len(slots), np.bool_), _EXACT)
        return [exact, pa.array(self._count.values[slots], pa.int64())]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        words = words_of_decimals(columns[0])
        self._low.values[slots] = words[:, 0] & _LOW62
        self._high.values[slots] = (words[:, 1] << 2) | ((words[:, 0] >> 62) & 3)
        self._count.values[slots] = columns[1].to_numpy()

    @staticmethod
    def _mean(high: I64, low: I64, count: I64) -> Numbers:
        negative = high < 0
        borrow = (negative & (low > 0)).astype(np.int64)
        high = np.where(negative, -high - borrow, high)
        low = np.where(negative & (low > 0), _LOW62 + 1 - low, low)
        limbs = [low & _LOW32, (low >> 32) | ((high & 3) << 30), (high >> 2) & _LOW32, high >> 34]
        out = np.empty(len(count), np.float64)
        round_quotients(np.stack(limbs, axis=1), negative, np.minimum(count, _LARGEST_DIVISOR), 0, out)
        for i in np.flatnonzero(count > _LARGEST_DIVISOR):
            total = (int(high[i]) << 62) + int(low[i])
            out[i] = (-total if negative[i] else total) / int(count[i])
        return out


class FloatSum:
    """``sum`` and ``mean`` of floats: equal to ``math.fsum``, whatever the order of rows.

    Six chunks per pane hold what lies between ``2**-112`` and about ``2**80``; the rest is a Python integer per
    pane, which hardly any pane has. The largest doubles may overflow on the way without harm; a sum beyond them is
    infinite. Any NaN, or both infinities, gives NaN.
    """

    def __init__(self, planned: PlannedAccumulator) -> None:
        self._column = planned.column
        self.total = ExactSum(planned.name)
        self.lanes, self.fields = self.total.lanes, self.total.fields

    def fold(self, rows: Slice) -> None:
        self.total.add(rows.slot, rows.columns.valid(self._column), rows.columns.bits(self._column))

    def merge(self, into: I64, source: I64) -> None:
        self.total.merge(into, source)

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        slots, total = windows.slot, self.total
        count, flags = total.count.values[slots], total.flags.values[slots]
        divisor = np.maximum(count, 1) if aggregate.function == "mean" else np.ones(len(slots), np.int64)
        out = total.quotients(slots, divisor)
        if flags.any():
            out[flags == SEEN_PLUS] = np.inf
            out[flags == SEEN_MINUS] = -np.inf
            out[is_nan(flags)] = np.nan
        return pa.array(out, pa.float64(), mask=np.asarray(count == 0), from_pandas=False)

    def dump(self, slots: I64) -> list[Array]:
        return self.total.dump(slots)

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        self.total.load(slots, columns)


class ExactSum:
    """Exact sums of doubles per slot, with a count and flags for what is no number; `name` begins its columns' names."""

    def __init__(self, name: str) -> None:
        self.number = FixedPoint(name, CHUNKS, -LOWEST, TINY, carry_cells)
        self.count, self.flags = Lane(np.int64), Lane(np.uint8)
        self.lanes = (self.number.chunks, self.count, self.flags, self.number.spill)
        self.fields = (
            *self.number.fields,
            pa.field(f"{name}.flags", pa.uint8()),
            pa.field(f"{name}.count", pa.int64()),
        )

    def add(self, slot: I64, valid: Bool, bits: I64) -> None:
        """Add the doubles where `valid`, NaN and infinities as flags."""
        spilled = np.empty(len(bits), np.int64)
        chunks = self.number.chunks.values
        spills = add_floats(slot, valid, bits, chunks, self.count.values, self.flags.values, spilled)
        if spills:
            rows = spilled[:spills]
            for cell, value in zip(slot[rows].tolist(), bits.view(np.float64)[rows].tolist(), strict=True):
                self.number.add(cell, units_of(value, TINY))

    def add_integer(self, slot: int, value: int) -> None:
        """Add one integer that is no double."""
        self.number.add(slot, value << TINY)
        self.count.values[slot] += 1
        if self.count.values[slot] % CARRY_EVERY == 0:  # the kernel looks at the counts it reaches itself
            carry_cells(np.array([slot], np.int64), self.number.chunks.values)

    def merge(self, into: I64, source: I64) -> None:
        """Add slots to others, pair by pair."""
        chunks, begin = self.number.chunks.values, 0
        while begin < len(into):
            stop = merge_floats(into, source, begin, chunks, self.count.values, self.flags.values)
            self.number.merge_spills(into[begin:stop], source[begin:stop])
            if stop < len(into):
                self._merge_wide(int(into[stop]), int(source[stop]))
            begin = stop + 1

    def dump(self, slots: I64) -> list[Array]:
        """The columns `fields` names."""
        flags, count = self.flags.values[slots], self.count.values[slots]
        return [*self.number.dump(slots), pa.array(flags, pa.uint8()), pa.array(count, pa.int64())]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        """The inverse of `dump`."""
        self.number.load(slots, columns[:2])
        self.flags.values[slots], self.count.values[slots] = columns[2].to_numpy(), columns[3].to_numpy()

    def quotients(self, slots: I64, divisor: I64) -> Numbers:
        """float64[m]: the sums divided, each rounded once."""
        out = np.empty(len(slots), np.float64)
        round_cells(ready(slots), self.number.chunks.values, np.minimum(divisor, _LARGEST_DIVISOR), LOWEST, out)
        for i in np.union1d(self.number.spill.among(slots), np.flatnonzero(divisor > _LARGEST_DIVISOR)).tolist():
            out[i] = divide(self.number.total(int(slots[i])), int(divisor[i]) << TINY)
        return out

    def _merge_wide(self, into: int, source: int) -> None:
        """Merge one pair whose chunks cannot hold both: all of the source goes to the spill, which holds anything."""
        self.number.add(into, self.number.total(source))
        self.count.values[into] += self.count.values[source]
        self.flags.values[into] |= self.flags.values[source]


def is_nan(flags: Numbers) -> Bool:
    """Whether what was seen makes a sum NaN: one of them, or both infinities."""
    both = SEEN_PLUS | SEEN_MINUS
    return np.asarray((flags & SEEN_NAN != 0) | (flags & both == both))


def _words(high: I64, low: I64) -> I64x2:
    """``high * 2**62 + low`` in two words; it never needs more."""
    words = np.empty((len(high), 2), np.int64)
    words[:, 0] = low | ((high & 3) << 62)
    words[:, 1] = high >> 2
    return words
