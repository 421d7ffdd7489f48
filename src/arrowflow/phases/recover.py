"""recover: find where the log stands, refuse what does not fit, take over, restore, redo. Publishes nothing new."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from arrowflow.errors import ConfigError, DataLossError, Fenced, ObjectMissing, StateCorrupt, StateRefused
from arrowflow.events import Notice, Started
from arrowflow.phases.commit import adopt, record, standing
from arrowflow.phases.deliver import open_outlets
from arrowflow.phases.fingerprint import other_keys, refuse_older_zones, refuse_other_query
from arrowflow.phases.job import Job
from arrowflow.phases.publish import note_published, redo
from arrowflow.phases.read import aim, look
from arrowflow.phases.rebuild import rebuild_state
from arrowflow.phases.reconfigure import reconfigure, refuse_removed_sinks, unchanged
from arrowflow.phases.rollback import adopted_offsets, refuse_lost_log, refuse_rollback
from arrowflow.phases.snapshots import restore_state
from arrowflow.protocols import Seals
from arrowflow.types import Manifest

_TAKE_OVER_ROUNDS = 20


def recover(job: Job) -> None:
    """Bring the run to where the newest record stands and make it the owner of the log.

    Raises
    ------
    StateRefused
        If the records belong to another query or cluster.
    DataLossError
        If the log is damaged, or offsets it needs are gone.
    Fenced
        If other starters kept winning.
    """
    if job.options.dry_run:
        load(job)
        inspect(job)
    else:
        claim(job, lambda: inspect(job))
        if job.stopping.is_set() and not owns(job):
            return
        reconfigure(job)
    try:
        make_good(job)
    except (DataLossError, ObjectMissing, StateRefused):
        ask_for_newer(job)
        raise
    aim(job)


def make_good(job: Job) -> None:
    """Load the state, and publish what an earlier run committed and did not publish."""
    if not job.options.dry_run:
        open_outlets(job)
    restore(job)
    job.source.remember(job.leader_epoch)
    if not job.options.dry_run and job.head is not None:
        redone = redo(job, unpublished(job))
        note_published(job, redone)
        job.told = job.head.epoch
        job.observer.notice(Started(job.head, redone))


def is_overtaken(job: Job) -> bool:
    """Whether the log has gone on since we looked: what is missing now may be what a newer writer has done with."""
    return bool(job.log.epochs_after(-1 if job.head is None else job.head.epoch))


def ask_for_newer(job: Job) -> None:
    """Raise `Fenced` if a newer record exists: its writer may have read on, and offsets or files have gone since."""
    if job.head is not None:
        job.log.check(job.head.epoch)


def claim(job: Job, look_first: Callable[[], object]) -> None:
    """Become the owner of the log; `look_first` may refuse what the newest record says before anybody is fenced.

    A run that is asked to end while it waits returns without owning anything: it must fence nobody.
    """
    for round_ in range(_TAKE_OVER_ROUNDS):
        try:
            load(job)
            look_first()
            probe_folders(job)
            name_incarnation(job)
            wait_for_other_writer(job)
            if not job.stopping.is_set():
                take_over(job)
        except (Fenced, ObjectMissing, DataLossError) as error:
            if round_ == _TAKE_OVER_ROUNDS - 1 or (isinstance(error, DataLossError) and not is_overtaken(job)):
                raise
            job.clock.sleep(job.machine.between(0.01, 0.05 * (round_ + 1)))
        else:
            return


def owns(job: Job) -> bool:
    """Whether the newest record is this run's."""
    return job.head is not None and job.head.writer.id == job.writer.id


def resume(job: Job) -> None:
    """After a failed attempt: adopt what this run did commit, then go back to exactly there.

    Raises
    ------
    Fenced
        If the newer record is another writer's.
    """
    if job.head is None:
        raise ConfigError("nothing was recovered yet, so there is nothing to resume")
    job.ahead.drop()
    job.retention.looked_at = None  # the failed attempt may have left files
    for epoch in job.log.epochs_after(job.head.epoch):
        newer = recall(job, epoch)
        if newer.writer.id != job.writer.id:
            raise Fenced(f"epoch {epoch} was written by {newer.writer.host}, process {newer.writer.pid}")
        adopt(job, newer)
    restore(job)
    redo(job, unpublished(job))


def load(job: Job) -> None:
    """Read the newest record, verify the chain down to the oldest unpublished one, adopt it."""
    newest = job.log.newest()
    job.failpoints.hit("recover.listed")
    if newest is None:
        refuse_orphaned_tables(job)
        job.head = None
        job.acked = dict.fromkeys(job.sink_names, -1)
        return
    job.incarnation = job.log.incarnation(create=False) or ""
    head = job.log.read(newest)
    job.failpoints.hit("recover.head_loaded")
    if head.incarnation != job.incarnation:
        raise DataLossError(
            f"record {head.epoch} belongs to incarnation {head.incarnation}, job.json to {job.incarnation or 'none: it is gone'}"
        )
    if head.kind == "retire":
        raise DataLossError(f"job {head.job!r} was retired at epoch {head.epoch}")
    adopt(job, head)
    job.identity = head.sources[job.pipeline.source.name]
    job.acked = dict.fromkeys(job.sink_names, head.epoch) | head.acked
    job.delivered = dict(head.delivered)
    for manifest in unpublished(job):
        _verify_link(job, manifest, head.horizon)


def refuse_orphaned_tables(job: Job) -> None:
    """Raise if a table already holds files although no record explains them: they would be counted twice."""
    if job.options.adopt:
        return
    for name, sink in job.sinks.items():
        if sink.holds_files():
            job.log.check(-1)  # they may be those of a writer that began after we looked
            raise DataLossError(
                f"sink {name!r} already holds files, but {job.control.prefix} holds no record of how they came there; "
                "restore the checkpoint folder, or give the job an empty table root; with `run --adopt` they stay, and the job "
                "begins where the group's offsets stand"
            )


