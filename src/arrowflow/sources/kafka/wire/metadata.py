"""Metadata: who leads which partition, since when, and the ids of topics. It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from arrowflow.sources.kafka.wire import frame
from arrowflow.sources.kafka.wire.cursor import Cursor

_NO_ID = UUID(int=0)


class Lead(NamedTuple):
    """The leader of a partition (-1: none now) and its epoch (-1: not told)."""

    broker: int
    epoch: int
    error: int


@dataclass(frozen=True, slots=True)
class Topology:
    """What one answer says.

    Parameters
    ----------
    brokers : mapping of int to (str, int)
        Host and port of each broker.
    ids : mapping of str to UUID or None
        Topics that exist; None where the broker has no topic ids.
    leads : mapping of (str, int) to Lead
        Partitions by topic and number.
    errors : mapping of str to int
        Topics with an error of their own.
    """

    brokers: Mapping[int, tuple[str, int]]
    ids: Mapping[str, UUID | None]
    leads: Mapping[tuple[str, int], Lead]
    errors: Mapping[str, int]


def body(topics: Sequence[str], version: int) -> bytes:
    """A request for these topics that creates none."""
    any_id = _NO_ID.bytes if version >= 10 else b""
    asked = frame.many_short(any_id + frame.short_text(topic) + frame.NO_TAGS for topic in topics)
    # Allow creation: no. Operations allowed on the cluster (until version 10) and on the topics: not asked for.
    flags = 3 if version <= 10 else 2
    return asked + b"\0" * flags + frame.NO_TAGS


def answered(cursor: Cursor, version: int) -> Topology:
    """Read an answer; raises `Malformed`."""
    cursor.int32()  # throttle time: the next request comes when something has changed, long after
    brokers = dict(cursor.many_short(lambda: _broker(cursor)))
    cursor.short_text()
    cursor.int32()
    ids: dict[str, UUID | None] = {}
    leads: dict[tuple[str, int], Lead] = {}
    errors: dict[str, int] = {}

    def topic() -> None:
        error, name = cursor.int16(), cursor.short_text() or ""
        identity = cursor.uuid() if version >= 10 else _NO_ID
        cursor.int8()
        found = cursor.many_short(lambda: _partition(cursor))
        cursor.int32()
        cursor.skip_tags()
        if error:
            errors[name] = error
        else:
            ids[name] = None if identity == _NO_ID else identity
            leads.update({(name, number): lead for number, lead in found})

    cursor.many_short(topic)
    if version <= 10:
        cursor.int32()
    cursor.skip_tags()
    cursor.end()
    return Topology(brokers, ids, leads, errors)


def _broker(cursor: Cursor) -> tuple[int, tuple[str, int]]:
    number, host, port = cursor.int32(), cursor.short_text(), cursor.int32()
    cursor.short_text()
    cursor.skip_tags()
    if not host or not 0 < port < 65536:
        raise cursor.fault(f"names broker {number} at {host!r}, port {port}")
    return number, (host, port)


def _partition(cursor: Cursor) -> tuple[int, Lead]:
    error, number, leader, epoch = cursor.int16(), cursor.int32(), cursor.int32(), cursor.int32()
    for _ in ("replicas", "in sync", "offline"):
        cursor.many_short(cursor.int32)
    cursor.skip_tags()
    return number, Lead(leader, epoch, error)
