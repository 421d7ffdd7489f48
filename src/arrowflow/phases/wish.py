"""wish: which record a reset goes back to, what that means for files, and whether it can be done. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arrowflow.errors import ConfigError, StateRefused
from arrowflow.events import Notice
from arrowflow.phases.fingerprint import refuse_older_zones, refuse_other_query
from arrowflow.phases.job import Job
from arrowflow.phases.lineage import Undoing, lineage, undoing
from arrowflow.phases.read import identity_of, refuse_lost, refuse_lost_offsets, refuse_other_cluster
from arrowflow.phases.recover import load
from arrowflow.phases.rollback import refuse_rollback
from arrowflow.phases.snapshots import restore_state
from arrowflow.protocols import Generational, Revertible
from arrowflow.types import Manifest, SourceIdentity, SourcePartition

Place = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reset shall go back to: exactly one of `epoch`, `time_us`, `offsets` and `start`.

    Parameters
    ----------
    epoch : int, optional
        The record with this number.
    time_us : int, optional
        The newest record of an epoch that began at this time or before.
    offsets : mapping of (topic, partition) to int, optional
        The newest record before which these offsets were not read.
    start : bool
        The very beginning; the only way back that another query may take.
    in_place : bool
        Take back files of the tables as they are, instead of making new ones.
    """

    epoch: int | None = None
    time_us: int | None = None
    offsets: Mapping[Place, int] | None = None
    start: bool = False
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a reset would do: go back from `head` to `target` (None: the beginning), over the records `undone`."""

    head: Manifest
    target: Manifest | None
    undone: tuple[Manifest, ...]
    files: Undoing

    @property
    def to(self) -> int:
        return -1 if self.target is None else self.target.epoch


def plan_reset(job: Job, wish: Wish) -> Plan:
    """Decide what `wish` means for the log as it stands, which was loaded; changes nothing.

    Raises
    ------
    ConfigError
        If there is no such record, or nothing leads back to it.
    StateRefused
        If the record's state was made by another query.
    """
    head = job.head
    if head is None:
        raise ConfigError(f"{job.control.prefix} holds no record yet: there is nothing to go back from")
    if wish.start and not wish.in_place:
        return Plan(head, None, (), Undoing((), ()))
    undone: list[Manifest] = []
    target = None
    for record_ in lineage(job.log, head):
        if not wish.start and _is_meant(record_, wish):
            target = record_
            break
        undone.append(record_)
    if target is None and not wish.start:
        raise ConfigError(_nowhere(wish, head, undone))
    streams = {node.name: node.stream for node in job.pipeline.sinks}
    files = undoing(undone, dict(streams))
    _refuse_one_way(job, undone, files, wish)
    if target is not None:
        refuse_other_query(target.fingerprint, job.fingerprint)
        refuse_older_zones(target.fingerprint, job.fingerprint)
    return Plan(head, target, tuple(undone), files)


def rehearse_reset(job: Job, wish: Wish) -> Plan:
    """Load the log, decide, and check all that can be checked; write nothing."""
    load(job)
    return prepare(job, wish)


def prepare(job: Job, wish: Wish) -> Plan:
    """Decide, and make sure that the state is whole and the source still holds what will be read again."""
    _refuse_topics(job)
    plan = plan_reset(job, wish)
    refuse_rollback(job, plan.head)
    if not wish.in_place:
        _refuse_sinks_without_generations(job)
    if plan.target is None:
        start_of(job, in_place=wish.in_place)
        return plan
    seen = job.source.discover()
    refuse_other_cluster(plan.target.sources[job.pipeline.source.name], seen)
    stops = {part.source_partition: part.stop for part in plan.target.inputs}
    refuse_lost(job, stops, seen)
    try:
        restore_state(job, plan.target)
    except StateRefused as error:
        raise StateRefused(f"record {plan.to} cannot be gone back to: {error}. Choose another one") from error
    return plan


def start_of(job: Job, *, in_place: bool) -> tuple[dict[SourcePartition, int], SourceIdentity]:
    """Where the very first run began, and of which topics; where that is not known, or another log, the earliest offset.

    Raises
    ------
    DataLossError
        If results would be taken back that cannot be made again, because their records are gone.
    """
    seen = job.source.discover()
    identity, first = identity_of(seen), _first_record(job)
    known: dict[SourcePartition, int] = {}
    if first is not None:
        was = first.sources[job.pipeline.source.name]
        same = {topic for topic, id_ in identity.topic_ids.items() if was.topic_ids.get(topic) == id_}
        if was.cluster_id == identity.cluster_id:
            known = {part.source_partition: part.start for part in first.inputs if part.topic in same}
    start = {}
    for part, info in seen.partitions.items():
        begins = known.get(part, info.low)
        if in_place:
            refuse_lost_offsets(part, begins, info)
        elif begins < info.low:
            message = (
                f"{part}: the first run began at {begins}, and offsets before {info.low} are gone; results lack them"
            )
            job.observer.notice(Notice("warning", message))
        start[part] = max(begins, info.low) if begins <= info.high else info.low
    return start, identity


def _first_record(job: Job) -> Manifest | None:
    epochs = job.log.epochs_after(-1)
    return job.log.read(0) if epochs and epochs[0] == 0 else None


def _is_meant(manifest: Manifest, wish: Wish) -> bool:
    if wish.epoch is not None:
        return manifest.epoch == wish.epoch
    if wish.time_us is not None:
        return manifest.epoch_time_us <= wish.time_us
    stops = {(part.topic, part.partition): part.stop for part in manifest.inputs}
    return all(stops.get(place, offset) <= offset for place, offset in (wish.offsets or {}).items())


def _nowhere(wish: Wish, head: Manifest, passed: Sequence[Manifest]) -> str:
    reach = f"records that count reach from {passed[-1].epoch} to {head.epoch}"
    if wish.epoch is None:
        what = "began so early" if wish.time_us is not None else "stands so early"
        return f"no record {what}; {reach}. `--to-start` goes back to the very beginning"
    if wish.epoch > head.epoch:
        return f"there is no record {wish.epoch}; {reach}"
    return f"record {wish.epoch} was undone by a later reset; {reach}, with gaps where a reset went back"


def _refuse_one_way(job: Job, undone: Sequence[Manifest], files: Undoing, wish: Wish) -> None:
    """Raise `ConfigError` for what cannot be undone."""
    for record_ in undone:
        if record_.kind == "compact":
            raise ConfigError(
                f"record {record_.epoch} put small files together, and the small ones may be gone: nothing before it can be "
                "gone back to, except the beginning, in new tables: --to-start"
            )
        if record_.reset is not None and record_.reset.how == "positions" and not wish.start:
            raise ConfigError(
                f"record {record_.epoch} went on in another topic or cluster: offsets before it are of a log that is gone. "
                "`--to-start` makes the results anew from what the source holds now"
            )
        if record_.outbox or record_.bq:
            raise ConfigError(
                f"record {record_.epoch} delivered rows to where they cannot be taken back from. "
                "Give the job another name, and that sink another target, to make its results anew"
            )
    touched = {file.sink for file in files.retracted} | {file.sink for file, _ in files.reverted}
    for name in sorted(touched):
        sink = job.sinks.get(name)
        if sink is None and wish.in_place:
            raise ConfigError(f"files of sink {name!r} would have to be taken back, and the pipeline no longer has it")
        if sink is not None and sink.location is None:
            raise ConfigError(f"sink {name!r} cannot take back what it gave out")
    for file, _ in files.reverted:
        if file.sink in job.sinks and not isinstance(job.sinks[file.sink], Revertible):
            raise ConfigError(f"sink {file.sink!r} cannot put back an earlier revision of a file")


def _refuse_topics(job: Job) -> None:
    """Raise if rows went to a topic: what its readers have seen cannot be taken back, and would be sent again."""
    if job.outlets:
        raise ConfigError(
            f"sink {', '.join(map(repr, job.outlets))}: rows in a topic cannot be taken back, and after a reset they would be "
            "sent again; run a job of another name from the offsets you want, or take that sink out of the pipeline first"
        )


def _refuse_sinks_without_generations(job: Job) -> None:
    for node in job.pipeline.sinks:
        if not isinstance(node.spec, Generational):
            raise ConfigError(
                f"sink {node.name!r} has no tables of its own that could be made anew: rows would be given out twice"
            )
