"""finish: when a run is over, the closing record, and the totals. Reads no record of the source."""

from __future__ import annotations

from dataclasses import dataclass, field

from arrowflow.events import Finished
from arrowflow.phases.commit import adopt, record, standing
from arrowflow.phases.fit import takes_interim
from arrowflow.phases.job import Job
from arrowflow.types import Balance, Manifest


@dataclass(slots=True)
class Totals:
    """What a run has done so far."""

    epochs: int = 0
    balance: Balance = field(default_factory=Balance)
    rows_out: int = 0
    files: int = 0

    def add(self, job: Job, manifest: Manifest) -> None:
        """Count one committed epoch."""
        results = {node.name for node in job.pipeline.sinks if node.stream == "rows" and not takes_interim(node)}
        self.epochs += 1
        self.balance += manifest.balance
        self.files += len(manifest.outputs)
        self.rows_out += sum(file.new_rows for file in manifest.outputs if file.sink in results)
        self.rows_out += sum(outbox.rows for outbox in manifest.outbox if outbox.sink in results)

    def finished(self, job: Job) -> Finished:
        head = -1 if job.head is None else job.head.epoch
        return Finished(self.epochs, self.balance, self.rows_out, self.files, head, job.generation)


def is_over(job: Job, totals: Totals) -> bool:
    """Whether the run has done what it was asked to do."""
    if job.stopping.is_set() or (job.options.once and totals.epochs):
        return True
    return job.targets is not None and all(job.positions[part] >= end for part, end in job.targets.items())


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
