"""The queries as whole jobs: JSON events in a topic of a real Kafka, the engine, committed Parquet; rows held against DuckDB's.

A pipeline has one window. Where a query looks at windows once more (the most of each, both counts above 0) that is done with the
committed table, outside of the time measured. q12 is in `appended`: a pipeline's event time is a column of the message, not the broker's append time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import polars as pl
from bench.nexmark.events import messages
from bench.nexmark.oracle import answer, difference
from confluent_kafka import Producer
from tests.realparts.kafka_broker import Topics

from arrowflow.bench.results import Line
from arrowflow.bench.rounds import Timed
from arrowflow.config import load
from arrowflow.engine import start
from arrowflow.pipeline import Pipeline, RunOptions

TOPIC, PARTITIONS = "nexmark", 4
NAMES = ("q5", "q7", "q8", "q11")
_CAUGHT_UP = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)
_ASKED = {
    "q5": """
[[transform]]
filter = "kind = 2"
[window]
type = "hopping"
size = "10s"
hop = "2s"
group_by = ["auction"]
late = "side"
[aggregate]
num = "count()"
""",
    "q7": """
[[transform]]
filter = "kind = 2"
[window]
type = "tumbling"
size = "10s"
group_by = []
late = "side"
[aggregate]
price = "max(price)"
""",
    "q8": """
[[transform]]
filter = "kind < 2"
[[transform]]
derive = { user = "coalesce(person, seller)" }
[window]
type = "tumbling"
size = "10s"
group_by = ["user"]
late = "side"
[aggregate]
name = "first(name)"
joined = "count(person)"
opened = "count(seller)"
""",
    "q11": """
[[transform]]
filter = "kind = 2"
[window]
type = "session"
gap = "10s"
group_by = ["bidder"]
late = "side"
[aggregate]
bids = "count()"
""",
}
_FRAME = """
[pipeline]
name = "{name}"
[source.kafka]
brokers = "{brokers}"
topics = ["{topic}"]
start = "earliest"
[source.kafka.schema]
kind = "int64"
event_us = "timestamp[us]"
person = "int64"
name = "string"
seller = "int64"
auction = "int64"
bidder = "int64"
price = "int64"
[event_time]
column = "event_us"
max_out_of_orderness = "{tolerance}"
{asked}
[sink.parquet]
path = "{lake}/out"
[late]
path = "{lake}/late"
[dead_letter]
path = "{lake}/dead"
[checkpoint]
path = "{lake}/_log"
"""


def produce(brokers: str, topic: str, events: pl.DataFrame) -> int:
    """Produce the events in turn to the partitions of a topic; return the bytes of their values."""
    settings = {"compression.type": "lz4", "linger.ms": 50, "batch.size": 1_000_000}
    producer = Producer({"bootstrap.servers": brokers, "log_level": 0, **settings})
    total = 0
    for number, value in enumerate(messages(events)):
        total += len(value)
        while True:
            try:
                producer.produce(topic, value, None, number % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 10_000 == 0:
            producer.poll(0)
    if producer.flush(120):
        raise SystemExit("the broker did not take every event")
    return total


def pipeline(name: str, brokers: str, lake: Path, tolerance_ms: int) -> Pipeline:
    """A query as a configuration, loaded."""
    lake.mkdir(parents=True)
    file = lake / f"{name}.toml"
    words = {"name": f"nexmark_{name}", "brokers": brokers, "topic": TOPIC, "lake": str(lake), "asked": _ASKED[name]}
    file.write_text(_FRAME.format(**words, tolerance=f"{tolerance_ms}ms"), encoding="utf-8")
    return load(file, {})


def measured(
    broker: Topics, events: pl.DataFrame, names: list[str], runs: int, scratch: Path, tolerance_ms: int
) -> Iterator[Line]:
    """Time each query's job over the events in the topic; SystemExit for a wrong answer, a late row or a dead letter."""
    broker.create_topic(TOPIC, PARTITIONS)
    nbytes = produce(broker.bootstrap, TOPIC, events)
    for name in names:
        right, timed = wanted(name, events), Timed[int]()
        for turn in range(runs + 1):
            lake = scratch / f"{name}-{turn}"
            job = pipeline(name, broker.bootstrap, lake, tolerance_ms)
            read = (timed if turn else Timed[int]()).run(partial(_run, job))
            out = found(name, lake)
            if read != len(events) or list(lake.glob("late/*")) or list(lake.glob("dead/*")):
                raise SystemExit(f"{name}: {read} of {len(events)} events were read, or some were late or refused")
            if wrong := difference(name, out, right):
                raise SystemExit(wrong)
        told = f"{len(right):,} rows equal to DuckDB's"
        figures = {"mb_per_s": round(nbytes / sorted(timed.wall_s)[runs // 2] / 1e6, 1)}
        seconds = tuple(timed.wall_s), tuple(timed.cpu_s)
        yield Line("nexmark on Kafka", name, len(events), *seconds, told, unit="events", figures=figures)


def _run(job: Pipeline) -> int:
    return start(job, _CAUGHT_UP).result().balance.read


def wanted(name: str, events: pl.DataFrame) -> pl.DataFrame:
    """DuckDB's answer, of q7 the prices only: who bid them is in no window."""
    right = answer(name, events)
    return right.select("window_start", "price").unique() if name == "q7" else right


def found(name: str, lake: Path) -> pl.DataFrame:
    """What the committed table answers."""
    table = pl.read_parquet(f"{lake}/out/**/*.parquet").with_columns(
        pl.col("window_start", "window_end").dt.epoch("us")
    )
    picks: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
        "q5": lambda rows: rows.filter(pl.col("num") == pl.col("num").max().over("window_start")).select(
            "window_start", "auction", "num"
        ),
        "q7": lambda rows: rows.select("window_start", "price"),
        "q8": lambda rows: rows.filter((pl.col("joined") > 0) & (pl.col("opened") > 0)).select(
            "window_start", "user", "name"
        ),
        "q11": lambda rows: rows.select("window_start", "window_end", "bidder", "bids"),
    }
    return picks[name](table)
