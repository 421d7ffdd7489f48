"""The jobs on Bytewax, one worker in one process. Arguments: BROKERS HOME.

Its clock is one per key. Here it is moved by records alone, and what is open at the end of the topic is closed by the end.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bytewax.operators as op
import bytewax.operators.windowing as win
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main
from serve import serve

ZERO = datetime(1970, 1, 1, tzinfo=UTC)
SIZE, HOP, GAP, WAIT = timedelta(minutes=30), timedelta(minutes=5), timedelta(seconds=30), timedelta(minutes=1)
CHUNK = 100_000
WINDOWS = {
    "tumbling": win.TumblingWindower(length=SIZE, align_to=ZERO),
    "hopping": win.SlidingWindower(length=SIZE, offset=HOP, align_to=ZERO),
    "session": win.SessionWindower(gap=GAP),
}
STEPS = {"tumbling": SIZE, "hopping": HOP}


class Parquet(DynamicSink):
    """Rows into files of 100,000; Bytewax has no such sink of its own."""

    def __init__(self, out: str) -> None:
        self.out = Path(out)

    def build(self, _step_id: str, worker_index: int, _worker_count: int) -> Writer:
        """One writer per worker."""
        self.out.mkdir(parents=True, exist_ok=True)
        return Writer(self.out, worker_index)


class Writer(StatelessSinkPartition):
    """Holds rows until there are enough."""

    def __init__(self, out: Path, index: int) -> None:
        self.out, self.index, self.held, self.files = out, index, [], 0

    def write_batch(self, items: list[dict]) -> None:
        """Take rows."""
        self.held += items
        if len(self.held) >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if self.held:
            pq.write_table(
                pa.Table.from_pylist(self.held), self.out / f"{self.index}-{self.files}.parquet", compression="snappy"
            )
        self.held, self.files = [], self.files + 1

    def close(self) -> None:
        """Write the rest."""
        self.flush()


def fold(held: tuple, row: dict) -> tuple:
    """One more record in a window: number, sum, least, largest, first and last time."""
    n, total, low, high, first, last = held
    value, ts = row["value"], row["ts"]
    return n + 1, total + value, min(low, value), max(high, value), min(first, ts), max(last, ts)


def merge(left: tuple, right: tuple) -> tuple:
    """Two sessions that became one."""
    n, total, low, high, first, last = left
    return (
        n + right[0],
        total + right[1],
        min(low, right[2]),
        max(high, right[3]),
        min(first, right[4]),
        max(last, right[5]),
    )


def nothing() -> tuple:
    """An empty window."""
    return 0, 0.0, float("inf"), float("-inf"), 2**62, -(2**62)


def event_time(row: dict) -> datetime:
    """The time in the record."""
    return datetime.fromtimestamp(row["ts"] / 1000, UTC)


def run(job: str, topic: str, out: str, _scratch: str) -> None:
    """Run the job to the end of the topic."""
    flow = Dataflow("peers")
    source = KafkaSource([sys.argv[1]], [topic], tail=False, batch_size=10_000)
    rows = op.map("decode", op.input("read", flow, source), lambda message: orjson.loads(message.value))
    if job == "raw":
        op.output("write", rows, Parquet(out))
        run_main(flow)
        return
    clock = win.EventClock(event_time, WAIT, now_getter=lambda: ZERO, to_system_utc=lambda _: None)
    keyed = op.key_on("key", rows, lambda row: row["sensor"])
    folded = win.fold_window("fold", keyed, clock, WINDOWS[job], nothing, fold, merge)

    def answer(item: tuple) -> dict:
        sensor, (number, (n, total, low, high, first, last)) = item
        start = ZERO + STEPS[job] * number if job in STEPS else ZERO + timedelta(milliseconds=first)
        end = start + SIZE if job in STEPS else ZERO + timedelta(milliseconds=last) + GAP
        return {
            "sensor": sensor,
            "window_start": start,
            "window_end": end,
            "n": n,
            "total": total,
            "low": low,
            "high": high,
        }

    op.output("write", op.map("row", folded.down, answer), Parquet(out))
    run_main(flow)


if __name__ == "__main__":
    serve(run)
