"""Fetch: one request for some partitions, and the answer cut into partitions. It looks into no record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from arrowflow.sources.kafka.wire import frame
from arrowflow.sources.kafka.wire.batches import Aborted
from arrowflow.sources.kafka.wire.cursor import Cursor
from arrowflow.sources.kafka.wire.kernels.records import U8
from arrowflow.sources.kafka.wire.metadata import Topology

_READ_COMMITTED = 1
_DIVERGING = 0


class Wish(NamedTuple):
    """What is wanted of one partition.

    Parameters
    ----------
    topic, partition : str, int
        Which.
    offset : int
        The next offset.
    leader_epoch : int
        Of the metadata; a broker with another one refuses.
    last_epoch : int
        Of the last batch read, -1 for none; a broker whose log has another history says where it parts.
    limit : int
        Bytes; the first batch of the first partition comes whole all the same.
    """

    topic: str
    partition: int
    offset: int
    leader_epoch: int
    last_epoch: int
    limit: int


class Share(NamedTuple):
    """What came for one partition."""

    topic: str
    partition: int
    error: int
    high: int
    stable: int
    low: int
    aborted: list[Aborted]
    records: U8
    diverging: tuple[int, int] | None


class Answer(NamedTuple):
    """A whole answer."""

    throttle_ms: int
    error: int
    shares: list[Share]


class Limits(NamedTuple):
    """How long a broker waits for how many bytes, and how many it may send."""

    wait_ms: int
    min_bytes: int
    max_bytes: int


def body(wishes: Sequence[Wish], topology: Topology, limits: Limits, version: int) -> bytes:
    """The request; partitions keep their order, for a broker serves them in it until the answer is full."""
    groups: list[tuple[str, list[Wish]]] = []
    for wish in wishes:
        if not groups or groups[-1][0] != wish.topic:
            groups.append((wish.topic, []))
        groups[-1][1].append(wish)
    head = frame.int32(-1) + frame.int32(limits.wait_ms) + frame.int32(limits.min_bytes)
    head += frame.int32(limits.max_bytes) + frame.int8(_READ_COMMITTED) + frame.int32(0) + frame.int32(-1)
    asked = (
        _name(topic, topology, version) + frame.many_short(map(_wish, each)) + frame.NO_TAGS for topic, each in groups
    )
    return head + frame.many_short(asked) + frame.many_short(()) + frame.short_text("") + frame.NO_TAGS


def answered(cursor: Cursor, topology: Topology, version: int) -> Answer:
    """Read an answer; raises `Malformed`. Record bytes are views of the frame."""
    throttle_ms, error, _session = cursor.int32(), cursor.int16(), cursor.int32()
    names = {identity: name for name, identity in topology.ids.items()}
    shares: list[Share] = []

    def topic() -> None:
        name = cursor.short_text() if version < 13 else names.get(cursor.uuid())
        # A topic that was not asked for has no name here, and nobody will look for its partitions.
        cursor.many_short(lambda: shares.append(_share(cursor, name or "")))
        cursor.skip_tags()

    cursor.many_short(topic)
    cursor.skip_tags()
    cursor.end()
    return Answer(throttle_ms, error, shares)


def _name(topic: str, topology: Topology, version: int) -> bytes:
    if version < 13:
        return frame.short_text(topic)
    identity = topology.ids[topic]
    assert identity is not None
    return identity.bytes


def _wish(wish: Wish) -> bytes:
    place = frame.int32(wish.partition) + frame.int32(wish.leader_epoch) + frame.int64(wish.offset)
    return place + frame.int32(wish.last_epoch) + frame.int64(-1) + frame.int32(wish.limit) + frame.NO_TAGS


def _share(cursor: Cursor, topic: str) -> Share:
    number, error = cursor.int32(), cursor.int16()
    high, stable, low = cursor.int64(), cursor.int64(), cursor.int64()
    aborted = cursor.many_short(lambda: _aborted(cursor))
    cursor.int32()  # a replica nearer by, told only to those who name their rack
    records = cursor.short_block()
    diverging: tuple[int, int] | None = None
    for tag, inner in cursor.tags():
        if tag == _DIVERGING:
            epoch, end = inner.int32(), inner.int64()
            diverging = (epoch, end) if epoch >= 0 or end >= 0 else None
    found = np.frombuffer(b"" if records is None else records, np.uint8)
    return Share(topic, number, error, high, stable, low, aborted, found, diverging)


def _aborted(cursor: Cursor) -> Aborted:
    found = Aborted(cursor.int64(), cursor.int64())
    cursor.skip_tags()
    return found
