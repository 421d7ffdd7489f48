"""read: slices of records until the cadence, a bound or the end cuts the epoch; and a look at the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from arrowflow.errors import BalanceError, DataLossError, StateRefused
from arrowflow.events import Notice
from arrowflow.phases.ahead import Slice
from arrowflow.phases.draft import Draft, waiting_bytes
from arrowflow.phases.gaps import may_skip, skip_lost
from arrowflow.phases.hanging import tell_hanging
from arrowflow.phases.job import Job
from arrowflow.types import (
    MIN_US,
    Bounds,
    Discovery,
    Fetched,
    Hidden,
    OffsetRange,
    PartitionClock,
    PartitionInfo,
    SourceIdentity,
    SourcePartition,
)

_LONGEST_SLICE_S = 0.2
"""No wait is longer, so that a stop is noticed soon."""

_AGAIN = "or make the results anew from what there is: `arrowflow reset CONFIG --to-start`"


def read(job: Job, draft: Draft) -> Iterator[Slice]:
    """Yield slices until the epoch is cut; always yields at least one, so that every epoch looks once.

    An epoch whose time has come while the one before is in flight is not cut as long as records come: it would wait.
    """
    checkpoint = job.pipeline.checkpoint
    deadline = draft.started + checkpoint.cadence_s
    longest = min(_LONGEST_SLICE_S, checkpoint.cadence_s / 10)

    def bounds() -> Bounds:
        left = (
            deadline - job.clock.monotonic()
        )  # once that is over, what is read is of the next epoch or of a longer one
        return Bounds(
            checkpoint.max_slice_rows, checkpoint.max_slice_bytes, min(longest, left) if left > 0 else longest
        )

    while True:
        taken = job.ahead.take(draft.positions, bounds)
        job.failpoints.hit("source.polled")
        take(draft, taken.fetched)
        yield taken
        if is_cut(job, draft, deadline) and not (job.flight is not None and may_grow(job, draft, taken.fetched)):
            return


def take(draft: Draft, fetched: Fetched) -> None:
    """Move the draft's positions over what was fetched."""
    for part, (start, stop) in fetched.ranges.items():
        if start != draft.positions[part] or stop < start:
            raise BalanceError(f"{part}: the source walked [{start}, {stop}) from position {draft.positions[part]}")
        draft.positions[part] = stop
        tally = draft.tally[part]
        tally.unseen += fetched.unseen.get(part, 0)
        tally.hidden = Hidden(*map(sum, zip(tally.hidden, fetched.hidden.get(part, Hidden()), strict=True)))
    draft.leader_epoch.update(fetched.leader_epoch)


def is_cut(job: Job, draft: Draft, deadline: float) -> bool:
    """Whether the epoch ends here. Where it ends never changes a result, only when it is seen."""
    return job.stopping.is_set() or job.clock.monotonic() >= deadline or is_full(job, draft) or is_caught_up(job, draft)


def is_full(job: Job, draft: Draft) -> bool:
    """Whether the epoch holds as much as it may: half of what may wait, so that it is written while the next one fills."""
    checkpoint = job.pipeline.checkpoint
    return draft.rows >= checkpoint.max_epoch_rows or 2 * waiting_bytes(job, draft) >= checkpoint.max_epoch_bytes


def may_grow(job: Job, draft: Draft, fetched: Fetched) -> bool:
    """Whether an epoch whose time has come may take more, so long as it could not be handed over anyway."""
    return fetched.rows > 0 and not is_full(job, draft) and not job.stopping.is_set() and not is_caught_up(job, draft)


def is_caught_up(job: Job, draft: Draft) -> bool:
    """Whether a run with an end has reached the ends it saw when it started."""
    return job.reaches_targets(draft.positions)


def look(job: Job) -> None:
    """See the cluster now and let partitions not seen before join.

    They start at their earliest offset, with the watermark of this moment as floor: only called between epochs,
    so that the floor is what the newest record closed windows by.
    """
    seen = discover(job)
    skip_lost(job, seen)
    refuse_lost(job, job.positions, seen)
    for part in sorted(seen.partitions.keys() - job.positions.keys()):
        job.positions[part] = seen.partitions[part].low
        floor = None if job.watermark_us == MIN_US else job.watermark_us
        job.clocks[part] = PartitionClock(floor_us=floor)
        if job.head is not None:
            job.observer.notice(Notice("info", f"{part} is new: reading from offset {job.positions[part]}"))
    tell_hanging(job, seen)
    job.identity = identity_of(seen)
    job.seen, job.seen_at = seen, job.clock.monotonic()


