"""A plain loop: consume, polars, Parquet. What one writes in an afternoon; no commit, no restart. Argument: BROKERS."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from serve import serve

FIELDS = {
    "id": pl.Int64, "plant": pl.String, "line": pl.String, "sensor": pl.String, "value": pl.Float64, "unit": pl.String,
    "quality": pl.Int64, "ok": pl.Boolean, "ts": pl.Int64,
}  # fmt: skip
WINDOWED = {"sensor": pl.String, "value": pl.Float64, "ts": pl.Int64}
MEASURES = {
    "n": pl.len().cast(pl.Int64), "total": pl.col("value").sum(), "low": pl.col("value").min(), "high": pl.col("value").max(),
}  # fmt: skip
AGAIN = {
    "n": pl.col("n").sum(),
    "total": pl.col("total").sum(),
    "low": pl.col("low").min(),
    "high": pl.col("high").max(),
}
SIZE_MS, HOP_MS, GAP_MS = 1_800_000, 300_000, 30_000
CHUNK = 250_000


def slices(topic: str):
    """Lists of values, some 250,000 records each, until every partition is at its end."""
    consumer = Consumer(
        {
            "bootstrap.servers": sys.argv[1], "group.id": "polars-loop", "enable.auto.commit": False, "enable.partition.eof": True,
            "queued.min.messages": 1_000_000, "fetch.queue.backoff.ms": 5,
        }
    )  # fmt: skip
    places = sorted(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, each, OFFSET_BEGINNING) for each in places])
    held, ended = [], set()
    while len(ended) < len(places):
        for message in consumer.consume(10_000, 0.2):
            if message.error() is None:
                held.append(message.value())
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise SystemExit(str(message.error()))
        if len(held) >= CHUNK:
            yield held
            held = []
    if held:
        yield held
    consumer.close()


def tumbling(rows: pl.DataFrame, size_ms: int) -> pl.DataFrame:
    """Partial results of buckets of one slice."""
    return rows.group_by("sensor", start=pl.col("ts") // size_ms * size_ms).agg(**MEASURES)


def hopped(panes: pl.DataFrame) -> pl.DataFrame:
    """Windows from panes of one hop: each pane counts in six."""
    spread = panes.with_columns(step=pl.lit(list(range(SIZE_MS // HOP_MS)))).explode("step")
    return spread.group_by("sensor", start=pl.col("start") - pl.col("step") * HOP_MS).agg(**AGAIN)


def sessions(rows: pl.DataFrame) -> pl.DataFrame:
    """Islands of records at most a gap apart."""
    ordered = rows.sort("sensor", "ts")
    edge = (pl.col("ts").diff() > GAP_MS) | (pl.col("sensor") != pl.col("sensor").shift())
    numbered = ordered.with_columns(session=edge.fill_null(value=True).cum_sum())
    found = numbered.group_by("session").agg(
        pl.col("sensor").first(), **MEASURES, start=pl.col("ts").min(), end=pl.col("ts").max() + GAP_MS
    )
    return found.drop("session")


def decoded(topic: str, schema: dict[str, pl.DataType]):
    """The slices as frames. Joining payloads by line ends is what people do; it is wrong for payloads that hold one."""
    for held in slices(topic):
        yield pl.read_ndjson(b"\n".join(held), schema=schema)


def run(job: str, topic: str, out: str, _scratch: str) -> None:
    """Run the job to the end of the topic."""
    folder = Path(out)
    folder.mkdir(parents=True)
    if job == "raw":
        for number, frame in enumerate(decoded(topic, FIELDS)):
            frame.write_parquet(folder / f"{number}.parquet", compression="snappy")
        return
    if job == "session":
        found = sessions(pl.concat(list(decoded(topic, WINDOWED))))
    else:
        size = SIZE_MS if job == "tumbling" else HOP_MS
        found = pl.concat([tumbling(frame, size) for frame in decoded(topic, WINDOWED)])
        found = found.group_by("sensor", "start").agg(**AGAIN)
        found = (found if job == "tumbling" else hopped(found)).with_columns(end=pl.col("start") + SIZE_MS)
    start, end = (pl.from_epoch(each, time_unit="ms").dt.replace_time_zone("UTC") for each in ("start", "end"))
    found.select("sensor", "n", "total", "low", "high", window_start=start, window_end=end).write_parquet(
        folder / "windows.parquet", compression="snappy"
    )


if __name__ == "__main__":
    serve(run)
