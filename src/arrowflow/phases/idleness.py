"""Which partitions have gone quiet: only the broker's own word that there is nothing more makes one idle.

The decision is stored in the record, so a replay repeats it. Never looks at results.
"""

from __future__ import annotations

from arrowflow.phases.draft import Draft
from arrowflow.phases.job import Job
from arrowflow.types import PartitionClock, SourcePartition


def find_idle(job: Job, draft: Draft) -> None:
    """Mark partitions idle (pipeline scope) that were read to their end and silent for `idle_timeout`."""
    event = job.pipeline.event_time
    if event is None or event.idle_timeout_us is None or event.scope != "pipeline":
        _note_activity(job, draft)
        return
    for part in _quiet(job, draft, event.idle_timeout_us / 1e6):
        clock = draft.clocks[part]
        draft.clocks[part] = PartitionClock(max_event_us=clock.max_event_us, floor_us=clock.floor_us, idle=True)


def find_silent(job: Job, draft: Draft) -> list[SourcePartition]:
    """Partitions (partition scope) whose windows `close_silent_after` closes now."""
    event = job.pipeline.event_time
    if event is None or event.close_silent_after_us is None or event.scope != "partition":
        return []
    silent = _quiet(job, draft, event.close_silent_after_us / 1e6)
    job.last_row_at.update(dict.fromkeys(silent, job.clock.monotonic()))
    return silent


def _quiet(job: Job, draft: Draft, patience_s: float) -> list[SourcePartition]:
    """Partitions without a row that can advance their clock for `patience_s` while read to the very end.

    The end is the high watermark under read_uncommitted: behind an open transaction there may be rows.
    """
    _note_activity(job, draft)
    now = job.clock.monotonic()
    awake = [part for part, clock in draft.clocks.items() if not clock.idle]
    candidates = [part for part in awake if now - job.last_row_at[part] >= patience_s]
    if not candidates:
        return []
    seen = job.source.discover()
    quiet = []
    for part in sorted(candidates):
        info = seen.partitions.get(part)
        if info is not None and draft.positions[part] >= info.high:
            quiet.append(part)
        else:
            job.last_row_at[part] = now
    return quiet


def _note_activity(job: Job, draft: Draft) -> None:
    """Restart the timer of partitions that had news; a partition never timed starts now."""
    now = job.clock.monotonic()
    for part in draft.clocks:
        if part in draft.active or part not in job.last_row_at:
            job.last_row_at[part] = now
