"""From planned accumulators to working ones. Decides by type only."""

from __future__ import annotations

import pyarrow as pa

from arrowflow.windows.aggregates.accumulator import Accumulator
from arrowflow.windows.aggregates.counts import ValueCount
from arrowflow.windows.aggregates.edges import Edge
from arrowflow.windows.aggregates.extremes import Extreme, TextExtreme
from arrowflow.windows.aggregates.sums import FloatSum, IntegerSum
from arrowflow.windows.feeders import Feeders
from arrowflow.windows.functions import is_text
from arrowflow.windows.plan import PlannedAccumulator


def build_accumulator(planned: PlannedAccumulator, feeders: Feeders) -> Accumulator:
    """Make the accumulator for one column."""
    match planned.kind:
        case "count":
            return ValueCount(planned)
        case "sum":
            return IntegerSum(planned) if pa.types.is_integer(planned.type) else FloatSum(planned)
        case "min" | "max":
            return TextExtreme(planned) if is_text(planned.type) else Extreme(planned)
        case "first" | "last":
            return Edge(planned, feeders)
        case _:
            raise AssertionError(f"no accumulator is called {planned.kind!r}")
