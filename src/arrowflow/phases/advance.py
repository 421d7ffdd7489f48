"""advance: fold rows into the state, move the watermark, close what it has passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from arrowflow.errors import StateTooLarge
from arrowflow.events import Progress
from arrowflow.phases.decode import keep_dead_letters
from arrowflow.phases.draft import Draft
from arrowflow.phases.idleness import find_idle, find_silent
from arrowflow.phases.job import Job
from arrowflow.phases.read import is_caught_up
from arrowflow.phases.tables import late_table
from arrowflow.types import MIN_US, Closed, Folded, ForcedClose, LateRows, Manifest, RowBatch, SourcePartition
from arrowflow.windows.clocks import raise_floor, watermark_us


def fold(job: Job, draft: Draft, batches: list[RowBatch]) -> None:
    """Fold one slice into the operator's state; nothing closes before the epoch's end."""
    for batch in batches:
        fit = _without_refused(job, draft, batch)
        _count(job, draft, fit, _folded(job, draft, fit))
    job.failpoints.hit("kernel.mid")
    _show_progress(job, draft)


def _folded(job: Job, draft: Draft, batch: RowBatch) -> Folded:
    try:
        return job.operator.fold(batch)
    except StateTooLarge as error:
        raise StateTooLarge(
            f"{error}. Nothing of epoch {draft.number} was committed: with a larger limits.max_state_bytes the next "
            "run reads it again"
        ) from error


def advance(job: Job, draft: Draft) -> None:
    """Move the watermark to where the clocks allow and close the windows behind it."""
    find_idle(job, draft)
    move_watermark(job, draft)
    for part in find_silent(job, draft):
        force_close(job, draft, "silence", [part])
    if job.options.close_open_windows and is_caught_up(job, draft):
        force_close(job, draft, "end_of_input", None)
    job.failpoints.hit("kernel.done")


def move_watermark(job: Job, draft: Draft) -> None:
    """The watermark is the slowest clock that is not idle, and never falls."""
    event = job.pipeline.event_time
    if event is None:
        return
    slowest = watermark_us(draft.clocks, event.max_out_of_orderness_us)
    if slowest is None:
        slowest = _all_idle_watermark(job, draft)
    draft.watermark_us = max(draft.watermark_us, slowest)
    draft.closed.append(job.operator.close(clock_values(job, draft), draft.watermark_us, draft.number))


def _all_idle_watermark(job: Job, draft: Draft) -> int:
    event = job.pipeline.event_time
    if event is None or event.when_all_idle == "hold" or event.idle_timeout_us is None:
        return MIN_US
    return draft.time_us - event.max_out_of_orderness_us - event.idle_timeout_us


def force_close(job: Job, draft: Draft, label: str, parts: Sequence[SourcePartition] | None) -> None:
    """Close windows the watermark has not passed, and raise floors so that none gets a second first result."""
    closed = job.operator.close_fed_by(parts, label, draft.number)
    if not closed.windows:
        return
    draft.closed.append(closed)
    named = None if parts is None else [(p.source, p.topic, p.partition) for p in parts]
    draft.forced.append(ForcedClose(label=label, partitions=named))
    for part, floor in _floors(draft, closed, everywhere=parts is None).items():
        draft.clocks[part] = raise_floor(draft.clocks[part], floor)
    move_watermark(job, draft)


def replay_closings(job: Job, draft: Draft, manifest: Manifest) -> None:
    """Close what a recorded epoch closed, at the watermark and for the reasons its record names."""
    draft.watermark_us = MIN_US if manifest.watermark_us is None else manifest.watermark_us
    recorded = {part.source_partition: part.clock.clock_us(job.max_out_of_orderness_us) for part in manifest.inputs}
    job.operator.close(recorded, draft.watermark_us, manifest.epoch)
    for forced in manifest.forced:
        parts = None if forced.partitions is None else [SourcePartition(*part) for part in forced.partitions]
        job.operator.close_fed_by(parts, forced.label, manifest.epoch)


def _floors(draft: Draft, closed: Closed, *, everywhere: bool) -> Mapping[SourcePartition, int]:
    return dict.fromkeys(draft.clocks, closed.reach_us) if everywhere else closed.floors


def clock_values(job: Job, draft: Draft) -> dict[SourcePartition, int]:
    """Each partition's clock at this point of the draft."""
    return {part: clock.clock_us(job.max_out_of_orderness_us) for part, clock in draft.clocks.items()}


def _count(job: Job, draft: Draft, batch: RowBatch, folded: Folded) -> None:
    tally = draft.tally[batch.partition]
    tally.folded += folded.folded
    tally.filtered.update(folded.filtered)
    if folded.passed is not None:
        draft.passed[batch.partition].append(folded.passed)
        draft.buffered_bytes += folded.passed.nbytes
    if folded.late is not None and len(folded.late.row):
        tally.late[folded.late.reason] += len(folded.late.row)
        _keep_late(job, draft, batch, folded.late)
    if folded.missed is not None and len(folded.missed.row):
        tally.late_windows += len(folded.missed.row)
        _keep_late(job, draft, batch, folded.missed)
    keep_dead_letters(job, draft, batch.raw, folded.rejects)


def _keep_late(job: Job, draft: Draft, batch: RowBatch, late: LateRows) -> None:
    """Keep rows for the late output, if there is one and the policy wants it."""
    if job.pipeline.operator.late != "drop" and any(node.stream == "late" for node in job.pipeline.sinks):
        draft.late.append(late_table(batch, late))
        draft.buffered_bytes += draft.late[-1].nbytes


def _without_refused(job: Job, draft: Draft, batch: RowBatch) -> RowBatch:
    """Take out rows that a result sink could not name a folder for, while each can still be a dead letter."""
    for node in job.pipeline.sinks:
        part = job.sinks.get(node.name) or job.outlets[node.name]
        refused = part.refusals(batch.table) if node.stream == "rows" else ()
        if refused:
            places = [reject._replace(row=int(batch.row[reject.row])) for reject in refused]
            keep_dead_letters(job, draft, batch.raw, tuple(places))
            fit = np.ones(len(batch), np.bool_)
            fit[[reject.row for reject in refused]] = False
            batch = batch.keep(fit)
    return batch


def _show_progress(job: Job, draft: Draft) -> None:
    clocks = {part: None if us == MIN_US else us for part, us in clock_values(job, draft).items()}
    ends = {} if job.seen is None else {part: info.stable for part, info in job.seen.partitions.items()}
    job.observer.notice(
        Progress(draft.number, draft.rows, dict(draft.positions), ends, clocks, job.operator.open_windows)
    )
