"""Variance and standard deviation of a sample, from exact sums of values and of their squares: one rounding at the end."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from arrowflow.types import I64
from arrowflow.windows.aggregates.accumulator import Slice, Windows
from arrowflow.windows.aggregates.factors import read_factors
from arrowflow.windows.aggregates.fixed import divide, divide_root
from arrowflow.windows.aggregates.products import ProductSum
from arrowflow.windows.aggregates.sums import ExactSum
from arrowflow.windows.arrays import Array
from arrowflow.windows.functions import scale_of
from arrowflow.windows.plan import PlannedAccumulator, PlannedAggregate


class Moments:
    """``var`` and ``stddev`` (n - 1), null below two values, NaN where a value is NaN or infinite.

    Integers and decimals are taken without their scale as doubles where those are exact, up to ``2**53``; larger ones
    one by one, just as exactly.
    """

    def __init__(self, planned: PlannedAccumulator) -> None:
        self._column, self._scale = planned.column, scale_of(planned.type)
        self._sum = ExactSum(planned.name)
        self._squares = ProductSum(f"{planned.name}.squares")
        self.lanes = (*self._sum.lanes, *self._squares.lanes)
        self.fields = (*self._sum.fields, *self._squares.fields)

    def fold(self, rows: Slice) -> None:
        valid = rows.columns.valid(self._column)
        values = read_factors(rows, self._column)
        self._sum.add(rows.slot, valid & values.whole, values.bits)
        for row, value in values.integers.items():
            self._sum.add_integer(int(rows.slot[row]), value)
        self._squares.add(rows.slot, valid, values, values)

    def merge(self, into: I64, source: I64) -> None:
        self._sum.merge(into, source)
        self._squares.merge(into, source)

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        quotient = divide_root if aggregate.function == "stddev" else divide
        count, flags = self._sum.count.values[windows.slot], self._sum.flags.values[windows.slot]
        out: list[float | None] = [None] * len(count)
        for i, (slot, n, flag) in enumerate(zip(windows.slot.tolist(), count.tolist(), flags.tolist(), strict=True)):
            if n > 1:
                out[i] = float("nan") if flag else quotient(*self._variance(slot, n))
        return pa.array(out, pa.float64(), from_pandas=False)

    def dump(self, slots: I64) -> list[Array]:
        return [*self._sum.dump(slots), *self._squares.dump(slots)]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        self._sum.load(slots, columns[:4])
        self._squares.load(slots, columns[4:])

    def _variance(self, slot: int, n: int) -> tuple[int, int]:
        """``(n * squares - sum**2) / (n * (n - 1))`` as numerator and denominator."""
        total, places = self._sum.number.ratio(slot)
        squares, square_places = self._squares.number.ratio(slot)
        numerator, shift = n * squares, square_places - 2 * places
        # Both sides in the finer of the two units.
        if shift >= 0:
            numerator -= (total * total) << shift
        else:
            numerator = (numerator << -shift) - total * total
        denominator = (n * (n - 1)) << max(square_places, 2 * places)
        ten = 10 ** (2 * abs(self._scale))
        return (numerator, denominator * ten) if self._scale >= 0 else (numerator * ten, denominator)