def _verify_link(job: Job, manifest: Manifest, horizon: int) -> None:
    """Check that a record names the digest of the one before it, if that is not one that may be collected."""
    if manifest.epoch <= horizon:
        return
    before = recall(job, manifest.epoch - 1)
    if manifest.prev != before.sha256:
        raise DataLossError(
            f"the log is damaged: record {manifest.epoch} follows a record with digest {manifest.prev[:12]}, "
            f"but record {before.epoch} has {before.sha256[:12]}"
        )


def unpublished(job: Job) -> list[Manifest]:
    """Records above what every sink has acknowledged, ascending, the head included."""
    if job.head is None:
        return []
    first = min(job.acked.values(), default=job.head.epoch) + 1
    older = [epoch for epoch in job.log.epochs_after(first - 1) if epoch < job.head.epoch]
    return [*(recall(job, epoch) for epoch in older), job.head]


def recall(job: Job, epoch: int) -> Manifest:
    """Read a record that must be there.

    Raises
    ------
    Fenced
        If it is gone because a newer writer has collected it.
    DataLossError
        If nobody has.
    """
    try:
        return job.log.read(epoch)
    except ObjectMissing as missing:
        if job.head is not None:
            job.log.check(job.head.epoch)
        raise DataLossError(
            f"{missing}: the log needs record {epoch}, and no record says that it was collected"
        ) from missing


def inspect(job: Job) -> None:
    """Refuse another query, another cluster, a recreated topic, offsets that are gone."""
    if job.head is None:
        look(job)
        refuse_lost_log(job)
        job.positions.update({**job.source.start_offsets(sorted(job.positions)), **adopted_offsets(job)})
        return
    refuse_other_query(job.head.fingerprint, job.fingerprint)
    refuse_removed_sinks(job, unpublished(job))
    refuse_older_zones(job.head.fingerprint, job.fingerprint)
    if (told := other_keys(job.head.fingerprint, job.fingerprint)) is not None:
        job.observer.notice(Notice("info", told))
    look(job)
    refuse_rollback(job, job.head)


def probe_folders(job: Job) -> None:
    """Raise `ConfigError` now, not at the first commit, if files cannot be made or moved to where they belong."""
    roots = [sink.location for sink in job.sinks.values() if sink.location is not None]
    roots += [sink.sealed_location for sink in job.sinks.values() if isinstance(sink, Seals) and sink.seal_us]
    job.control.store.probe([job.control.prefix, *roots])


def name_incarnation(job: Job) -> None:
    """Make ``job.json`` if there is none; only now, since a store that was refused holds nothing of ours."""
    if not job.incarnation:
        job.incarnation = job.log.incarnation(create=True) or ""


def wait_for_other_writer(job: Job) -> None:
    """Wait while another writer may still be alive. Courtesy only: fencing is what makes a take-over safe.

    Never longer than the patience from when its newest record was seen: its wall clock, or ours, may be an hour off.
    """
    if job.head is None or job.options.take_over:
        return
    patience_us = int(3e6 * job.pipeline.checkpoint.cadence_s)
    told, seen = False, job.clock.monotonic()
    while (
        not job.stopping.is_set()
        and job.clock.monotonic() - seen < patience_us / 1e6
        and _may_be_alive(job, job.head, patience_us)
    ):
        if not told:
            writer = job.head.writer
            message = (
                f"epoch {job.head.epoch} was written moments ago by {writer.host}, process {writer.pid}; waiting up to "
                f"{patience_us / 1e6:.0f} s for it to end (--take-over does not wait)"
            )
            job.observer.notice(Notice("warning", message))
            told = True
        job.clock.sleep(0.2)
        if job.log.epochs_after(job.head.epoch):
            load(job)
            seen = job.clock.monotonic()


def _may_be_alive(job: Job, head: Manifest, patience_us: int) -> bool:
    if head.kind == "close" or job.clock.now_us() - head.epoch_time_us > patience_us:
        return False
    if head.writer.host != job.machine.host:
        return True
    # One of this very process is an earlier run of it.
    return head.writer.pid != job.machine.pid and job.machine.runs(head.writer.pid)


def take_over(job: Job) -> None:
    """Write the open record after the head: its number is the fencing token of this run.

    It is of the query and under the tolerances of the record before; what this run changes about them is said by a
    record of its own.
    """
    job.failpoints.hit("open.before")
    epoch = 0 if job.head is None else job.head.epoch + 1
    job.writer = msgspec.structs.replace(job.writer, fence=epoch)
    opened = record(
        job,
        "open",
        epoch,
        time_us=job.clock.now_us(),
        inputs=standing(job, job.clocks),
        watermark_us=job.watermark_us,
        state={} if job.head is None else job.head.state,
        fingerprint=None if job.head is None else unchanged(job.head.fingerprint, job.fingerprint),
    )
    opened = job.log.append(opened)
    job.failpoints.hit("open.created")
    job.log.check(opened.epoch)
    job.failpoints.hit("open.checked")
    adopt(job, opened)


def restore(job: Job) -> None:
    """Load the head's state; where its files are damaged, rebuild it from the records and the source."""
    if job.head is None:
        job.operator.restore(None, [])
        return
    try:
        restore_state(job, job.head)
    except StateCorrupt as damage:
        if not job.options.dry_run:
            job.log.check(job.head.epoch)  # missing state may be what a newer writer has collected
        job.observer.notice(Notice("warning", f"{damage}; rebuilding the state from the source"))
        rebuild_state(job, damage)
