"""decode: bytes to rows with an event time and the clock each is judged by; what cannot be read is a dead letter.

Clocks advance on every decoded row, before any filter, so that lateness never depends on the query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.errors import TooManyBadRecords
from arrowflow.phases.ahead import Slice
from arrowflow.phases.draft import Draft
from arrowflow.phases.job import Job
from arrowflow.phases.tables import dead_table
from arrowflow.pipeline import EventTime
from arrowflow.types import I64, MIN_US, Bool, Decoded, PartitionClock, RawBatch, Reject, RowBatch, Wakeup
from arrowflow.windows.clocks import raise_floor, tick

_FEW = 8
"""So many rows are left out by cutting around them: each adds a piece to every column."""


def decode(job: Job, draft: Draft, taken: Slice) -> list[RowBatch]:
    """Judge each decoded batch of the slice; rows that cannot go on are counted and kept as dead letters."""
    pairs = zip(taken.fetched.batches, taken.decoded, strict=True)
    batches = [_judge(job, draft, raw, decoded) for raw, decoded in pairs if decoded is not None]
    return [batch for batch in batches if len(batch)]


def _judge(job: Job, draft: Draft, raw: RawBatch, decoded: Decoded) -> RowBatch:
    tally = draft.tally[raw.partition]
    tally.read += len(raw)
    tombstones = len(raw) - int(decoded.ok.sum()) - len(decoded.rejects)
    if tombstones:
        tally.filtered["tombstone"] += tombstones
    event = job.pipeline.event_time
    if event is None:
        timed = _Timed(decoded.ok, np.zeros(len(raw), np.int64), np.full(len(raw), MIN_US, np.int64), ())
    else:
        timed = _judge_time(draft, raw, decoded, event)
    keep_dead_letters(job, draft, raw, decoded.rejects + timed.rejects)
    _break_on_errors(job, len(raw), decoded, timed)
    row = np.flatnonzero(timed.keep)
    table = decoded.table if len(row) == len(raw) else _only(decoded.table, timed.keep)
    return RowBatch(raw, row, table, timed.event_us[timed.keep], timed.clock_us[timed.keep])


def _only(table: pa.Table, keep: Bool) -> pa.Table:
    """Return the rows to keep; around a few that go the others are not copied."""
    gone = np.flatnonzero(~keep).tolist()
    if len(gone) > _FEW:
        return table.filter(keep)
    begins, ends = [0, *(row + 1 for row in gone)], [*gone, len(keep)]
    return pa.concat_tables([table.slice(low, high - low) for low, high in zip(begins, ends, strict=True)])


@dataclass(frozen=True, slots=True)
class _Timed:
    """Which records have a usable event time, and the clock before each."""

    keep: Bool
    event_us: I64
    clock_us: I64
    rejects: tuple[Reject, ...]


def _judge_time(draft: Draft, raw: RawBatch, decoded: Decoded, event: EventTime) -> _Timed:
    column = decoded.table.column(event.column).combine_chunks()
    present = decoded.ok & column.is_valid().to_numpy(zero_copy_only=False)
    filled: Any = pc.fill_null(column.cast(pa.int64()), 0)  # type: ignore[type-var]
    event_us: I64 = filled.to_numpy(zero_copy_only=False)
    limit_us = _latest_believable(draft, raw, event)
    ahead = np.zeros(len(raw), np.bool_) if limit_us is None else present & (event_us > limit_us)
    clock = _wake(draft, raw, present & ~ahead, event_us)
    ticked = tick(clock, event_us, present, limit_us, event.max_out_of_orderness_us)
    draft.clocks[raw.partition] = ticked.clock
    missing = [
        Reject(int(i), "no_event_time", f"{event.column} is null") for i in np.flatnonzero(decoded.ok & ~present)
    ]
    future = [_future(int(i), event_us, limit_us) for i in np.flatnonzero(ahead) if limit_us is not None]
    return _Timed(present & ~ahead, event_us, ticked.clock_us, tuple(missing + future))


def _latest_believable(draft: Draft, raw: RawBatch, event: EventTime) -> I64 | None:
    """The latest event time each record may claim: its reference plus the allowed skew.

    The reference is the broker's own time stamp, or the epoch's recorded start; a producer's time stamp only
    where the configuration says so.
    """
    if event.max_future_skew_us is None:
        return None
    trusted = raw.timestamp_us != MIN_US
    if event.future_clock_reference == "broker":
        trusted &= raw.appended
    return np.where(trusted, raw.timestamp_us, draft.time_us) + event.max_future_skew_us


def _wake(draft: Draft, raw: RawBatch, advancing: Bool, event_us: I64) -> PartitionClock:
    """The partition's clock before this batch; an idle one that has news joins at the present watermark."""
    part = raw.partition
    clock = draft.clocks[part]
    if not advancing.any():
        return clock
    draft.active.add(part)
    if not clock.idle:
        return clock
    floor = draft.watermark_us
    first = int(raw.offset[int(np.argmax(advancing))])
    draft.wakeups.append(
        Wakeup(source=part.source, topic=part.topic, partition=part.partition, offset=first, floor_us=floor)
    )
    awake = PartitionClock(max_event_us=clock.max_event_us, floor_us=clock.floor_us, idle=False)
    return awake if floor == MIN_US else raise_floor(awake, floor)


def _future(row: int, event_us: I64, limit_us: I64) -> Reject:
    ahead_s = (int(event_us[row]) - int(limit_us[row])) / 1e6
    return Reject(row, "future_clock", f"event time is {ahead_s:.3f} s beyond what max_future_skew allows")


def keep_dead_letters(job: Job, draft: Draft, raw: RawBatch, rejects: tuple[Reject, ...]) -> None:
    """Count refused records by reason and keep them for the dead-letter sinks."""
    if not rejects:
        return
    draft.reject(raw.partition, rejects)
    for node in job.pipeline.sinks:
        if node.stream == "dead":
            table = dead_table(raw, rejects, node.payload)
            draft.dead.append(table)
            draft.buffered_bytes += table.nbytes


def _break_on_errors(job: Job, rows: int, decoded: Decoded, timed: _Timed) -> None:
    """Stop when bad records pass their share of the most recent rows.

    The share is taken of at least `error_sample` rows, so one bad record in a quiet hour stops nothing and a
    topic of garbage stops soon. A wrong clock is no bad record: one sensor must not stop a plant.
    """
    node = job.pipeline.source
    bad = len(decoded.rejects) + sum(reject.reason != "future_clock" for reject in timed.rejects)
    recent = job.recent_errors
    recent.append((bad, rows))
    while len(recent) > 1 and sum(n for _, n in recent) - recent[0][1] >= node.error_sample:
        recent.popleft()
    total_bad, total = sum(b for b, _ in recent), sum(n for _, n in recent)
    if total_bad > node.max_error_rate * max(total, node.error_sample):
        example = next(iter(decoded.rejects + timed.rejects), None)
        why = "" if example is None else f"; for example {example.reason}: {example.detail}"
        raise TooManyBadRecords(
            f"{total_bad} of the last {total} records could not be read, the limit is {node.max_error_rate:.2%} "
            f"of at least {node.error_sample}{why}. Nothing of this epoch was committed; "
            "raise limits.max_error_rate to let them go to the dead letters"
        )
