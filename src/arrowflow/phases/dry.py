"""A dry run: everything up to the commit, and nothing written anywhere."""

from __future__ import annotations

from arrowflow.events import Finished
from arrowflow.phases.advance import advance, fold
from arrowflow.phases.balance import check_balance
from arrowflow.phases.decode import decode
from arrowflow.phases.draft import begin
from arrowflow.phases.job import Job
from arrowflow.phases.read import is_caught_up, read
from arrowflow.phases.transform import transform
from arrowflow.types import Balance


def rehearse(job: Job) -> Finished:
    """Read from where the log stands to the present end; return what would have come of it."""
    balance, rows_out, epochs = Balance(), 0, 0
    while not job.stopping.is_set():
        draft = begin(job)
        for taken in read(job, draft):
            fold(job, draft, transform(job, draft, decode(job, draft, taken)))
        advance(job, draft)
        inputs = draft.inputs(job)
        check_balance(job, draft, inputs)
        epochs += 1
        balance = sum((part.balance for part in inputs), balance)
        rows_out += sum(closed.table.num_rows for closed in draft.closed)
        rows_out += sum(table.num_rows for tables in draft.passed.values() for table in tables)
        job.positions, job.clocks, job.watermark_us = draft.positions, draft.clocks, draft.watermark_us
        if is_caught_up(job, draft):
            break
    return Finished(epochs, balance, rows_out, 0, -1 if job.head is None else job.head.epoch)
