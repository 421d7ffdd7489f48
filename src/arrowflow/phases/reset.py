"""reset: go back to an earlier record, in place or in tables of a new generation, or read on elsewhere. Folds no row.

One record makes it true. Everything it means for files is a redo of what it says, so a crash at any point leaves either
the job as it was or a record that the next start carries out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from arrowflow.errors import AlreadyExists, ConfigError, DataLossError, ObjectMissing, StateRefused
from arrowflow.events import Notice
from arrowflow.phases.commit import adopt, record, standing
from arrowflow.phases.fingerprint import changes, refuse_other_query
from arrowflow.phases.finish import close_log
from arrowflow.phases.job import Job, build_tables
from arrowflow.phases.publish import publish, redo
from arrowflow.phases.read import identity_of, refuse_lost
from arrowflow.phases.reconfigure import raised_floors, refuse_removed_sinks
from arrowflow.phases.recover import claim, unpublished
from arrowflow.phases.rollback import refuse_rollback
from arrowflow.phases.snapshots import keep, recorded_bytes
from arrowflow.phases.wish import Place, Plan, Wish, prepare, start_of
from arrowflow.protocols import Revertible, Seals, Sink
from arrowflow.types import (
    MIN_US,
    Attempt,
    Discovery,
    Manifest,
    OperatorState,
    PartitionClock,
    Reset,
    SourceIdentity,
    SourcePartition,
    StagedFile,
)


def go_back(job: Job, wish: Wish) -> Manifest:
    """Carry out `wish` and return its record.

    Raises
    ------
    ConfigError, StateRefused
        As `plan_reset`; before anything was written, a live writer is not even fenced.
    DataLossError
        If the source no longer holds what would be read again.
    """
    claim(job, lambda: prepare(job, wish))
    refuse_removed_sinks(job, unpublished(job))
    redo(job, unpublished(job))
    plan = prepare(job, wish)
    generation = job.generation if wish.in_place else job.writer.fence
    attempt = Attempt(job.pipeline.name, plan.head.epoch + 1, job.machine.new_name()[:12])
    if not wish.in_place:
        _carry_over(job, plan, generation, attempt)
    outputs = tuple(_reverted(job, plan.files.reverted, generation, attempt))
    if plan.target is None:
        start, job.identity = start_of(job, in_place=wish.in_place)
        stand_at_start(job, start)
    else:
        stand(job, plan.target)
    how = Reset(
        how="in_place" if wish.in_place else "generation",
        to=plan.to,
        retracted=list(plan.files.retracted) if wish.in_place else [],
    )
    state = {} if plan.target is None else _carried(job, plan.target.state, attempt)
    old = {} if plan.target is None else plan.target.fingerprint.tolerances
    return _commit(job, plan.head, how, generation, raised_floors(job, old), state, outputs)


def read_elsewhere(job: Job, offsets: Mapping[Place, int] | str, topic: str | None) -> Manifest:
    """Keep state and results, and read on at other offsets: of a topic made anew, of another cluster.

    Parameters
    ----------
    job : Job
        Nothing was recovered yet.
    offsets : mapping or {"earliest", "latest"}
        Where to go on in each partition.
    topic : str, optional
        The only topic that is meant; by default all of them.
    """
    claim(job, lambda: _check_query(job))
    refuse_removed_sinks(job, unpublished(job))
    redo(job, unpublished(job))
    head = job.head
    assert head is not None  # claimed
    seen = job.source.discover()
    moved = _elsewhere(seen, offsets, topic)
    kept = {part: at for part, at in job.positions.items() if topic is not None and part.topic != topic}
    _refuse_foreign(job.identity, seen, kept)
    refuse_lost(
        job,
        kept,
        Discovery(seen.cluster_id, {part: seen.partitions[part] for part in kept.keys() & seen.partitions.keys()}),
    )
    clocks = {part: job.clocks.get(part, _joining(job)) for part in (*kept, *moved)}
    job.positions, job.clocks, job.identity = {**kept, **moved}, clocks, identity_of(seen)
    job.leader_epoch = {part: job.leader_epoch.get(part, -1) for part in kept}
    job.gaps.clear()
    how = Reset(how="positions", to=head.epoch)
    return _commit(job, head, how, job.generation, raised_floors(job, head.fingerprint.tolerances), head.state, ())


def stand(job: Job, target: Manifest) -> None:
    """Put the run where `target` stood."""
    stand_at_start(job, {part.source_partition: part.stop for part in target.inputs})
    job.clocks = {part.source_partition: part.clock for part in target.inputs}
    job.leader_epoch = {part.source_partition: part.leader_epoch for part in target.inputs}
    job.watermark_us = MIN_US if target.watermark_us is None else target.watermark_us


def stand_at_start(job: Job, start: Mapping[SourcePartition, int]) -> None:
    """Put the run at these offsets, with nothing seen."""
    job.positions, job.clocks = dict(start), dict.fromkeys(start, PartitionClock())
    job.leader_epoch, job.watermark_us = {}, MIN_US
    job.gaps.clear()


def _carried(job: Job, state: Mapping[str, OperatorState], attempt: Attempt) -> dict[str, OperatorState]:
    """Copy the snapshots of a target into this attempt: those of old records are collected with their records."""
    return {name: _copied(job, name, each, attempt) for name, each in state.items()}


def _copied(job: Job, name: str, state: OperatorState, attempt: Attempt) -> OperatorState:
    files = [*([state.full] if state.full else []), *state.deltas]
    copies = [
        keep(job, attempt, f"{name}.{number:04d}", recorded_bytes(job, file)) for number, file in enumerate(files)
    ]
    full = copies[0] if state.full else None
    return OperatorState(full=full, deltas=copies[1:] if state.full else copies, digest=state.digest)


def _check_query(job: Job) -> None:
    if job.head is None:
        raise ConfigError(f"{job.control.prefix} holds no record yet: the first run begins where `start` says")
    refuse_other_query(job.head.fingerprint, job.fingerprint)
    refuse_rollback(job, job.head)


def _elsewhere(seen: Discovery, offsets: Mapping[Place, int] | str, topic: str | None) -> dict[SourcePartition, int]:
    parts = {part: info for part, info in seen.partitions.items() if topic is None or part.topic == topic}
    if not parts:
        raise ConfigError(
            f"--topic: the source has no topic {topic!r}; it has {sorted({p.topic for p in seen.partitions})}"
        )
    if isinstance(offsets, str):
        return {part: info.low if offsets == "earliest" else info.stable for part, info in parts.items()}
    missing = [part for part in sorted(parts) if (part.topic, part.partition) not in offsets]
    if missing:
        raise ConfigError(f"the offsets given do not say where to go on in {', '.join(map(str, missing))}")
    chosen = {part: offsets[part.topic, part.partition] for part in parts}
    for part, offset in chosen.items():
        if not parts[part].low <= offset <= parts[part].high:
            raise ConfigError(
                f"{part}: offset {offset} is not there; available {parts[part].low} to {parts[part].high}"
            )
    return chosen


def _refuse_foreign(known: SourceIdentity, seen: Discovery, kept: Mapping[SourcePartition, int]) -> None:
    """Raise `DataLossError` if a topic that is to go on where it stood is another one."""
    if kept and known.cluster_id and seen.cluster_id and known.cluster_id != seen.cluster_id:
        raise StateRefused(
            f"cluster {seen.cluster_id!r} is another one: say where to go on in all topics, without --topic"
        )
    for part in kept:
        before, info = known.topic_ids.get(part.topic), seen.partitions.get(part)
        if before and info is not None and info.topic_id and info.topic_id != before:
            raise DataLossError(f"{part}: this topic was made anew too; reset all of them, without --topic")


def _joining(job: Job) -> PartitionClock:
    return PartitionClock(floor_us=None if job.watermark_us == MIN_US else job.watermark_us)


def _carry_over(job: Job, plan: Plan, generation: int, attempt: Attempt) -> None:
    """Copy into the tables of a new generation what the target had published; nobody reads them yet."""
    tables = build_tables(job.pipeline, job.schemas, job.context, generation)
    places = [
        (name, old, new)
        for name, sink in tables.items()
        for old, new in zip(_folders_of(job.sinks[name]), _folders_of(sink), strict=True)
        if old != new
    ]
    job.control.store.probe([job.control.prefix, *(new for _, _, new in places)])
    if plan.target is None:
        return
    store = job.control.store
    undone = {(file.sink, file.dst) for file in plan.files.retracted}
    for name, old, new in places:
        for path in store.list(old):
            dst = path.removeprefix(f"{old}/")
            if (name, dst) in undone:
                continue
            staged = job.control.path(f"{attempt.folder('staging')}/{name}/{dst}")
            try:
                store.create(staged, store.read(path))
                store.move_once(staged, f"{new}/{dst}")
            except (AlreadyExists, ObjectMissing):
                job.log.check(plan.head.epoch)
                raise
            job.failpoints.hit("reset.carried")


def _folders_of(sink: Sink) -> list[str]:
    """Where files of a sink lie: its table, and what was sealed of it."""
    folders = [] if sink.location is None else [sink.location]
    part: object = sink
    return [*folders, part.sealed_location] if isinstance(part, Seals) else folders


def _reverted(
    job: Job, reverted: Sequence[tuple[StagedFile, int]], generation: int, attempt: Attempt
) -> Iterator[StagedFile]:
    """Stage the earlier revisions of files that were corrected since; as the log said, in the tables they will be in."""
    tables = (
        job.sinks if generation == job.generation else build_tables(job.pipeline, job.schemas, job.context, generation)
    )
    for number, (newest, revision) in enumerate(reverted):
        if newest.sink in tables:  # one that is gone leaves its old table behind, where that is no way to go back
            yield _revert(job, tables[newest.sink], attempt, number, newest, revision)


def _revert(job: Job, sink: Sink, attempt: Attempt, number: int, newest: StagedFile, revision: int) -> StagedFile:
    if not isinstance(sink, Revertible):
        raise ConfigError(f"sink {newest.sink!r} cannot put back an earlier revision of a file")
    try:
        return sink.revert(attempt, number, newest, revision)
    except (ObjectMissing, DataLossError):
        if job.head is not None:
            job.log.check(job.head.epoch)
        raise


def _commit(
    job: Job,
    head: Manifest,
    how: Reset,
    generation: int,
    clocks: Mapping[SourcePartition, PartitionClock],
    state: Mapping[str, OperatorState],
    outputs: Sequence[StagedFile],
) -> Manifest:
    """Write the record, carry out what it says, and close the log."""
    composed = record(
        job,
        "reset",
        head.epoch + 1,
        time_us=job.clock.now_us(),
        inputs=standing(job, clocks),
        watermark_us=job.watermark_us,
        state=state,
        outputs=outputs,
    )
    told = changes(head.fingerprint, job.fingerprint)
    made = job.log.append(msgspec.structs.replace(composed, reset=how, generation=generation, changes=told))
    job.failpoints.hit("reset.committed")
    job.log.check(made.epoch)
    adopt(job, made)
    publish(job, made)
    close_log(job)
    job.observer.notice(
        Notice(
            "info", f"record {made.epoch} went back to {how.to}" if how.to >= 0 else f"record {made.epoch} begins anew"
        )
    )
    return made
