"""From planned accumulators to working ones. Decides by type only."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

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

_MOST: Mapping[type[Any], int] = MappingProxyType(
    {
        Trace: 32 + 33 + 8 + 64,  # a sample in a chunk of its own, in the first tuple of its pane
        DistinctBits: 8 + 128,  # a value in an array of its own
        DistinctObjects: 64 + 256,  # a place in a set of its own, and the value without its text
        Buckets: 8 + 128,
        TextExtreme: 64,
        Edge: 64,
        CustomStates: 256,
    }
)


def most_per_row(accumulator: Accumulator) -> int:
    """Bytes of Python objects that one row adds at most, its text apart; for a function of the user's own a guess.

    What spills from an exact sum is not among it: it grows with panes, not with rows.
    """
    return _MOST.get(type(accumulator), 0)


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
