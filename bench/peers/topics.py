"""Writes the records into topics with the stock producer. Reads nothing back but the ends of the partitions."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
from bench.peers import data
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

# Batches of up to a megabyte before compression, as a producer tuned for throughput makes them.
SETTINGS = {
    "compression.type": "lz4",
    "linger.ms": 50,
    "batch.size": 1_000_000,
    "queue.buffering.max.messages": 1_000_000,
}


@dataclass(frozen=True, slots=True)
class Filled:
    """A topic that is full: its records (closers included) and the bytes of their values."""

    name: str
    stream: str
    records: int
    value_bytes: int


def fill(bootstrap: str, name: str, stream: str, table: pa.Table) -> Filled:
    """Produce the table into an empty topic that exists, and check that the broker has every record.

    Raises
    ------
    RuntimeError
        If the broker did not take all of them.
    """
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, **SETTINGS})
    value_bytes = 0
    for partition, rows in data.messages(table):
        value_bytes += sum(len(str(each["value"])) for each in rows)
        left = rows
        while left:
            with suppress(BufferError):
                producer.produce_batch(name, left, partition)
            left = [each for each in left if each.pop("_error", None)]
            producer.poll(0.1 if left else 0)
    if producer.flush(120):
        raise RuntimeError(f"the broker at {bootstrap} did not take every record of {name} in two minutes")
    if (found := ends(bootstrap, name)) != table.num_rows:
        raise RuntimeError(f"{name} holds {found} records, {table.num_rows} were produced")
    return Filled(name, stream, table.num_rows, value_bytes)


def ends(bootstrap: str, name: str) -> int:
    """The sum of the end offsets of a topic."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    places = {TopicPartition(name, each): OffsetSpec.latest() for each in range(data.PARTITIONS)}
    return sum(answer.result(30).offset for answer in admin.list_offsets(places).values())


def collect(bootstrap: str, name: str, out: Path) -> None:
    """Write what a topic holds, committed records of JSON, as one Parquet file: the answer of who cannot write files."""
    settings = {"bootstrap.servers": bootstrap, "group.id": "collect", "enable.auto.commit": False}
    consumer = Consumer({**settings, "enable.partition.eof": True, "isolation.level": "read_committed"})
    consumer.assign([TopicPartition(name, each, OFFSET_BEGINNING) for each in range(data.PARTITIONS)])
    held, ended = [], set()
    while len(ended) < data.PARTITIONS:
        for message in consumer.consume(10_000, 5.0):
            if message.error() is None:
                held.append(message.value())
            else:
                ended.add(message.partition())
    consumer.close()
    as_parquet(b"\n".join(held), out)


def as_parquet(lines: bytes, out: Path) -> None:
    """Write an answer that came as lines of JSON, times in milliseconds, as the file that the others write themselves."""
    out.mkdir(parents=True, exist_ok=True)
    frame = pl.read_ndjson(lines)
    times = [each for each in ("window_start", "window_end") if each in frame.columns]
    frame.with_columns(pl.from_epoch(each, time_unit="ms") for each in times).write_parquet(out / "answer.parquet")
