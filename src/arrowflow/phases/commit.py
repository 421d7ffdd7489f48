"""commit: one create-if-absent makes an epoch true; then check that nobody went past us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arrowflow.phases.balance import check_joins
from arrowflow.phases.cut import Cut
from arrowflow.phases.draft import Draft
from arrowflow.phases.job import Job
from arrowflow.phases.read import verify
from arrowflow.phases.stage import Staged
from arrowflow.types import (
    MIN_US,
    Fingerprint,
    ForcedClose,
    Input,
    Manifest,
    OperatorState,
    Outbox,
    PartitionClock,
    RecordKind,
    SourcePartition,
    StagedFile,
    Wakeup,
)


def is_empty(job: Job, draft: Draft) -> bool:
    """Whether the epoch would say nothing new: no offset moved, nothing closed, no clock or idle flag changed."""
    return (
        draft.positions == draft.start
        and draft.clocks == job.clocks
        and draft.watermark_us == job.watermark_us
        and not any(closed.windows for closed in draft.closed)
        and not draft.forced
        and not job.gaps
        and (job.head is not None and {part.source_partition for part in job.head.inputs} == draft.positions.keys())
    )


def commit(job: Job, cut: Cut, staged: Staged) -> Manifest:
    """Write the record of the epoch. Before this call nothing is visible; after it the epoch is true.

    Raises
    ------
    BalanceError
        If it does not go on where the newest record ends.
    Fenced, CommitUnknown
        See `CommitLog.append`.
    """
    draft = cut.draft
    check_joins(job, cut.inputs)
    verify(job, draft.positions)
    job.failpoints.hit("commit.before")
    manifest = job.log.append(
        record(
            job,
            "data",
            draft.number,
            time_us=draft.time_us,
            inputs=cut.inputs,
            watermark_us=draft.watermark_us,
            state=staged.state,
            outputs=staged.files,
            outbox=staged.outbox,
            forced=draft.forced,
            wakeups=draft.wakeups,
        )
    )
    job.failpoints.hit("commit.created")
    adopt(job, manifest)
    job.chain_broken = False
    return manifest


def check(job: Job, manifest: Manifest) -> None:
    """Raise `Fenced` if anything newer exists: a writer that was frozen before its create learns it here."""
    job.log.check(manifest.epoch)
    job.failpoints.hit("commit.checked")


def adopt(job: Job, manifest: Manifest) -> None:
    """Make `manifest` the position of this run; partitions it does not know yet stay as they joined.

    A reset knows all there are: those that joined later join again.
    """
    job.head = manifest
    job.enter(manifest.generation)
    if manifest.kind == "reset":
        for place in (job.positions, job.clocks, job.leader_epoch, job.gaps):
            place.clear()
    for part in manifest.inputs:
        job.positions[part.source_partition] = part.stop
        job.clocks[part.source_partition] = part.clock
        job.leader_epoch[part.source_partition] = part.leader_epoch
        job.gaps.pop(part.source_partition, None)
    job.watermark_us = MIN_US if manifest.watermark_us is None else manifest.watermark_us
    job.sealed = dict(manifest.sealed)


def standing(job: Job, clocks: Mapping[SourcePartition, PartitionClock]) -> list[Input]:
    """Inputs of a record that reads nothing: where every partition stands, with the clocks given."""
    return [
        Input(
            source=part.source,
            topic=part.topic,
            partition=part.partition,
            topic_id=job.identity.topic_ids.get(part.topic),
            leader_epoch=job.leader_epoch.get(part, -1),
            start=position,
            stop=position,
            clock=clocks[part],
            gap=job.gaps.get(part),
        )
        for part, position in sorted(job.positions.items())
    ]


def record(
    job: Job,
    kind: RecordKind,
    epoch: int,
    *,
    time_us: int,
    inputs: Sequence[Input],
    watermark_us: int,
    state: Mapping[str, OperatorState],
    outputs: Sequence[StagedFile] = (),
    outbox: Sequence[Outbox] = (),
    forced: Sequence[ForcedClose] = (),
    wakeups: Sequence[Wakeup] = (),
    fingerprint: Fingerprint | None = None,
) -> Manifest:
    """Compose a record that follows the head; it is of this run's query unless another `fingerprint` is given."""
    source = job.pipeline.source.name
    return Manifest(
        kind=kind,
        job=job.pipeline.name,
        incarnation=job.incarnation,
        epoch=epoch,
        prev="" if job.head is None else job.head.sha256,
        writer=job.writer,
        fingerprint=fingerprint or job.fingerprint,
        epoch_time_us=time_us,
        sources={source: job.identity},
        inputs=list(inputs),
        watermark_us=None if watermark_us == MIN_US else watermark_us,
        wakeups=list(wakeups),
        state=dict(state),
        outputs=list(outputs),
        outbox=list(outbox),
        acked=dict(job.acked),
        delivered=dict(job.delivered),
        forced=list(forced),
        horizon=max(job.retention.horizon, 0 if job.head is None else job.head.horizon),
        generation=job.generation,
        sealed=dict(job.sealed),
    )
