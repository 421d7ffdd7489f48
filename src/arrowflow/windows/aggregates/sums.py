"""Exact sums and means. Integers never wrap, floats round once, at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from arrowflow.errors import PromiseBroken
from arrowflow.types import I64, Bool
from arrowflow.windows.aggregates.accumulator import Slice, Windows
from arrowflow.windows.arrays import Array, Numbers, words_of
from arrowflow.windows.kernels.rounding import round_quotients
from arrowflow.windows.kernels.sums import (
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
_TINY = 1074
"""A spill counts multiples of ``2**-1074``, the least positive double: every double is a whole number of them."""
_STEP = _TINY + LOWEST
_ROOM = (2**63 - 1) << (32 * (CHUNKS - 1))
"""What the chunks hold with either sign; the kernel stops at half of it."""
_CHUNK_TYPE = pa.list_(pa.int64(), CHUNKS)
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
        # high * 2**62 + low fits into int64 exactly when high is in [-2, 2).
        wrong = np.flatnonzero((high < -2) | (high > 1))
        if len(wrong):
            value = (int(high[wrong[0]]) << 62) + int(low[wrong[0]])
            raise PromiseBroken(
                f"sum of {self._column!r} is {value} in {windows.place(int(wrong[0]))}: it does not fit into int64, "
                "which is what the result column holds; make windows smaller or sum a float column"
            )
        return pa.array((high << 62) + low, pa.int64(), mask=empty)

    def dump(self, slots: I64) -> list[Array]:
        high, low = self._high.values[slots], self._low.values[slots]
        words = np.empty((len(slots), 2), np.int64)
        words[:, 0] = low | ((high & 3) << 62)
        words[:, 1] = high >> 2
        exact = pa.Array.from_buffers(_EXACT, len(slots), [None, pa.py_buffer(words.tobytes())])
        return [exact, pa.array(self._count.values[slots], pa.int64())]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        exact = columns[0]
        words = words_of(exact.buffers()[1], np.int64, 2 * len(exact), 16 * exact.offset).reshape(-1, 2)
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
        out = _rounded(np.stack(limbs, axis=1), negative, count, 0)
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
        self._chunks = Lane(np.int64, width=CHUNKS)
        self._count, self._flags, self._spill = Lane(np.int64), Lane(np.uint8), Lane(object)
        self.lanes = (self._chunks, self._count, self._flags, self._spill)
        name = planned.name
        self.fields = (
            pa.field(f"{name}.chunks", _CHUNK_TYPE),
            pa.field(f"{name}.spill", pa.binary()),
            pa.field(f"{name}.flags", pa.uint8()),
            pa.field(f"{name}.count", pa.int64()),
        )

    def fold(self, rows: Slice) -> None:
        valid, bits = rows.columns.valid(self._column), rows.columns.bits(self._column)
        spilled = np.empty(len(bits), np.int64)
        spills = add_floats(
            rows.slot, valid, bits, self._chunks.values, self._count.values, self._flags.values, spilled
        )
        if spills:
            out = spilled[:spills]
            for cell, value in zip(rows.slot[out].tolist(), bits.view(np.float64)[out].tolist(), strict=True):
                self._spill.values[cell] += _exact(value)

    def merge(self, into: I64, source: I64) -> None:
        begin = 0
        while begin < len(into):
            stop = merge_floats(into, source, begin, self._chunks.values, self._count.values, self._flags.values)
            self._merge_spills(into[begin:stop], source[begin:stop])
            if stop < len(into):
                self._merge_wide(int(into[stop]), int(source[stop]))
            begin = stop + 1

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        slots = windows.slot
        count, flags = self._count.values[slots], self._flags.values[slots]
        divisor = np.maximum(count, 1) if aggregate.function == "mean" else np.ones(len(slots), np.int64)
        out = self._quotients(slots, divisor)
        out[flags == SEEN_PLUS] = np.inf
        out[flags == SEEN_MINUS] = -np.inf
        out[(flags & SEEN_NAN != 0) | (flags & (SEEN_PLUS | SEEN_MINUS) == SEEN_PLUS | SEEN_MINUS)] = np.nan
        return pa.array(out, pa.float64(), mask=np.asarray(count == 0), from_pandas=False)

    def dump(self, slots: I64) -> list[Array]:
        self._settle(slots)
        chunks = pa.FixedSizeListArray.from_arrays(pa.array(self._chunks.values[slots].ravel(), pa.int64()), CHUNKS)
        spill = [_to_bytes(value) if value else None for value in self._spill.values[slots].tolist()]
        flags, count = self._flags.values[slots], self._count.values[slots]
        return [chunks, pa.array(spill, pa.binary()), pa.array(flags, pa.uint8()), pa.array(count, pa.int64())]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        chunks, spill, flags, count = columns
        assert isinstance(chunks, pa.FixedSizeListArray)
        self._chunks.values[slots] = chunks.flatten().to_numpy().reshape(-1, CHUNKS)
        self._flags.values[slots], self._count.values[slots] = flags.to_numpy(), count.to_numpy()
        self._spill.values[slots] = 0
        for i in np.flatnonzero(spill.is_valid().to_numpy(zero_copy_only=False)).tolist():
            self._spill.values[slots[i]] = int.from_bytes(spill[i].as_py(), "little", signed=True)

    def _merge_spills(self, into: I64, source: I64) -> None:
        spill = self._spill.values
        if np.any(spill[source] != 0):
            for a, b in zip(into.tolist(), source.tolist(), strict=True):
                spill[a] += spill[b]

    def _merge_wide(self, into: int, source: int) -> None:
        """Merge one pair whose chunks cannot hold both: all of the source goes to the spill, which holds anything."""
        self._spill.values[into] += self._total(source)
        self._count.values[into] += self._count.values[source]
        self._flags.values[into] |= self._flags.values[source]

    def _settle(self, slots: I64) -> None:
        """Bring panes into the one form their exact sum has: all in the chunks if it fits there, else all spilled above."""
        carry_cells(slots, self._chunks.values)
        spill = self._spill.values
        for cell in slots[spill[slots] != 0].tolist():
            units, rest = divmod(self._total(cell), 1 << _STEP)
            fits = abs(units) < _ROOM
            spill[cell] = rest if fits else (units << _STEP) + rest
            for c in range(CHUNKS - 1):
                self._chunks.values[cell, c] = (units >> (32 * c)) & _LOW32 if fits else 0
            self._chunks.values[cell, CHUNKS - 1] = units >> (32 * (CHUNKS - 1)) if fits else 0

    def _total(self, cell: int) -> int:
        """The exact sum of one pane in multiples of ``2**-1074``."""
        units = sum(chunk << (32 * c) for c, chunk in enumerate(self._chunks.values[cell].tolist()))
        return int((units << _STEP) + self._spill.values[cell])

    def _quotients(self, slots: I64, divisor: I64) -> Numbers:
        self._settle(slots)
        chunks = self._chunks.values[slots]
        negative = chunks[:, -1] < 0
        chunks[negative] *= -1
        carry_cells(np.flatnonzero(negative), chunks)
        top = chunks[:, -1]
        limbs = np.column_stack([chunks[:, :-1], top & _LOW32, top >> 32])
        out = _rounded(limbs, negative, divisor, LOWEST)
        exact = (self._spill.values[slots] != 0).astype(np.bool_) | (divisor > _LARGEST_DIVISOR)
        for i in np.flatnonzero(exact).tolist():
            out[i] = _divide(self._total(int(slots[i])), int(divisor[i]) << _TINY)
        return out


def _rounded(limbs: Numbers, negative: Bool, divisor: I64, lowest: int) -> Numbers:
    out = np.empty(len(limbs), np.float64)
    small = np.minimum(divisor, _LARGEST_DIVISOR)
    round_quotients(np.ascontiguousarray(limbs), np.asarray(negative), np.ascontiguousarray(small), lowest, out)
    return out


def _exact(value: float) -> int:
    """`value` in multiples of ``2**-1074``."""
    numerator, denominator = value.as_integer_ratio()
    return (numerator << _TINY) // denominator


def _divide(numerator: int, denominator: int) -> float:
    """Correctly rounded quotient; infinite where it is beyond the doubles."""
    try:
        return numerator / denominator
    except OverflowError:
        return float("inf") if numerator > 0 else float("-inf")


def _to_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
