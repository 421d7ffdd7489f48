"""Message objects of the ordinary client to Arrow columns; it never decodes a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

import numpy as np
import pyarrow as pa
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, TIMESTAMP_NOT_AVAILABLE, Message

from arrowflow.sources.gathering import HEADERS, Records
from arrowflow.types import MIN_US

_MS_LIMIT = 2**63 // 1000 - 1
Lane = tuple[str, int]
"""Topic and partition."""


def columns(messages: Sequence[Message], *, headers: bool = False) -> Records:
    """Columns of messages, none of them an error, in the order they were delivered.

    One call of a bound C method per field and message is what the ordinary client costs; the timestamp is dearest
    because it comes as a tuple. A tombstone's value is null, an empty one is empty.
    """
    n = len(messages)
    stamp = np.fromiter(chain.from_iterable(map(Message.timestamp, messages)), np.int64, 2 * n).reshape(n, 2)
    known = stamp[:, 0] != TIMESTAMP_NOT_AVAILABLE
    return Records(
        np.fromiter(map(Message.offset, messages), np.int64, n),
        np.where(known, np.clip(stamp[:, 1], -_MS_LIMIT, _MS_LIMIT) * 1000, MIN_US),
        stamp[:, 0] == TIMESTAMP_LOG_APPEND_TIME,
        pa.array(list(map(Message.key, messages)), pa.binary()),
        pa.array(list(map(Message.value, messages)), pa.binary()),
        pa.array([each.headers() or [] for each in messages], HEADERS) if headers else None,
    )


def runs(messages: Sequence[Message], one_topic: bool) -> Iterator[tuple[Lane, int, int]]:
    """Cut the messages where the partition changes: (lane, start, stop)."""
    n = len(messages)
    number = np.fromiter(map(Message.partition, messages), np.int64, n)
    change = number[1:] != number[:-1]
    if not one_topic:
        topic = np.array(list(map(Message.topic, messages)))
        change |= topic[1:] != topic[:-1]
    edges = [0, *(np.flatnonzero(change) + 1).tolist(), n]
    for start, stop in pairwise(edges):
        yield (messages[start].topic() or "", int(number[start])), start, stop