def verify(job: Job, positions: Mapping[SourcePartition, int]) -> None:
    """Stop if the cluster is another one, a topic was made anew, or offsets from `positions` on are gone."""
    refuse_lost(job, positions, discover(job))


def discover(job: Job) -> Discovery:
    """Look at the cluster; stop if it is another one, or a topic was made anew."""
    seen = job.source.discover()
    refuse_other_cluster(job.identity, seen)
    return seen


def refuse_lost(job: Job, positions: Mapping[SourcePartition, int], seen: Discovery) -> None:
    """Raise `DataLossError` if a partition is gone or no longer holds what comes at `positions`.

    What retention removed is let through where it may be skipped: `skip_lost` will meet it between epochs.
    """
    for part, info in seen.partitions.items():
        if part in positions and not (may_skip(job) and positions[part] < info.low):
            refuse_lost_offsets(part, positions[part], info)
    gone = sorted(positions.keys() - seen.partitions.keys())
    if gone:
        wanted = ", ".join(f"{part} from {positions[part]}" for part in gone)
        raise DataLossError(f"partitions are gone: wanted {wanted}; available: none. {_new_topic(gone[0].topic)}")


def is_look_due(job: Job) -> bool:
    """Whether the last look is old."""
    return job.clock.monotonic() - job.seen_at >= job.pipeline.checkpoint.discover_every_s


def aim(job: Job) -> None:
    """Fix where a run with an end stops: at what can be read now, below the first open transaction."""
    if job.seen is None or not (job.options.until_caught_up or job.options.dry_run):
        return
    job.targets = {part: info.stable for part, info in job.seen.partitions.items()}
    for part, info in job.seen.partitions.items():
        if info.stable < info.high:
            message = f"{part}: an open transaction holds offsets {info.stable} to {info.high}; stopping before it"
            job.observer.notice(Notice("warning", message))


def identity_of(seen: Discovery) -> SourceIdentity:
    """The cluster and topic ids that offsets belong to."""
    ids = {part.topic: info.topic_id for part, info in seen.partitions.items()}
    return SourceIdentity(cluster_id=seen.cluster_id, topic_ids=dict(sorted(ids.items())))


def refuse_other_cluster(known: SourceIdentity, seen: Discovery) -> None:
    """Raise `StateRefused` for another cluster, `DataLossError` for a topic deleted and made again."""
    if known.cluster_id and seen.cluster_id and known.cluster_id != seen.cluster_id:
        raise StateRefused(
            f"cluster {seen.cluster_id!r} is not the one the records came from ({known.cluster_id!r}); "
            "its offsets mean nothing here. Point it back; or, if it took over from the other one, say where to go on in it: "
            "`arrowflow reset CONFIG --from earliest` or `--from FILE`"
        )
    for part, info in seen.partitions.items():
        before = known.topic_ids.get(part.topic)
        if before and info.topic_id and before != info.topic_id:
            raise DataLossError(
                f"{part}: the topic was deleted and made again (topic id {before} became {info.topic_id}); "
                f"available now: offsets {info.low} to {info.high}. Nothing was committed from the new topic. "
                f"{_new_topic(part.topic)}"
            )


def refuse_lost_offsets(part: SourcePartition, wanted: int, info: PartitionInfo) -> None:
    """Raise `DataLossError` where the wanted offset is below the log's start or beyond its end."""
    available = OffsetRange(info.low, info.high)
    if wanted < info.low:
        raise DataLossError(
            f"{part}: wanted offset {wanted}, available {available.start} to {available.stop}: "
            f"{info.low - wanted} offsets were removed by retention or deletion. Restore the records; or go on behind them "
            f'with on_data_loss = "skip", which records the gap; {_AGAIN}'
        )
    if wanted > info.high:
        raise DataLossError(
            f"{part}: wanted offset {wanted}, available {available.start} to {available.stop}: "
            f"the log is shorter than what was committed (truncated, or made again). {_new_topic(part.topic)}"
        )


def _new_topic(topic: str) -> str:
    return (
        f"To go on with what the topic holds now, windows that are open kept: `arrowflow reset CONFIG --from earliest "
        f"--topic {topic}`; {_AGAIN}"
    )
