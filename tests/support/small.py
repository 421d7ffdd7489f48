"""A small pipeline for tests of the engine: JSON rows {"k", "t", "v"}, ten-second windows, Parquet in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tests.support.dealt import DealtSpec

from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.decoders.json import JsonSpec
from arrowflow.decoders.schema import Field
from arrowflow.pipeline import Checkpoint, EventTime, OperatorNode, Pipeline, SinkNode, SourceNode
from arrowflow.protocols import OperatorSpec, SampleRecord, SourceSpec
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.testing.answers import read_rows
from arrowflow.windows.spec import Aggregate, Tumbling, WindowSpec

SECOND_US = 1_000_000
FIELDS = (Field("k", "string"), Field("t", "timestamp[s]"), Field("v", "float64"))


def rows(*events: tuple[str, int, float | None], partition: int = 0) -> list[SampleRecord]:
    """Records of (key, second, value)."""
    return [
        SampleRecord("events", partition, 1000 * t, k.encode(), json.dumps({"k": k, "t": t, "v": v}).encode())
        for k, t, v in events
    ]


def window(*, size_s: int = 10, lateness_s: int = 0, scope: str = "pipeline") -> WindowSpec:
    return WindowSpec(
        window=Tumbling(size_s * SECOND_US),
        group_by=("k",),
        aggregates=(Aggregate("n", "count", None), Aggregate("total", "sum", "v")),
        allowed_lateness_us=lateness_s * SECOND_US,
        scope=scope,
    )


def pipeline(
    folder: Path,
    records: Iterable[SampleRecord] | SourceSpec,
    *,
    name: str = "small",
    operator: OperatorSpec | None = None,
    event_time: EventTime | None = None,
    **checkpoint: float,
) -> Pipeline:
    """The whole job; `checkpoint` overrides its settings."""
    source = DealtSpec(tuple(records)) if not hasattr(records, "build") else records
    event = event_time or EventTime("t", max_out_of_orderness_us=5 * SECOND_US)
    return Pipeline(
        name=name,
        source=SourceNode("dealt", source, JsonSpec(FIELDS)),
        event_time=event,
        operator=OperatorNode("window", operator or window(scope=event.scope), late="side"),
        sinks=(
            SinkNode("out", ParquetSpec(str(folder / name / "out"))),
            SinkNode("late", ParquetSpec(str(folder / name / "late")), "late"),
            SinkNode("dead", ParquetSpec(str(folder / name / "dead")), "dead"),
        ),
        checkpoint=replace(Checkpoint(LocalLogSpec(str(folder / name / "_log")), cadence_s=0.2), **checkpoint),
    )


def results(folder: Path, name: str = "small") -> list[tuple[str, int, int, float | None]]:
    """(key, window start in seconds, count, sum), sorted."""
    found = read_rows(folder / name / "out", ["k", "window_start", "n", "total"])
    return sorted((row["k"], int(row["window_start"].timestamp()), row["n"], row["total"]) for row in found)


def places(folder: Path, stream: str, name: str = "small") -> list[tuple[int, int, str]]:
    """(partition, offset, reason) of late rows or dead letters."""
    found = read_rows(folder / name / stream, ["_partition", "_offset", "_reason"])
    return sorted((row["_partition"], row["_offset"], row["_reason"]) for row in found)
