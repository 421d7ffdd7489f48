"""Kafka records to Arrow micro-batches to closed windows, each epoch committed as one record.

The flow, and where it is written: ``source -> decode -> transform -> window -> sink -> commit`` is `arrowflow.engine.step`;
its words are the files of `arrowflow.phases`; what they pass along is `arrowflow.types`; what they ask of the outside is
`arrowflow.protocols`. What a program calls is in `arrowflow.api` (docs/library.md). Names below load on first use, so
that importing arrowflow costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arrowflow.api.aggregates import (
        count,
        count_distinct,
        counter_delta,
        coverage,
        first,
        last,
        max,  # noqa: A004
        mean,
        min,  # noqa: A004
        quality_mean,
        quantile,
        stddev,
        sum,  # noqa: A004
        time_in_state,
        time_weighted_mean,
        var,
        weighted_mean,
    )
    from arrowflow.api.drawing import draw
    from arrowflow.api.kafka import read_kafka
    from arrowflow.api.operator import WindowOperator
    from arrowflow.api.pipeline import Pipeline, load
    from arrowflow.api.scan import scan
    from arrowflow.api.trial import Trial
    from arrowflow.api.windows import Cumulative, Hopping, Roster, Session, Shifts, Sliding, Tumbling
    from arrowflow.calendars import PlantCalendar
    from arrowflow.engine import start
    from arrowflow.phases.run import Run
    from arrowflow.pipeline import RunOptions
    from arrowflow.windows.aggregates.custom import CustomAggregate

__all__ = [
    "Cumulative",
    "CustomAggregate",
    "Hopping",
    "Pipeline",
    "PlantCalendar",
    "Roster",
    "Run",
    "RunOptions",
    "Session",
    "Shifts",
    "Sliding",
    "Trial",
    "Tumbling",
    "WindowOperator",
    "count",
    "count_distinct",
    "counter_delta",
    "coverage",
    "draw",
    "first",
    "last",
    "load",
    "max",
    "mean",
    "min",
    "quality_mean",
    "quantile",
    "read_kafka",
    "scan",
    "start",
    "stddev",
    "sum",
    "time_in_state",
    "time_weighted_mean",
    "var",
    "weighted_mean",
]

_HOMES = {
    "Cumulative": "arrowflow.api.windows",
    "CustomAggregate": "arrowflow.windows.aggregates.custom",
    "Hopping": "arrowflow.api.windows",
    "Pipeline": "arrowflow.api.pipeline",
    "PlantCalendar": "arrowflow.calendars",
    "Roster": "arrowflow.api.windows",
    "Run": "arrowflow.phases.run",
    "RunOptions": "arrowflow.pipeline",
    "Session": "arrowflow.api.windows",
    "Shifts": "arrowflow.api.windows",
    "Sliding": "arrowflow.api.windows",
    "Trial": "arrowflow.api.trial",
    "Tumbling": "arrowflow.api.windows",
    "WindowOperator": "arrowflow.api.operator",
    "count": "arrowflow.api.aggregates",
    "count_distinct": "arrowflow.api.aggregates",
    "counter_delta": "arrowflow.api.aggregates",
    "coverage": "arrowflow.api.aggregates",
    "draw": "arrowflow.api.drawing",
    "first": "arrowflow.api.aggregates",
    "last": "arrowflow.api.aggregates",
    "load": "arrowflow.api.pipeline",
    "max": "arrowflow.api.aggregates",
    "mean": "arrowflow.api.aggregates",
    "min": "arrowflow.api.aggregates",
    "quality_mean": "arrowflow.api.aggregates",
    "quantile": "arrowflow.api.aggregates",
    "read_kafka": "arrowflow.api.kafka",
    "scan": "arrowflow.api.scan",
    "start": "arrowflow.engine",
    "stddev": "arrowflow.api.aggregates",
    "sum": "arrowflow.api.aggregates",
    "time_in_state": "arrowflow.api.aggregates",
    "time_weighted_mean": "arrowflow.api.aggregates",
    "var": "arrowflow.api.aggregates",
    "weighted_mean": "arrowflow.api.aggregates",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'arrowflow' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
