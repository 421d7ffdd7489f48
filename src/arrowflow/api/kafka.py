"""A stretch of a Kafka topic as Arrow record batches, for notebooks and backfills. It commits nothing and joins no group."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from arrowflow.errors import ConfigError
from arrowflow.events import Notice
from arrowflow.failpoints import Failpoints
from arrowflow.phases.defaults import SystemClock
from arrowflow.protocols import Control, RunContext
from arrowflow.types import MIN_US, Bounds, RawBatch, SourcePartition

if TYPE_CHECKING:
    import polars as pl

    from arrowflow.sources.kafka.cluster import Cluster

Edge = int | str | dt.datetime | Mapping[int, int]
"""One end of a stretch: of the log, an offset, a time, or an offset per partition."""

_SOURCE = "kafka"
_SLICE_S = 0.2


def read_kafka(
    brokers: str,
    topic: str,
    *,
    start: Edge = "earliest",
    stop: Edge = "latest",
    properties: Mapping[str, str] | None = None,
    headers: bool = False,
    fetch: Literal["auto", "client", "columnar"] = "auto",
    rows: int = 100_000,
) -> KafkaRead:
    """Describe the records of a topic from `start` up to, not including, `stop`.

    Parameters
    ----------
    brokers : str
        ``host:port`` pairs separated by commas.
    topic : str
        The topic; all its partitions.
    start, stop : "earliest", "latest", int, datetime, str or mapping of int to int
        An offset of every partition, or of each that is named, the others being left out; or a time with its offset from
        UTC (as a `datetime` or ISO text), which means the first record stamped then or later, in the order of the log.
        ``latest`` is behind the last record that can be read when the reading begins.
    properties : mapping of str to str, optional
        Settings of librdkafka from the allow-list of docs/kafka.md.
    headers : bool
        Add the column `headers`.
    fetch : {"auto", "client", "columnar"}
        As in a configuration.
    rows : int
        Most rows of one record batch.

    Returns
    -------
    KafkaRead
        Connects when it is read, and each time anew.

    Raises
    ------
    ConfigError
        For an argument that cannot work.
    """
    from arrowflow.sources.kafka.spec import KafkaSpec

    if rows < 1:
        raise ConfigError(f"read_kafka: rows = {rows}; write a number above 0")
    for name, edge in (("start", start), ("stop", stop)):
        _checked(name, edge)
    KafkaSpec(brokers, (topic,), properties=dict(properties or {}), fetch=fetch)  # says what is wrong with the rest
    return KafkaRead(brokers, topic, start, stop, dict(properties or {}), headers, fetch, rows)


@dataclass(frozen=True, slots=True, repr=False)
class KafkaRead:
    """A stretch of a topic, read when it is asked for; see `read_kafka`.

    It speaks the Arrow PyCapsule interface: Polars, DuckDB and pandas take it as it is, batch by batch.
    """

    brokers: str
    topic: str
    start: Edge
    stop: Edge
    properties: Mapping[str, str]
    headers: bool
    fetch: Literal["auto", "client", "columnar"]
    rows: int
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "schema", _schema(with_headers=self.headers))

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The records, by partition in the order of their offsets; partitions take turns.

        Raises
        ------
        DataLossError
            If records of the stretch are gone.
        Unreachable
            If no broker answers.
        """
        return self._batches()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self.schema, iter(self))
        return reader.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]

    def to_arrow(self) -> pa.Table:
        """All records at once."""
        return pa.Table.from_batches(list(self), self.schema)

    def to_polars(self) -> pl.DataFrame:
        """All records at once, as a frame; headers become lists of (key, value)."""
        import polars as pl

        return pl.DataFrame(pl.from_arrow(self.to_arrow()))

    def __repr__(self) -> str:
        return f"<KafkaRead: {self.topic!r} at {self.brokers}, from {self.start!r} to {self.stop!r}>"

    def _batches(self) -> Iterator[pa.RecordBatch]:
        from arrowflow.sources.kafka.cluster import Cluster
        from arrowflow.sources.kafka.spec import KafkaSpec
        from arrowflow.sources.kafka.subscription import Subscription

        spec = KafkaSpec(
            self.brokers, (self.topic,), fetch=self.fetch, properties=self.properties, headers=self.headers
        )
        cluster = Cluster(_SOURCE, Subscription(self.brokers, (self.topic,), "earliest", "read", self.properties))
        at, ends = _stretch(cluster, self.start, self.stop)
        source = spec.build(_SOURCE, RunContext("read_kafka", SystemClock(), _Log(), Failpoints(), _NOTHING))
        try:
            while at:
                fetched = source.read(at, Bounds(rows=self.rows, seconds=_SLICE_S))
                for batch in fetched.batches:
                    kept = int(np.searchsorted(batch.offset, ends[batch.partition]))
                    if kept:
                        yield _record_batch(batch, kept, self.schema)
                at = {part: each.stop for part, each in fetched.ranges.items() if each.stop < ends[part]}
        finally:
            source.close()


