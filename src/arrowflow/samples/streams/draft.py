"""From drafts to records: arrival order, an outage's backlog, the merge of partitions. It never looks inside a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from arrowflow.protocols import SampleRecord
from arrowflow.samples.streams.dice import Dice

DRAIN_MS = 200
"""How long the gateway takes for each record of a backlog."""


class Draft(NamedTuple):
    """One record before its place is known: `event_ms` is None where it cannot advance a clock."""

    arrival_ms: int
    event_ms: int | None
    key: bytes | None
    value: bytes | None


class Outage(NamedTuple):
    """No record arrives in ``[start_ms, stop_ms)``; what was due then follows as a backlog, oldest event first."""

    start_ms: int
    stop_ms: int


def delay_ms(dice: Dice, disorder_ms: int, straggler_ms: int, stragglers: int = 60) -> int:
    """How long a record is under way: mostly seconds, often up to `disorder_ms`, for `stragglers` in 10,000 longer."""
    throw = dice.below(10_000)
    if throw < stragglers:
        return disorder_ms + dice.below(straggler_ms - disorder_ms)
    if throw < 2_500:
        return dice.below(disorder_ms)
    return 200 + dice.below(8_000)


def arranged(drafts: Sequence[Draft], outage: Outage | None = None) -> list[Draft]:
    """One partition's drafts in order of arrival, the outage applied."""
    ordered = sorted(drafts, key=lambda draft: draft.arrival_ms)
    return ordered if outage is None else _held_back(ordered, outage)


def _held_back(ordered: list[Draft], outage: Outage) -> list[Draft]:
    first = next((i for i, draft in enumerate(ordered) if draft.arrival_ms >= outage.start_ms), len(ordered))
    last = first
    # Records that arrive while the backlog drains queue up behind it, or they would push its rows over the edge.
    while last < len(ordered) and ordered[last].arrival_ms < outage.stop_ms + (last - first) * DRAIN_MS:
        last += 1
    waiting = sorted(
        ordered[first:last], key=lambda draft: draft.arrival_ms if draft.event_ms is None else draft.event_ms
    )
    backlog = [draft._replace(arrival_ms=outage.stop_ms + i * DRAIN_MS) for i, draft in enumerate(waiting)]
    return ordered[:first] + backlog + ordered[last:]


def pushed(ordered: Sequence[Draft], pusher: Draft, straggler: Draft) -> list[Draft]:
    """Insert `pusher`, then `straggler`, where the largest event time is still below the pusher's.

    So the clock seen by the straggler is exactly the pusher's event time minus the tolerance.
    """
    assert pusher.event_ms is not None
    place = len(ordered)
    for i, draft in enumerate(ordered):
        if draft.event_ms is not None and draft.event_ms >= pusher.event_ms:
            place = i
            break
    arrival = ordered[place].arrival_ms if place < len(ordered) else max(pusher.arrival_ms, ordered[-1].arrival_ms)
    pair = [pusher._replace(arrival_ms=arrival), straggler._replace(arrival_ms=arrival)]
    return [*ordered[:place], *pair, *ordered[place:]]


def merged(topic: str, partitions: Mapping[int, Sequence[Draft]]) -> Iterator[SampleRecord]:
    """All partitions' records by arrival; each partition keeps its own order."""
    places = [
        (draft.arrival_ms, partition, i) for partition, drafts in partitions.items() for i, draft in enumerate(drafts)
    ]
    for _, partition, i in sorted(places):
        draft = partitions[partition][i]
        yield SampleRecord(topic, partition, draft.arrival_ms, draft.key, draft.value)
