"""publish: give committed files their final names, once; and tell those who watch. Always a redo of a record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from arrowflow.errors import DataLossError, ObjectMissing
from arrowflow.events import Notice
from arrowflow.phases.deliver import deliver
from arrowflow.phases.job import Job
from arrowflow.phases.rollback import note_of
from arrowflow.protocols import Seals, Sink
from arrowflow.types import Manifest, Retracted, StagedFile


def publish(job: Job, manifest: Manifest, later: Sequence[StagedFile] = ()) -> None:
    """Publish every file of one record, deliver its outboxes and note it as acknowledged; the next record says so durably.

    `later` are the files of newer records: one of them may have taken the place of a file of this record already.
    """
    job.failpoints.hit("publish.before")
    for name, files in _by_sink(manifest.outputs).items():
        if manifest.epoch > job.acked.get(name, -1):
            _publish_files(job, manifest, name, files, later)
    for name, files in _by_sink(manifest.seals).items():
        if manifest.epoch > job.acked.get(name, -1):
            _publish_sealed(job, manifest, name, files)
    if manifest.reset is not None:
        retract(job, manifest.reset.retracted)
    job.acked.update(dict.fromkeys(job.sinks, manifest.epoch))
    deliver(job, manifest)
    job.acked.update(dict.fromkeys(job.outlets, manifest.epoch))
    job.failpoints.hit("publish.all")


def retract(job: Job, files: Iterable[Retracted]) -> None:
    """Take back published files. Done as often as one likes: no other file ever has the name of one of them."""
    for file in files:
        if file.sink not in job.sinks:
            raise DataLossError(
                f"{file.dst} of sink {file.sink!r} is still to be taken back, and the pipeline no longer has that sink; start "
                "once with it, then remove it"
            )
        job.control.store.delete(f"{job.sinks[file.sink].location}/{file.dst}")
        job.failpoints.hit("reset.mid_retract")


def acknowledge(job: Job, manifest: Manifest) -> None:
    """Tell lag tools how far the published output reaches; nobody recovers from this, but an old log is known by it."""
    job.source.acknowledge(dict(job.positions), note_of(manifest))


def redo(job: Job, manifests: Iterable[Manifest]) -> int:
    """Publish again what a crash may have left between record and final names; return how many epochs."""
    job.failpoints.hit("redo.before")
    redone, records = 0, list(manifests)
    for number, manifest in enumerate(records, start=1):
        if manifest.outputs or manifest.outbox or manifest.seals or manifest.reset is not None:
            publish(job, manifest, [file for record in records[number:] for file in record.outputs])
            redone += 1
            job.failpoints.hit("redo.mid")
    if job.head is not None:
        job.acked = dict.fromkeys(job.sink_names, job.head.epoch)
    return redone


def _publish_files(
    job: Job, manifest: Manifest, name: str, files: list[StagedFile], later: Sequence[StagedFile]
) -> None:
    sink = _sink(job, manifest, name, files)
    with _newer_first(job, manifest):
        sink.publish(files, [file for file in later if file.sink == name])


def _publish_sealed(job: Job, manifest: Manifest, name: str, files: list[StagedFile]) -> None:
    sink: object = _sink(job, manifest, name, files)
    if not isinstance(sink, Seals):
        raise DataLossError(
            f"record {manifest.epoch} has {len(files)} sealed files of sink {name!r}, which is of another kind now; start once "
            "with the sink as it was"
        )
    for file in files:
        with _newer_first(job, manifest):
            sink.publish_sealed([file])
        job.failpoints.hit("compact.mid_publish")


def _sink(job: Job, manifest: Manifest, name: str, files: Sequence[StagedFile]) -> Sink:
    if name not in job.sinks:
        raise DataLossError(
            f"epoch {manifest.epoch} has {len(files)} unpublished files of sink {name!r}, which the pipeline no longer "
            "has; start once with that sink to publish them, then remove it"
        )
    return job.sinks[name]


@contextmanager
def _newer_first(job: Job, manifest: Manifest) -> Iterator[None]:
    """What is missing, or not as recorded, may be so because of a newer writer; that is asked before anybody is blamed."""
    try:
        yield
    except (ObjectMissing, DataLossError) as wrong:
        # A newer writer may have published, cleaned and corrected: then we are fenced. In a redo the head is our own.
        job.log.check(manifest.epoch if job.head is None else max(manifest.epoch, job.head.epoch))
        if isinstance(wrong, DataLossError):
            raise
        raise DataLossError(f"epoch {manifest.epoch} is committed but a file of it is missing: {wrong}") from wrong


def _by_sink(files: Iterable[StagedFile]) -> dict[str, list[StagedFile]]:
    grouped: dict[str, list[StagedFile]] = {}
    for file in files:
        grouped.setdefault(file.sink, []).append(file)
    return grouped


def note_published(job: Job, redone: int) -> None:
    """Say once that a crash was made good."""
    if redone:
        job.observer.notice(Notice("info", f"published {redone} committed epochs that an earlier run had not finished"))