class _Log:
    """An observer whose notices go to Python's logging: the one line of why the ordinary client is used."""

    def notice(self, event: object) -> None:
        if isinstance(event, Notice):
            level = logging.WARNING if event.level == "warning" else logging.INFO
            logging.getLogger("arrowflow").log(level, event.message)


class _NoStore:
    """Reading touches no control prefix."""


_NOTHING = Control(_NoStore(), "/nowhere")  # type: ignore[arg-type]


def _schema(*, with_headers: bool) -> pa.Schema:
    fields: list[pa.Field[Any]] = [
        pa.field("topic", pa.string()),
        pa.field("partition", pa.int32()),
        pa.field("offset", pa.int64()),
        pa.field("timestamp", pa.timestamp("us", "UTC")),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
    ]
    more = [pa.field("headers", pa.map_(pa.string(), pa.binary()))] if with_headers else []
    return pa.schema(fields + more)


def _record_batch(batch: RawBatch, kept: int, schema: pa.Schema) -> pa.RecordBatch:
    """The first `kept` rows of a batch; a time that a record does not have is null."""
    stamp = pa.array(batch.timestamp_us[:kept], pa.int64(), mask=batch.timestamp_us[:kept] == MIN_US)
    columns: list[pa.Array[Any]] = [
        pa.repeat(pa.scalar(batch.partition.topic), kept),
        pa.repeat(pa.scalar(batch.partition.partition, pa.int32()), kept),
        pa.array(batch.offset[:kept], pa.int64()),
        stamp.cast(pa.timestamp("us", "UTC")),
        batch.key[:kept],
        batch.value[:kept],
    ]
    if batch.headers is not None:
        columns.append(batch.headers[:kept])
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _checked(name: str, edge: Edge) -> None:
    if (isinstance(edge, str) and edge not in ("earliest", "latest")) or isinstance(edge, dt.datetime):
        _moment_ms(name, edge)
    elif isinstance(edge, Mapping):
        for partition, offset in edge.items():
            if offset < 0:
                raise ConfigError(f"read_kafka: {name} of partition {partition} is {offset}; offsets begin at 0")
    elif isinstance(edge, int) and edge < 0:
        raise ConfigError(f"read_kafka: {name} = {edge}; offsets begin at 0")


def _moment_ms(name: str, edge: str | dt.datetime) -> int:
    try:
        moment = dt.datetime.fromisoformat(edge) if isinstance(edge, str) else edge
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigError(
            f'read_kafka: {name} = {edge!r} is no offset, no "earliest" or "latest", and no time with its offset from '
            'UTC, such as "2025-11-02T06:00:00-08:00"'
        )
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def _stretch(
    cluster: Cluster, start: Edge, stop: Edge
) -> tuple[dict[SourcePartition, int], dict[SourcePartition, int]]:
    """Where each partition begins and ends now; partitions with nothing between are left out."""
    known = cluster.discover().partitions
    stable = {part: info.stable for part, info in known.items()}
    first, last = _edge(cluster, "start", start, list(known)), _edge(cluster, "stop", stop, list(known))
    for part in first.keys() & last.keys():
        named = isinstance(stop, int | Mapping)
        if named and last[part] > stable[part] and first[part] < last[part]:
            raise ConfigError(
                f"read_kafka: stop is offset {last[part]} of {part}, whose last record that can be read is before "
                f'{stable[part]}; write "latest" for that end'
            )
    ends = {part: min(last[part], stable[part]) for part in first.keys() & last.keys()}
    return {part: first[part] for part in ends if first[part] < ends[part]}, ends


def _edge(cluster: Cluster, name: str, edge: Edge, parts: list[SourcePartition]) -> dict[SourcePartition, int]:
    if isinstance(edge, Mapping):
        strange = sorted(edge.keys() - {part.partition for part in parts})
        if strange:
            raise ConfigError(f"read_kafka: {name} names partitions {strange}; the topic has {len(parts)}, from 0")
        return {part: edge[part.partition] for part in parts if part.partition in edge}
    if isinstance(edge, int):
        return dict.fromkeys(parts, edge)
    if edge == "earliest":
        return cluster.earliest(parts)
    if edge == "latest":
        return cluster.latest(parts)
    return cluster.at_time(parts, _moment_ms(name, edge))
