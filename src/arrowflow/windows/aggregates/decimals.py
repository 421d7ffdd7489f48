"""Sums, means and extremes of decimals: exact in 128 bits and beyond. A result that does not fit stops the job."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from arrowflow.errors import PromiseBroken
from arrowflow.types import I64, Bool
from arrowflow.windows.aggregates.accumulator import Slice, Windows
from arrowflow.windows.arrays import Array
from arrowflow.windows.columns import I64x2, decimals_of, valid_of, words_of_decimals
from arrowflow.windows.functions import scale_of
from arrowflow.windows.kernels.decimals import (
    LIMBS,
    add_decimals,
    keep_least_decimal,
    merge_decimals,
    merge_least_decimal,
)
from arrowflow.windows.lanes import Lane
from arrowflow.windows.plan import PlannedAccumulator, PlannedAggregate

DIGITS = 38
_LIMIT = 10**DIGITS
_MORE_PLACES = 4
_LIMB_TYPE = pa.list_(pa.int64(), LIMBS)


class DecimalSum:
    """``sum`` and ``mean`` of decimals, as three limbs of 62 bits: exact for any number of rows."""

    def __init__(self, planned: PlannedAccumulator) -> None:
        self._column, self._scale = planned.column, scale_of(planned.type)
        self._limbs, self._count = Lane(np.int64, width=LIMBS), Lane(np.int64)
        self.lanes = (self._limbs, self._count)
        name = planned.name
        self.fields = (pa.field(f"{name}.limbs", _LIMB_TYPE), pa.field(f"{name}.count", pa.int64()))

    def fold(self, rows: Slice) -> None:
        valid, words = rows.columns.valid(self._column), rows.columns.words(self._column)
        add_decimals(rows.slot, valid, words, self._limbs.values, self._count.values)

    def merge(self, into: I64, source: I64) -> None:
        merge_decimals(into, source, self._limbs.values, self._count.values)

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        count = self._count.values[windows.slot]
        totals = [int(a) + (int(b) << 62) + (int(c) << 124) for a, b, c in self._limbs.values[windows.slot].tolist()]
        if aggregate.function == "mean":
            more = 10**_MORE_PLACES
            totals = [_half_even(total * more, max(1, n)) for total, n in zip(totals, count.tolist(), strict=True)]
        for i, total in enumerate(totals):
            if not -_LIMIT < total < _LIMIT:
                raise PromiseBroken(self._too_long(aggregate, windows.place(i), total))
        return decimals_of(_words(totals), count > 0, aggregate.output)

    def dump(self, slots: I64) -> list[Array]:
        limbs = pa.FixedSizeListArray.from_arrays(pa.array(self._limbs.values[slots].ravel(), pa.int64()), LIMBS)
        return [limbs, pa.array(self._count.values[slots], pa.int64())]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        limbs = columns[0]
        assert isinstance(limbs, pa.FixedSizeListArray)
        self._limbs.values[slots] = limbs.flatten().to_numpy().reshape(-1, LIMBS)
        self._count.values[slots] = columns[1].to_numpy()

    def _too_long(self, aggregate: PlannedAggregate, place: str, unscaled: int) -> str:
        return (
            f"{aggregate.function} of {self._column!r} is {unscaled}e-{scale_of(aggregate.output)} in {place}: it needs "
            f"more than {DIGITS} digits, which is what the result column holds; make windows smaller or the column's "
            "scale less"
        )


class DecimalExtreme:
    """``min`` and ``max`` of decimals; for ``max`` words are inverted, so that the least wins in both."""

    def __init__(self, planned: PlannedAccumulator) -> None:
        self._column, self._type = planned.column, planned.type
        self._largest = planned.kind == "max"
        self._words, self._seen = Lane(np.int64, width=2), Lane(np.uint8)
        self.lanes = (self._words, self._seen)
        self.fields = (pa.field(f"{planned.name}.value", planned.type),)

    def fold(self, rows: Slice) -> None:
        valid, words = rows.columns.valid(self._column), rows.columns.words(self._column)
        keep_least_decimal(rows.slot, valid, self._turned(words), self._words.values, self._seen.values)

    def merge(self, into: I64, source: I64) -> None:
        merge_least_decimal(into, source, self._words.values, self._seen.values)

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        return self._values(windows.slot)

    def dump(self, slots: I64) -> list[Array]:
        return [self._values(slots)]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        self._seen.values[slots] = valid_of(columns[0])
        self._words.values[slots] = self._turned(words_of_decimals(columns[0]))

    def _values(self, slots: I64) -> Array:
        seen: Bool = self._seen.values[slots] != 0
        return decimals_of(self._turned(self._words.values[slots]), seen, self._type)

    def _turned(self, words: I64x2) -> I64x2:
        return ~words if self._largest else words


def _words(values: Sequence[int]) -> I64x2:
    data = b"".join(value.to_bytes(16, "little", signed=True) for value in values)
    return np.frombuffer(data, np.int64).reshape(-1, 2)


def _half_even(numerator: int, divisor: int) -> int:
    """The nearest integer to a quotient with a positive divisor, ties to even."""
    quotient, rest = divmod(numerator, divisor)
    up = 2 * rest > divisor or (2 * rest == divisor and quotient & 1)
    return quotient + 1 if up else quotient
