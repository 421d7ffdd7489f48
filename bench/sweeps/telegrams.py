"""JSON telegrams of any size for a topic, the job that reads them, and its answer by plain arithmetic."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from confluent_kafka import Producer

from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.decoders.json import JsonSpec
from arrowflow.decoders.schema import Field
from arrowflow.pipeline import Checkpoint, EventTime, OperatorNode, Pipeline, SinkNode, SourceNode
from arrowflow.sinks.parquet import ParquetSpec
from arrowflow.sources.kafka.spec import KafkaSpec
from arrowflow.testing.answers import read_rows
from arrowflow.windows.spec import Aggregate, Tumbling, WindowSpec

PARTITIONS = 4
BEGIN_MS, STEP_US = 1_700_000_000_000, 100
KEYS = 1_000
WINDOW_US = 10_000_000
FIELDS = (Field("k", "string"), Field("t", "timestamp[ms]"), Field("v", "float64"))


def telegram(number: int, nbytes: int = 0) -> bytes:
    """Number so and so: its key, its time, its value, and padding up to `nbytes`; at least some 45 bytes."""
    text = b'{"k":"k%03d","t":%d,"v":%d.%03d' % (number % KEYS, _time_ms(number), number % 97, number % 8 * 125)
    room = nbytes - len(text) - 1
    return text + (b',"p":"%s"}' % (b"x" * (room - 7)) if room >= 7 else b"}")


def _time_ms(number: int) -> int:
    return BEGIN_MS + number * STEP_US // 1000


def fill(bootstrap: str, topic: str, records: int, nbytes: int, codec: str = "lz4") -> int:
    """Produce the first `records` telegrams in turn to the partitions; return the bytes of their values."""
    settings = {"compression.type": codec, "linger.ms": 50, "batch.size": 1_000_000}
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, **settings})
    total = 0
    for number in range(records):
        value = telegram(number, nbytes)
        total += len(value)
        produce(producer, topic, number, value)
        if number % 10_000 == 0:
            producer.poll(0)
    if producer.flush(120):
        raise SystemExit("the broker did not take every record")
    return total


def produce(producer: Producer, topic: str, number: int, value: bytes) -> None:
    """Hand one telegram over, waiting while the client's queue is full."""
    while True:
        try:
            producer.produce(topic, value, None, number % PARTITIONS, timestamp=_time_ms(number))
        except BufferError:
            producer.poll(0.1)
        else:
            return


def job(bootstrap: str, topic: str, folder: Path, *, cadence_s: float = 60.0) -> Pipeline:
    """Count and sum of every key in windows of ten seconds, committed to Parquet under `folder`."""
    aggregates = (Aggregate("n", "count", None), Aggregate("total", "sum", "v"))
    return Pipeline(
        name=topic,
        source=SourceNode("kafka", KafkaSpec(bootstrap, (topic,)), JsonSpec(FIELDS)),
        event_time=EventTime("t", max_out_of_orderness_us=WINDOW_US),
        operator=OperatorNode("window", WindowSpec(Tumbling(WINDOW_US), ("k",), aggregates), late="drop"),
        sinks=(SinkNode("out", ParquetSpec(str(folder / "out"))),),
        checkpoint=Checkpoint(LocalLogSpec(str(folder / "_log")), cadence_s=cadence_s),
    )


def wrong(folder: Path, records: int) -> str | None:
    """What differs between the job's table and the answer for so many telegrams; None if nothing does."""
    found = Counter(
        (row["k"], int(row["window_start"].timestamp()), row["n"], row["total"])
        for row in read_rows(folder / "out", ["k", "window_start", "n", "total"])
    )
    wanted = Counter(_rows(records))
    if found == wanted:
        return None
    differing = list((found - wanted) + (wanted - found))
    return f"{sum(found.values())} rows instead of {sum(wanted.values())}, {len(differing)} differ: {differing[:2]}"


def _rows(records: int) -> Iterator[tuple[str, int, int, float]]:
    number = pl.int_range(records, eager=True, dtype=pl.Int64)
    t = BEGIN_MS * 1000 + number * STEP_US // 1000 * 1000
    value = (number % 97).cast(pl.Float64) + (number % 8) / 8
    frame = pl.DataFrame({"k": number % KEYS, "w": t // WINDOW_US * (WINDOW_US // 1_000_000), "v": value})
    for k, w, n, total in frame.group_by("k", "w").agg(pl.len(), pl.col("v").sum()).iter_rows():
        yield f"k{k:03d}", w, n, total


def wait_for(what: str, done: object, patience_s: float) -> None:
    """Look every tenth of a second until `done()` is true; SystemExit when patience ends."""
    assert callable(done)
    deadline = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} took more than {patience_s:.0f} s")
        time.sleep(0.1)
