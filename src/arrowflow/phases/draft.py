"""One epoch in the making: what was read and what became of it. Dropped whole when an attempt fails."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pyarrow as pa

from arrowflow.phases.job import Job, Stand
from arrowflow.types import (
    Attempt,
    Balance,
    Closed,
    ForcedClose,
    Hidden,
    Input,
    PartitionClock,
    Reject,
    SourcePartition,
    Wakeup,
)

_RESULT_BYTES = 128
"""What one result row takes until it is written, about."""


@dataclass(slots=True)
class Tally:
    """Counts of one partition in one epoch."""

    read: int = 0
    folded: int = 0
    unseen: int = 0
    hidden: Hidden = field(default_factory=Hidden)
    late_windows: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)

    def balance(self) -> Balance:
        return Balance(
            read=self.read,
            folded=self.folded,
            filtered=dict(sorted(self.filtered.items())),
            late=dict(sorted(self.late.items())),
            dead_lettered=dict(sorted(self.dead.items())),
        )


@dataclass(slots=True)
class Draft:
    """An epoch until its record is written.

    `passed`, `late` and `dead` hold output tables per partition, in offset order, so that the way slices were
    cut never shows in a file.
    """

    number: int
    time_us: int
    attempt: Attempt
    started: float
    start: dict[SourcePartition, int]
    positions: dict[SourcePartition, int]
    clocks: dict[SourcePartition, PartitionClock]
    watermark_us: int
    rows_before: int
    windows_before: int
    tally: dict[SourcePartition, Tally] = field(default_factory=lambda: defaultdict(Tally))
    leader_epoch: dict[SourcePartition, int] = field(default_factory=dict)
    passed: dict[SourcePartition, list[pa.Table]] = field(default_factory=lambda: defaultdict(list))
    late: list[pa.Table] = field(default_factory=list)
    dead: list[pa.Table] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    forced: list[ForcedClose] = field(default_factory=list)
    wakeups: list[Wakeup] = field(default_factory=list)
    active: set[SourcePartition] = field(default_factory=set)
    buffered_bytes: int = 0

    @property
    def rows(self) -> int:
        return sum(tally.read for tally in self.tally.values())

    def reject(self, partition: SourcePartition, rejects: tuple[Reject, ...]) -> None:
        """Count dead letters by reason."""
        self.tally[partition].dead.update(reject.reason for reject in rejects)

    def inputs(self, job: Job) -> list[Input]:
        """What the record says of each partition, in order."""
        return [self._input(job, part) for part in sorted(self.positions)]

    def _input(self, job: Job, part: SourcePartition) -> Input:
        tally = self.tally[part]
        return Input(
            source=part.source,
            topic=part.topic,
            partition=part.partition,
            topic_id=job.identity.topic_ids.get(part.topic),
            leader_epoch=self.leader_epoch.get(part, -1),
            start=self.start[part],
            stop=self.positions[part],
            balance=tally.balance(),
            unseen=tally.unseen,
            control=tally.hidden.control,
            aborted=tally.hidden.aborted,
            compacted=tally.hidden.compacted,
            late_windows=tally.late_windows,
            clock=self.clocks[part],
            gap=job.gaps.get(part),
        )


def begin(job: Job, number: int | None = None, time_us: int | None = None) -> Draft:
    """Start an epoch after the one in flight, or else after the head; a replay names the recorded number and time."""
    before = standing_at(job)
    epoch = before.epoch + 1 if number is None else number
    return Draft(
        number=epoch,
        time_us=job.clock.now_us() if time_us is None else time_us,
        attempt=Attempt(job.pipeline.name, epoch, job.machine.new_name()[:12]),
        started=job.clock.monotonic(),
        start=dict(before.positions),
        positions=dict(before.positions),
        clocks=dict(before.clocks),
        leader_epoch=dict(before.leader_epoch),
        watermark_us=before.watermark_us,
        rows_before=job.operator.folded_rows,
        windows_before=job.operator.open_windows,
    )


def waiting_bytes(job: Job, draft: Draft) -> int:
    """What waits to be written with this epoch: rows that are there, and about as much as the windows it opened will give.

    Each of those is a row of this epoch or of a later one. Behind a slow store an epoch would otherwise open so many that
    the state passes its limit, where earlier cuts would have closed them.
    """
    opened = max(0, job.operator.open_windows - draft.windows_before)
    return draft.buffered_bytes + _RESULT_BYTES * opened


def standing_at(job: Job) -> Stand:
    """Where the next epoch begins."""
    if job.flight is not None:
        return job.flight.stand
    head = -1 if job.head is None else job.head.epoch
    return Stand(head, job.positions, job.clocks, job.leader_epoch, job.watermark_us)
