"""The jobs on Pathway, one process, static mode. Arguments: BROKERS HOME."""

from __future__ import annotations

import sys
from pathlib import Path

import pathway as pw
from pathway.internals.parse_graph import G
from serve import serve

SIZE_MS, HOP_MS, GAP_MS = 1_800_000, 300_000, 30_000


class Telegram(pw.Schema):
    """A record whole."""

    id: int
    plant: str
    line: str
    sensor: str
    value: float
    unit: str
    quality: int
    ok: bool
    ts: int


class Reading(pw.Schema):
    """What the windows need of a record."""

    sensor: str
    value: float
    ts: int


WINDOWS = {
    "tumbling": pw.temporal.tumbling(duration=SIZE_MS),
    "hopping": pw.temporal.sliding(hop=HOP_MS, duration=SIZE_MS),
    "session": pw.temporal.session(max_gap=GAP_MS + 1),  # its sessions end at a gap of `max_gap`, the others' behind it
}


def run(job: str, topic: str, out: str, _scratch: str) -> None:
    """Run the job to the end of the topic."""
    G.clear()
    settings = {"bootstrap.servers": sys.argv[1], "group.id": "pathway", "auto.offset.reset": "earliest"}
    schema = Telegram if job == "raw" else Reading
    rows = pw.io.kafka.read(settings, topic, schema=schema, format="json", mode="static")
    if job != "raw":
        windows = pw.temporal.windowby(rows, rows.ts, window=WINDOWS[job], instance=rows.sensor)
        rows = windows.reduce(
            sensor=pw.this._pw_instance, window_start=pw.this._pw_window_start,
            window_end=pw.this._pw_window_end + (GAP_MS if job == "session" else 0), n=pw.reducers.count(),
            total=pw.reducers.sum(pw.this.value), low=pw.reducers.min(pw.this.value), high=pw.reducers.max(pw.this.value),
        )  # fmt: skip
    Path(out).mkdir(parents=True)
    pw.io.jsonlines.write(rows, f"{out}/answer.jsonl")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


if __name__ == "__main__":
    serve(run)
