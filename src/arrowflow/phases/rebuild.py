"""rebuild: make damaged state again from the last good snapshot and the recorded offsets. Publishes nothing.

Every recorded epoch is read again with its own ranges, its own time and its own idleness decisions, and must
arrive at the digest its record holds.
"""

from __future__ import annotations

import numpy as np

from arrowflow.errors import ArrowflowError, DataLossError, RetryableError, StateCorrupt, StateRefused
from arrowflow.phases.advance import fold, replay_closings
from arrowflow.phases.ahead import unpacked
from arrowflow.phases.decode import decode
from arrowflow.phases.draft import Draft, begin
from arrowflow.phases.job import Job
from arrowflow.phases.lineage import predecessor
from arrowflow.phases.read import take
from arrowflow.phases.snapshots import restore_state
from arrowflow.phases.transform import transform
from arrowflow.types import (
    MIN_US,
    Bounds,
    Fetched,
    Manifest,
    OffsetRange,
    OperatorState,
    RawBatch,
    SourcePartition,
)


def rebuild_state(job: Job, damage: StateCorrupt) -> None:
    """Restore the newest full snapshot that is whole, then replay the epochs recorded since.

    Raises
    ------
    StateRefused
        If no way leads back: the records or the source no longer reach far enough, or a replay differs.
    """
    head = job.head
    if head is None:
        raise damage
    start, records = _last_good(job, head, damage)
    kept = job.positions, job.clocks, job.watermark_us
    try:
        for before, manifest in zip([start, *records], records, strict=False):
            _replay(job, before, manifest)
    except DataLossError as error:
        raise StateRefused(
            f"{damage}; it cannot be rebuilt, since the source no longer holds what is needed: {error}"
        ) from error
    finally:
        job.head = head
        job.positions, job.clocks, job.watermark_us = kept
    job.operator.delta()
    job.chain_broken = True


def _last_good(job: Job, head: Manifest, damage: StateCorrupt) -> tuple[Manifest, list[Manifest]]:
    """The newest record whose full snapshot is whole, restored, and the records after it."""
    name = job.pipeline.operator.name
    after: list[Manifest] = []
    manifest = head
    while True:
        state = manifest.state.get(name, OperatorState())
        full = state.full
        if full is None or (full.epoch == manifest.epoch and _restores(job, manifest)):
            if full is None:
                job.operator.restore(None, [])
            return manifest, after[::-1]
        after.append(manifest)
        try:
            manifest = job.log.read(predecessor(manifest))
        except RetryableError:
            raise  # the store did not answer, which says nothing about the log
        except ArrowflowError as error:
            job.log.check(head.epoch)
            raise StateRefused(f"{damage}; no whole snapshot is left in the log: {error}") from error


def _restores(job: Job, manifest: Manifest) -> bool:
    try:
        restore_state(job, manifest)
    except StateCorrupt:
        return False
    return True


def _replay(job: Job, before: Manifest, manifest: Manifest) -> None:
    """Fold one recorded epoch again and compare."""
    job.clocks = {part.source_partition: part.clock for part in before.inputs}
    job.watermark_us = MIN_US if before.watermark_us is None else before.watermark_us
    if manifest.kind != "data":
        return
    wanted = {part.source_partition: OffsetRange(part.start, part.stop) for part in manifest.inputs}
    job.positions = {part: start for part, (start, _) in wanted.items()}
    for part in manifest.inputs:
        job.clocks.setdefault(part.source_partition, part.clock.__class__(floor_us=before.watermark_us))
    draft = begin(job, manifest.epoch, manifest.epoch_time_us)
    while any(draft.positions[part] < stop for part, (_, stop) in wanted.items()):
        fetched = _within(job, draft, wanted)
        take(draft, fetched)
        fold(job, draft, transform(job, draft, decode(job, draft, unpacked(job.decoder, fetched))))
    replay_closings(job, draft, manifest)
    promised = manifest.state.get(job.pipeline.operator.name, OperatorState()).digest
    if job.operator.digest() != promised:
        raise StateRefused(
            f"epoch {manifest.epoch} was folded again and gave other state than its record; was the engine changed?"
        )


def _within(job: Job, draft: Draft, wanted: dict[SourcePartition, OffsetRange]) -> Fetched:
    """Read on, but never past the recorded ranges."""
    open_ = {part: draft.positions[part] for part, (_, stop) in wanted.items() if draft.positions[part] < stop}
    fetched = job.source.read(open_, Bounds())
    ranges = {p: OffsetRange(start, min(stop, wanted[p].stop)) for p, (start, stop) in fetched.ranges.items()}
    batches = tuple(_cut(batch, wanted[batch.partition].stop) for batch in fetched.batches)
    return Fetched(ranges, tuple(batch for batch in batches if len(batch)))


def _cut(batch: RawBatch, stop: int) -> RawBatch:
    n = int(np.searchsorted(batch.offset, stop))
    if n == len(batch):
        return batch
    return RawBatch(
        batch.partition, batch.offset[:n], batch.timestamp_us[:n], batch.appended[:n], batch.key[:n], batch.value[:n]
    )
