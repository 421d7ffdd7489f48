"""reconfigure: what a restart may change about a job, said in a record of its own: additions, patience. Reads no source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from arrowflow.errors import DataLossError
from arrowflow.events import Notice
from arrowflow.phases.commit import adopt, record, standing
from arrowflow.phases.fingerprint import changes
from arrowflow.phases.job import Job
from arrowflow.types import MIN_US, Fingerprint, Manifest, PartitionClock, SourcePartition
from arrowflow.windows.clocks import raise_floor


def unchanged(old: Fingerprint, new: Fingerprint) -> Fingerprint:
    """The engine and zones of `new`, the query and the tolerances of `old`."""
    return msgspec.structs.replace(new, semantic=old.semantic, query=old.query, tolerances=old.tolerances)


def refuse_removed_sinks(job: Job, pending: Iterable[Manifest]) -> None:
    """Raise `DataLossError` if a sink that is gone still has committed files to publish: redo follows the records."""
    for manifest in pending:
        pending_of = {file.sink for file in manifest.outputs}
        if manifest.reset is not None:
            pending_of |= {file.sink for file in manifest.reset.retracted}
        for sink in sorted(pending_of - job.sinks.keys()):
            if manifest.epoch > job.acked.get(sink, -1):
                raise DataLossError(
                    f"epoch {manifest.epoch} has unpublished files of sink {sink!r}, which the pipeline no longer has; "
                    "start once with that sink to publish them, then remove it"
                )


def reconfigure(job: Job) -> None:
    """Commit what this run's configuration changes, floors raised where patience grew; nothing if it changes nothing."""
    head = job.head
    told = [] if head is None else changes(head.fingerprint, job.fingerprint)
    if head is None or not told:
        return
    composed = record(
        job,
        "reconfig",
        head.epoch + 1,
        time_us=job.clock.now_us(),
        inputs=standing(job, raised_floors(job, head.fingerprint.tolerances)),
        watermark_us=job.watermark_us,
        state=head.state,
    )
    made = job.log.append(msgspec.structs.replace(composed, changes=told))
    job.log.check(made.epoch)
    adopt(job, made)
    job.observer.notice(Notice("info", f"the configuration changed since record {head.epoch}: {'; '.join(told)}"))


def raised_floors(job: Job, old: Mapping[str, int]) -> dict[SourcePartition, PartitionClock]:
    """Clocks under the tolerances of this run, never below where they stood under the `old` ones.

    A larger `allowed_lateness` would reopen windows that already closed, so floors rise by the difference too.
    """
    new = job.fingerprint.tolerances
    if not old or old == new:
        return dict(job.clocks)
    patience = max(0, new["allowed_lateness_us"] - old["allowed_lateness_us"])
    event = job.pipeline.event_time
    by_partition = event is not None and event.scope == "partition"
    raised: dict[SourcePartition, PartitionClock] = {}
    for part, clock in job.clocks.items():
        stood = clock.clock_us(old["max_out_of_orderness_us"])
        closed_up_to = stood if by_partition else job.watermark_us
        floors = [us for us in (stood, closed_up_to + patience if closed_up_to > MIN_US else MIN_US) if us > MIN_US]
        raised[part] = raise_floor(clock, max(floors)) if floors else clock
    return raised
