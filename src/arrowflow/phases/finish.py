"""finish: when a run is over, the closing record, and the totals. Reads no record of the source."""

from __future__ import annotations

from arrowflow.events import Committed, Finished
from arrowflow.phases.commit import adopt, record, standing
from arrowflow.phases.job import Job
from arrowflow.types import Manifest


def tell(job: Job, manifest: Manifest) -> None:
    """Count a record that was made and tell of it, each once;"""
    job.totals.add(job.pipeline, manifest)
    job.told = manifest.epoch
    job.observer.notice(Committed(manifest))


def finished(job: Job) -> Finished:
    """What the run has done."""
    totals, head = job.totals, -1 if job.head is None else job.head.epoch
    return Finished(totals.epochs, totals.balance, totals.rows_out, totals.files, head, job.generation)


def is_over(job: Job) -> bool:
    """Whether the run has done what it was asked to do."""
    if job.stopping.is_set() or (job.options.once and job.totals.epochs):
        return True
    return job.reaches_targets(job.positions)


def close_log(job: Job) -> None:
    """Write the closing record: everything is published, nobody needs to wait for this writer.

    A run that ended before it took over has nothing to close, and a record of it would fence the one at work.
    """
    if job.head is None or job.head.writer.id != job.writer.id:
        return
    closing = record(
        job,
        "close",
        job.head.epoch + 1,
        time_us=job.clock.now_us(),
        inputs=standing(job, job.clocks),
        watermark_us=job.watermark_us,
        state=job.head.state,
    )
    adopt(job, job.log.append(closing))
