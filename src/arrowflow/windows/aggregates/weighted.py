"""Means weighted by a second column, or by OPC quality: exact sums, one rounding at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from arrowflow.types import I64, Bool
from arrowflow.windows.aggregates.accumulator import Slice, Windows
from arrowflow.windows.aggregates.factors import Factors, read_factors
from arrowflow.windows.aggregates.fixed import divide
from arrowflow.windows.aggregates.products import ProductSum
from arrowflow.windows.aggregates.sums import ExactSum, is_nan
from arrowflow.windows.arrays import Array, Numbers
from arrowflow.windows.functions import scale_of
from arrowflow.windows.kernels.sums import SEEN_MINUS, SEEN_NAN, SEEN_PLUS
from arrowflow.windows.plan import PlannedAccumulator, PlannedAggregate

_QUALITY, _GOOD, _UNCERTAIN = 0xC0, 0xC0, 0x40


class WeightedMean:
    """``weighted_mean`` and ``quality_mean``: rows without a value or a weight are skipped, weight 0 adds nothing.

    A weight that is negative or no finite number makes the result NaN: it is a fault of the data that must show.
    Without any weight above 0 the result is null.
    """

    def __init__(self, planned: PlannedAccumulator) -> None:
        assert planned.other is not None
        self._column, self._other, self._scale = planned.column, planned.other, scale_of(planned.type)
        self._by_quality = planned.kind == "quality"
        self._weights = ExactSum(f"{planned.name}.weights")
        self._products = ProductSum(f"{planned.name}.products")
        self.lanes = (*self._weights.lanes, *self._products.lanes)
        self.fields = (*self._weights.fields, *self._products.fields)

    def fold(self, rows: Slice) -> None:
        valid = rows.columns.valid(self._column) & rows.columns.valid(self._other)
        values, weights = read_factors(rows, self._column), self._read_weights(rows)
        weight = weights.bits.view(np.float64)
        proper = valid & (weight > 0) & weights.finite
        self._weights.add(rows.slot, proper & weights.whole, weights.bits)
        for row, exact in weights.integers.items():
            if proper[row]:
                self._weights.add_integer(int(rows.slot[row]), exact)
        self._products.add(rows.slot, proper, values, weights)
        self._flag(rows.slot, valid & ~((weight >= 0) & weights.finite), np.full(len(weight), SEEN_NAN, np.uint8))
        self._flag(rows.slot, proper & ~values.finite, _seen(values.bits.view(np.float64)))

    def merge(self, into: I64, source: I64) -> None:
        self._weights.merge(into, source)
        self._products.merge(into, source)

    def finish(self, aggregate: PlannedAggregate, windows: Windows) -> Array:
        flags = self._weights.flags.values[windows.slot]
        out: list[float | None] = []
        for slot, flag, nan in zip(windows.slot.tolist(), flags.tolist(), is_nan(flags).tolist(), strict=True):
            if nan:
                out.append(float("nan"))
            elif flag:
                out.append(float("inf") if flag == SEEN_PLUS else float("-inf"))
            else:
                out.append(self._quotient(slot))
        return pa.array(out, pa.float64(), from_pandas=False)

    def dump(self, slots: I64) -> list[Array]:
        return [*self._weights.dump(slots), *self._products.dump(slots)]

    def load(self, slots: I64, columns: Sequence[Array]) -> None:
        self._weights.load(slots, columns[:4])
        self._products.load(slots, columns[4:])

    def _read_weights(self, rows: Slice) -> Factors:
        if not self._by_quality:
            return read_factors(rows, self._other)
        quality = rows.columns.bits(self._other) & _QUALITY
        weight = np.where(quality == _GOOD, 1.0, np.where(quality == _UNCERTAIN, 0.5, 0.0))
        return Factors(weight.view(np.int64), np.ones(len(weight), np.bool_), {})

    def _flag(self, slot: I64, where: Bool, seen: Numbers) -> None:
        rows = np.flatnonzero(where & (slot >= 0))
        if len(rows):
            np.bitwise_or.at(self._weights.flags.values, slot[rows], seen[rows])

    def _quotient(self, slot: int) -> float | None:
        weights, weight_places = self._weights.number.ratio(slot)
        if weights == 0:
            return None
        total, places = self._products.number.ratio(slot)
        # The scale of weights stands above and below, that of values remains.
        ten = 10 ** abs(self._scale)
        above, below = total << weight_places, weights << places
        return divide(above, below * ten) if self._scale >= 0 else divide(above * ten, below)


def _seen(values: Numbers) -> Numbers:
    """uint8[n]: the flag of each value that is not finite."""
    signed = np.where(values > 0, SEEN_PLUS, SEEN_MINUS)
    return np.where(np.isnan(values), SEEN_NAN, signed).astype(np.uint8)
