"""What becomes of each record, one partition at a time and in offset order; it never sees a batch.

The rules, in the order a record meets them: a null value is filtered as a tombstone; a value that does not decode
and a row without event time go to the dead letters; so does a row too far ahead of its record's time stamp, and it
moves no clock. Every other row moves its partition's clock. Then filters, then the window: none is a dead letter,
an ended one makes the row late, otherwise the row is folded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from arrowflow.samples.answers.civil import instant
from arrowflow.samples.answers.reading import Refused, Row, read


class Record(NamedTuple):
    """What the judge needs of a record; any object with these fields in this order will do."""

    topic: str
    partition: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Span(NamedTuple):
    """The window of a row, ``[start, end)``, with the columns it gives to its result."""

    start: datetime
    end: datetime
    columns: tuple[tuple[str, str], ...] = ()


class Placed(NamedTuple):
    """A folded row with its place in the log, by which ties are broken."""

    event_us: int
    partition: int
    offset: int
    row: Row


class Place(NamedTuple):
    """Where a record is."""

    partition: int
    offset: int


@dataclass(frozen=True)
class Rules:
    """What a pipeline's file says, as far as results depend on it."""

    columns: Mapping[str, str]
    event_time: str
    tolerance_us: int
    future_skew_us: int | None
    filters: Mapping[str, Callable[[Row], bool]]
    group_by: tuple[str, ...]
    window: Callable[[Row, datetime], Span | None]


@dataclass
class Verdict:
    """Every record of a stream is in exactly one of `folded`, `filtered`, `late` and `dead`."""

    read: int = 0
    groups: dict[tuple[object, ...], list[Placed]] = field(default_factory=dict)
    spans: dict[tuple[object, ...], Span] = field(default_factory=dict)
    filtered: dict[str, int] = field(default_factory=dict)
    late: list[tuple[Place, Span]] = field(default_factory=list)
    dead: list[tuple[Place, str]] = field(default_factory=list)

    @property
    def folded(self) -> int:
        return sum(map(len, self.groups.values()))

    def filter(self, name: str) -> None:
        self.filtered[name] = self.filtered.get(name, 0) + 1


class _Partition:
    """The clock of one partition: the largest event time so far, or none yet."""

    def __init__(self) -> None:
        self.next_offset = 0
        self.largest_us: int | None = None


def judge(records: Iterable[tuple[str, int, int, bytes | None, bytes | None]], rules: Rules) -> Verdict:
    """Say what becomes of each record; `records` may interleave partitions in any way."""
    verdict = Verdict()
    partitions: dict[int, _Partition] = {}
    for record in records:
        partition = partitions.setdefault(record[1], _Partition())
        _judge_one(Record(*record), partition, rules, verdict)
        partition.next_offset += 1
        verdict.read += 1
    return verdict


def _judge_one(record: Record, partition: _Partition, rules: Rules, verdict: Verdict) -> None:
    place = Place(record.partition, partition.next_offset)
    if record.value is None:
        verdict.filter("tombstone")
        return
    try:
        row = read(record.value, rules.columns)
        event_us = _event_us(row, record, rules)
    except Refused as refused:
        verdict.dead.append((place, refused.reason))
        return
    clock = None if partition.largest_us is None else instant(partition.largest_us - rules.tolerance_us)
    partition.largest_us = event_us if partition.largest_us is None else max(partition.largest_us, event_us)
    refusing = next((name for name, passes in rules.filters.items() if not passes(row)), None)
    if refusing is not None:
        verdict.filter(refusing)
        return
    span = rules.window(row, instant(event_us))
    if span is None:
        verdict.dead.append((place, "no_calendar"))
    elif clock is not None and span.end <= clock:
        verdict.late.append((place, span))
    else:
        key = (*(row[name] for name in rules.group_by), span.start)
        verdict.groups.setdefault(key, []).append(Placed(event_us, *place, row))
        verdict.spans[key] = span


def _event_us(row: Row, record: Record, rules: Rules) -> int:
    event_us = row[rules.event_time]
    if event_us is None:
        raise Refused("no_event_time")
    assert isinstance(event_us, int)
    if rules.future_skew_us is not None and event_us > record.timestamp_ms * 1_000 + rules.future_skew_us:
        raise Refused("future_clock")
    return event_us
