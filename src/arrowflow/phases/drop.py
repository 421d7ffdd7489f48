"""drop: retire a job, then delete what it holds. The record of its end stays, so that no frozen writer comes back to life."""

from __future__ import annotations

from dataclasses import dataclass

from arrowflow.errors import ConfigError
from arrowflow.phases.commit import adopt, record, standing
from arrowflow.phases.job import Job, build_tables
from arrowflow.phases.publish import redo
from arrowflow.phases.recover import claim, unpublished
from arrowflow.phases.rollback import RETIRED
from arrowflow.protocols import Seals
from arrowflow.types import Manifest


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many objects went: files of tables, and objects of the control prefix."""

    files: int
    objects: int


def retire(job: Job) -> Manifest:
    """Fence whoever writes, publish what is committed, and write the last record; a job retired before is left as it is.

    Raises
    ------
    ConfigError
        If there is no record at all.
    """
    epochs = job.log.epochs_after(-1)
    if not epochs:
        raise ConfigError(f"{job.control.prefix} holds no record: there is no job to give up")
    head = job.log.read(epochs[-1])
    if head.kind == "retire":
        return head
    claim(job, lambda: None)
    redo(job, unpublished(job))
    owned = job.head
    assert owned is not None  # claimed
    last = record(
        job,
        "retire",
        owned.epoch + 1,
        time_us=job.clock.now_us(),
        inputs=standing(job, job.clocks),
        watermark_us=job.watermark_us,
        state={},
        fingerprint=owned.fingerprint,
    )
    made = job.log.append(last)
    job.log.check(made.epoch)
    adopt(job, made)
    job.source.acknowledge(dict(job.positions), RETIRED)
    job.failpoints.hit("drop.retired")
    return made


def delete(job: Job, last: Manifest, *, tables: bool, forget: bool) -> Deleted:
    """Delete everything but the last record and ``job.json``; with `forget` those too. Safe to call again.

    Records go last and oldest first: while one is there, what it names can still be found.
    """
    files = _delete(job, _table_paths(job)) if tables else 0
    records, rest = [], []
    for path in job.control.store.list(job.control.prefix):
        name = path.removeprefix(f"{job.control.prefix}/")
        if name.startswith("manifests/"):
            records.append(path)
        elif name != "job.json":
            rest.append(path)
    kept = f"{last.epoch:020d}.json"
    objects = _delete(job, rest) + _delete(job, [path for path in sorted(records) if not path.endswith(kept)])
    if forget:
        objects += _delete(job, [path for path in records if path.endswith(kept)])
        objects += _delete(job, [job.control.path("job.json")])
    return Deleted(files, objects)


def generations(job: Job) -> set[int]:
    """Every generation of tables there may be: a reset that died before its record left one under its fence."""
    records = [job.log.read(epoch) for epoch in job.log.epochs_after(-1)]
    return {0, *(each.generation for each in records), *(each.writer.fence for each in records)}


def _table_paths(job: Job) -> list[str]:
    return [path for root in sorted(_roots(job)) for path in job.control.store.list(root)]


def _roots(job: Job) -> set[str]:
    sinks = [
        sink
        for generation in generations(job)
        for sink in build_tables(job.pipeline, job.schemas, job.context, generation).values()
    ]
    sealed = {sink.sealed_location for sink in sinks if isinstance(sink, Seals)}
    return sealed | {sink.location for sink in sinks if sink.location is not None}


def _delete(job: Job, paths: list[str]) -> int:
    for path in paths:
        job.control.store.delete(path)
        job.failpoints.hit("drop.mid_delete")
    return len(paths)
