"""One topic read by the ordinary client and by columnar fetch, and what both found, in plain values."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.testing.conformance.sources import check_sums, source_context
from arrowflow.types import Bounds, Hidden, SourcePartition


class Row(NamedTuple):
    """Everything a record has."""

    offset: int
    timestamp_us: int
    appended: bool
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Found(NamedTuple):
    """What one way of reading found: rows and the offsets without one, per partition."""

    rows: dict[int, list[Row]]
    hidden: dict[int, int]
    kinds: dict[int, Hidden]


def rows_of(batch) -> list[Row]:
    columns = (batch.offset.tolist(), batch.timestamp_us.tolist(), batch.appended.tolist())
    return [
        Row(*each)
        for each in zip(
            *columns, batch.key.to_pylist(), batch.value.to_pylist(), batch.headers.to_pylist(), strict=True
        )
    ]


def read_all(brokers, topic, fetch, bounds=None, start=None, **properties) -> Found:
    """Read a topic to its stable end; every read's sums are checked."""
    settings = {name.replace("_", "."): str(value) for name, value in properties.items()}
    spec = KafkaSpec(brokers, (topic,), fetch=fetch, headers=True, properties=settings)
    source = spec.build("kafka", source_context(f"job-{uuid.uuid4()}"))
    try:
        ends = {part: info.stable for part, info in source.discover().partitions.items()}
        at = {part: (start or {}).get(part.partition, 0) for part in ends}
        found = Found({}, {}, {})
        for part in at:
            found.rows[part.partition], found.hidden[part.partition] = [], 0
            found.kinds[part.partition] = Hidden()
        for _ in range(20_000):
            if all(at[part] >= ends[part] for part in at):
                return found
            fetched = source.read(at, bounds or Bounds(seconds=0.3))
            check_sums(fetched, at)
            for batch in fetched.batches:
                found.rows[batch.partition.partition] += rows_of(batch)
            for part in at:
                kinds = fetched.hidden.get(part, Hidden())
                found.hidden[part.partition] += fetched.unseen.get(part, 0) + sum(kinds)
                found.kinds[part.partition] = Hidden(*map(sum, zip(found.kinds[part.partition], kinds, strict=True)))
                at[part] = fetched.ranges[part].stop
        raise AssertionError(f"{fetch}: the ends {ends} were not reached: {at}")
    finally:
        source.close()


def same(brokers, topic, *, bounds=None, start=None, **properties) -> Found:
    """Assert that both ways give the same and return it."""
    truth = read_all(brokers, topic, "client", start=start)
    columns = read_all(brokers, topic, "columnar", bounds, start, **properties)
    assert columns.rows == truth.rows
    assert columns.hidden == truth.hidden
    return columns


def part(topic: str, number: int = 0) -> SourcePartition:
    """A partition of the source that `read_all` makes."""
    return SourcePartition("kafka", topic, number)
