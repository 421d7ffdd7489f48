"""q12 over the append time of a real broker: a topic with log-append time, `af.read_kafka`, a window over its `timestamp`.

The answer hangs on when the broker appended what, so it is another one each time the topic is filled, and the same one each time it is
read. DuckDB is given the records as the ordinary client reads them.
"""

from __future__ import annotations

from functools import partial

import duckdb
import polars as pl
from bench.nexmark.events import BID
from bench.nexmark.jobs import PARTITIONS, produce
from bench.nexmark.oracle import TEN, difference
from tests.realparts.kafka_broker import Topics

import arrowflow as af
from arrowflow.bench.results import Line
from arrowflow.bench.rounds import Timed

TOPIC = "nexmark-appended"
_READ = pl.Struct({"kind": pl.Int64, "bidder": pl.Int64})


def measured(broker: Topics, events: pl.DataFrame, runs: int) -> Line:
    """Fill the topic, ask, compare; SystemExit for a wrong answer."""
    broker.create_topic(TOPIC, PARTITIONS, {"message.timestamp.type": "LogAppendTime"})
    produce(broker.bootstrap, TOPIC, events)
    timed, right = Timed[pl.DataFrame](), answer(broker.bootstrap)
    for turn in range(runs + 1):
        mine = (timed if turn else Timed[pl.DataFrame]()).run(partial(asked, broker.bootstrap))
        if wrong := difference("q12", mine, right):
            raise SystemExit(wrong)
    told = f"{len(right):,} rows equal to DuckDB's over what the ordinary client reads"
    name = "q12, read_kafka and a window"
    return Line("nexmark on Kafka", name, len(events), tuple(timed.wall_s), tuple(timed.cpu_s), told, unit="events")


def asked(brokers: str) -> pl.DataFrame:
    """Bids of each user in every ten seconds of append time, as a program asks it."""
    window = af.WindowOperator(
        af.Tumbling("10s"),
        by="bidder",
        aggregate={"bids": "count()"},
        time="timestamp",
        max_out_of_orderness="10s",  # a broker's clock may be set back
        partition="partition",
        partitions=range(PARTITIONS),
    )
    out = [window.push(_bids(pl.DataFrame(batch))) for batch in af.read_kafka(brokers, TOPIC)]
    out.append(window.finish())
    assert window.balance.read == window.balance.folded, window.balance
    closed = pl.concat(pl.DataFrame(table) for table in out if table.num_rows)
    return closed.select(pl.col("window_start").dt.epoch("us"), "bidder", "bids")


def answer(brokers: str) -> pl.DataFrame:
    """The same in SQL over all records at once."""
    bids = _bids(pl.DataFrame(af.read_kafka(brokers, TOPIC, fetch="client"))).to_arrow()
    with duckdb.connect() as base:
        base.register("bids", bids)
        start = f"epoch_us(timestamp) // {TEN} * {TEN}"
        return base.sql(f"select {start} as window_start, bidder, count(*) as bids from bids group by all").pl()


def _bids(records: pl.DataFrame) -> pl.DataFrame:
    told = records.with_columns(pl.col("value").cast(pl.String).str.json_decode(_READ).alias("told")).unnest("told")
    return told.filter(pl.col("kind") == BID).select("partition", "timestamp", "bidder")
