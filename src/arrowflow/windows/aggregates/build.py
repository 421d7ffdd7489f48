"""From planned accumulators to working ones. Decides by type only."""

from __future__ import annotations

import pyarrow as pa

from arrowflow.windows.aggregates.accumulator import Accumulator
from arrowflow.windows.aggregates.counts import ValueCount
from arrowflow.windows.aggregates.decimals import DecimalExtreme, DecimalSum
from arrowflow.windows.aggregates.distinct import DistinctBits, DistinctObjects
from arrowflow.windows.aggregates.edges import Edge
from arrowflow.windows.aggregates.extremes import Extreme, TextExtreme
from arrowflow.windows.aggregates.moments import Moments
from arrowflow.windows.aggregates.quantiles import Buckets
from arrowflow.windows.aggregates.states import CustomStates
from arrowflow.windows.aggregates.sums import FloatSum, IntegerSum
from arrowflow.windows.aggregates.traces import Trace
from arrowflow.windows.aggregates.weighted import WeightedMean
from arrowflow.windows.feeders import Feeders
from arrowflow.windows.functions import is_decimal, is_text
from arrowflow.windows.plan import PlannedAccumulator


def build_accumulator(planned: PlannedAccumulator, feeders: Feeders) -> Accumulator:
    """Make the accumulator for one column."""
    match planned.kind:
        case "count":
            return ValueCount(planned)
        case "sum":
            return _build_sum(planned)
        case "min" | "max":
            return _build_extreme(planned)
        case "first" | "last":
            return Edge(planned, feeders)
        case "moments":
            return Moments(planned)
        case "distinct":
            wide = is_text(planned.type) or is_decimal(planned.type)
            return DistinctObjects(planned) if wide else DistinctBits(planned)
        case "buckets":
            return Buckets(planned)
        case "weighted" | "quality":
            return WeightedMean(planned)
        case "trace":
            return Trace(planned, feeders)
        case "custom":
            return CustomStates(planned)
        case _:
            raise AssertionError(f"no accumulator is called {planned.kind!r}")


def _build_sum(planned: PlannedAccumulator) -> Accumulator:
    if is_decimal(planned.type):
        return DecimalSum(planned)
    return IntegerSum(planned) if pa.types.is_integer(planned.type) else FloatSum(planned)


def _build_extreme(planned: PlannedAccumulator) -> Accumulator:
    if is_decimal(planned.type):
        return DecimalExtreme(planned)
    return TextExtreme(planned) if is_text(planned.type) else Extreme(planned)
