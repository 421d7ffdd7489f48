"""The jobs on Quix Streams, one process. Arguments: BROKERS HOME."""

from __future__ import annotations

import sys
import uuid
from datetime import UTC, datetime
from functools import partial

from quixstreams import Application
from quixstreams.dataframe.windows import Count, Max, Min, Sum
from quixstreams.sinks.community.file.formats import ParquetFormat
from quixstreams.sinks.community.file.local import LocalFileSink
from serve import serve

CLOSERS = 4
SIZE_MS, HOP_MS, GAP_MS, GRACE_MS = 1_800_000, 300_000, 30_000, 60_000


def event_time(value: dict, _headers: object, _timestamp: float, _kind: object) -> int:
    """The time in the record."""
    return value["ts"]


def row(after_ms: int, window: dict, key: str, _timestamp: int, _headers: object) -> dict:
    """A closed window as a row of the answer."""
    start, end = (datetime.fromtimestamp(each / 1000, UTC) for each in (window["start"], window["end"] + after_ms))
    measures = {name: window[name] for name in ("n", "total", "low", "high")}
    return {"sensor": key, "window_start": start, "window_end": end, **measures}


def run(job: str, topic: str, out: str, scratch: str) -> None:
    """Run the job until the last record of every partition has come."""
    app = Application(
        BROKERS, consumer_group=f"quix-{uuid.uuid4()}", auto_offset_reset="earliest", state_dir=scratch, loglevel="WARNING",
        use_changelog_topics=False, auto_create_topics=False, commit_interval=5.0,
    )  # fmt: skip
    source = app.topic(topic, key_deserializer="str", value_deserializer="json", timestamp_extractor=event_time)
    frame, ended = app.dataframe(source), []

    def count(value: dict) -> None:
        if value["sensor"] == "closer":
            ended.append(value["id"])
            if len(ended) == CLOSERS:
                app.stop()

    frame = frame.update(count)
    if job != "raw":
        window = {
            "tumbling": lambda: frame.tumbling_window(SIZE_MS, GRACE_MS),
            "hopping": lambda: frame.hopping_window(SIZE_MS, HOP_MS, GRACE_MS),
            "session": lambda: frame.session_window(GAP_MS, GRACE_MS),
        }[job]()
        after_ms = GAP_MS if job == "session" else 0  # its sessions end with their last record
        measures = {"n": Count(), "total": Sum("value"), "low": Min("value"), "high": Max("value")}
        frame = window.agg(**measures).final(closing_strategy="partition").apply(partial(row, after_ms), metadata=True)
    frame.sink(LocalFileSink(directory=out, format=ParquetFormat()))
    app.run()


if __name__ == "__main__":
    BROKERS = sys.argv[1]
    serve(run)
