"""What becomes of each record, one partition at a time and in offset order; it never sees a batch.

The rules, in the order a record meets them: a null value is filtered as a tombstone; a value that does not decode
and a row without event time go to the dead letters; so does a row too far ahead of its record's time stamp, and it
moves no clock. Every other row moves its partition's clock. Then filters, then the windows: a row without one is a dead
letter, one whose windows have all ended is late, any other is folded into those that have not. Where windows are
sessions, a row behind its clock is late, and the others are divided when all are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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


Windows = Callable[[Row, datetime], Sequence[Span] | None]
"""The windows of a row at an instant, by their ends; None if its plant has none."""


class Sessions(NamedTuple):
    """Rows of a group at most this far apart belong together."""

    gap_us: int


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
    windows: Windows | Sessions
    read: Callable[[bytes, Mapping[str, str]], Row] = read
    """How a value becomes a row."""


@dataclass
class Verdict:
    """Every record of a stream is in exactly one of `folded`, `filtered`, `late` and `dead`."""

    read: int = 0
    folded: int = 0
    groups: dict[tuple[object, ...], list[Placed]] = field(default_factory=dict)
    spans: dict[tuple[object, ...], Span] = field(default_factory=dict)
    filtered: dict[str, int] = field(default_factory=dict)
    late: list[tuple[Place, Span]] = field(default_factory=list)
    missed: list[tuple[Place, Span]] = field(default_factory=list)
    """Rows that were folded, and the windows they came too late for: from the first one's start to the last one's end."""
    dead: list[tuple[Place, str]] = field(default_factory=list)

    def filter(self, name: str) -> None:
        self.filtered[name] = self.filtered.get(name, 0) + 1

    def fold(self, group: tuple[object, ...], spans: Sequence[Span], placed: Placed) -> None:
        """Count a row once and put it into each of its windows."""
        self.folded += 1
        for span in spans:
            key = (*group, span.start)
            self.groups.setdefault(key, []).append(placed)
            self.spans[key] = span


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
    if isinstance(rules.windows, Sessions):
        _divide(verdict, rules.windows.gap_us)
    return verdict


def _judge_one(record: Record, partition: _Partition, rules: Rules, verdict: Verdict) -> None:
    place = Place(record.partition, partition.next_offset)
    if record.value is None:
        verdict.filter("tombstone")
        return
    try:
        row = rules.read(record.value, rules.columns)
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
    group, placed = tuple(row[name] for name in rules.group_by), Placed(event_us, *place, row)
    if isinstance(rules.windows, Sessions):
        _judge_by_its_time(placed, clock, group, rules.windows, verdict)
    else:
        _judge_by_its_windows(placed, clock, group, rules.windows(row, instant(event_us)), verdict)


def _judge_by_its_windows(
    placed: Placed, clock: datetime | None, group: tuple[object, ...], spans: Sequence[Span] | None, verdict: Verdict
) -> None:
    place = Place(placed.partition, placed.offset)
    if spans is None:
        verdict.dead.append((place, "no_calendar"))
        return
    ended = [span for span in spans if clock is not None and span.end <= clock]
    if len(ended) == len(spans):
        verdict.late.append((place, _from_to(ended)))
        return
    if ended:
        verdict.missed.append((place, _from_to(ended)))
    verdict.fold(group, [span for span in spans if span not in ended], placed)


def _from_to(spans: Sequence[Span]) -> Span:
    return Span(spans[0].start, spans[-1].end, spans[0].columns)


def _judge_by_its_time(
    placed: Placed, clock: datetime | None, group: tuple[object, ...], sessions: Sessions, verdict: Verdict
) -> None:
    """A row is late when its own time is behind the clock, whatever sessions there are; alone it would be this one."""
    alone = Span(instant(placed.event_us), instant(placed.event_us + sessions.gap_us))
    if clock is not None and alone.start < clock:
        verdict.late.append((Place(placed.partition, placed.offset), alone))
    else:
        verdict.fold(group, [alone], placed)


def _divide(verdict: Verdict, gap_us: int) -> None:
    """Put together what lies at most the gap apart: the groups are single instants up to now."""
    instants = sorted(verdict.groups.items(), key=lambda item: item[1][0].event_us)
    verdict.groups, verdict.spans = {}, {}
    open_sessions: dict[tuple[object, ...], list[Placed]] = {}
    for (*group, start), rows in instants:
        session = open_sessions.get(tuple(group))
        if session is None or rows[0].event_us > session[-1].event_us + gap_us:
            session = open_sessions[tuple(group)] = verdict.groups.setdefault((*group, start), [])
        session.extend(rows)
    for key, rows in verdict.groups.items():
        verdict.spans[key] = Span(instant(rows[0].event_us), instant(rows[-1].event_us + gap_us))


def _event_us(row: Row, record: Record, rules: Rules) -> int:
    event_us = row[rules.event_time]
    if event_us is None:
        raise Refused("no_event_time")
    assert isinstance(event_us, int)
    if rules.future_skew_us is not None and event_us > record.timestamp_ms * 1_000 + rules.future_skew_us:
        raise Refused("future_clock")
    return event_us
