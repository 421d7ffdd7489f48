"""The archive envelope: one JSON object a line with a record's place, times and bytes. It never changes a byte."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import IO

from arrowflow.protocols import SampleStream


def write_ndjson(stream: SampleStream, file: IO[str]) -> int:
    """Write every record as one line and return how many.

    Parameters
    ----------
    stream : SampleStream
        What to write, in the order it is produced.
    file : text file
        All text is ASCII. Open it without newline translation if the bytes must be the same on Windows.

    Returns
    -------
    int
        Lines written.

    Notes
    -----
    ``{"topic", "partition", "offset", "timestamp", "key", "value"}``: offsets count from 0 in each partition,
    `timestamp` is the create time in milliseconds, a tombstone's value is null. A key or value that is not
    UTF-8 stands as base64 under ``key_b64`` or ``value_b64`` instead.
    """
    lines = 0
    for line in ndjson(stream):
        file.write(line)
        lines += 1
    return lines


def ndjson(stream: SampleStream) -> Iterator[str]:
    """The lines of the archive, each with its newline."""
    offsets: dict[tuple[str, int], int] = {}
    for record in stream.records():
        place = record.topic, record.partition
        offset = offsets[place] = offsets.get(place, -1) + 1
        yield line(record.topic, record.partition, offset, record.timestamp_ms, record.key, record.value)


def line(topic: str, partition: int, offset: int, timestamp_ms: int, key: bytes | None, value: bytes | None) -> str:
    """One record as one line."""
    envelope: dict[str, object] = {"topic": topic, "partition": partition, "offset": offset, "timestamp": timestamp_ms}
    for name, field in (("key", key), ("value", value)):
        try:
            envelope[name] = None if field is None else field.decode("utf-8")
        except UnicodeDecodeError:
            envelope[f"{name}_b64"] = base64.b64encode(field or b"").decode("ascii")
    return json.dumps(envelope, separators=(",", ":")) + "\n"
