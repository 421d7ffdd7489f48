"""gaps: offsets that are gone before they were read, and may be skipped. Moves positions; the next record tells of it."""

from __future__ import annotations

from arrowflow.events import Notice
from arrowflow.phases.job import Job
from arrowflow.types import Discovery, OffsetRange


def may_skip(job: Job) -> bool:
    """Whether lost offsets are no reason to stop. Before the first record nothing can be lost."""
    return job.pipeline.source.on_data_loss == "skip" and job.head is not None


def skip_lost(job: Job, seen: Discovery) -> bool:
    """Move each partition to its first offset that still exists; return whether any was moved.

    Called between epochs only. The windows that the lost records belonged to come out without them: that is what the
    notice and the record's `gap` are for.
    """
    moved = False
    for part, info in seen.partitions.items():
        wanted = job.positions.get(part)
        if wanted is None or wanted >= info.low or not may_skip(job):
            continue
        begins = job.gaps[part].start if part in job.gaps else wanted
        job.gaps[part] = OffsetRange(begins, info.low)
        job.positions[part] = info.low
        message = (
            f"{part}: offsets {wanted} to {info.low} are gone before they were read; going on at {info.low}, and results "
            "lack what they held (the next record tells of the gap)"
        )
        job.observer.notice(Notice("warning", message))
        moved = True
    return moved
