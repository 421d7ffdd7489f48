"""revise: corrected windows go to the file that holds them, as its next revision. Decides which file; the sink writes it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from arrowflow.errors import BalanceError, DataLossError, ObjectMissing
from arrowflow.events import Notice
from arrowflow.phases.draft import Draft
from arrowflow.phases.job import Job
from arrowflow.phases.tables import Corrections
from arrowflow.types import StagedFile


def stage_revisions(job: Job, draft: Draft, sink: str, corrections: Corrections) -> list[StagedFile]:
    """Stage the next revision of every file that holds a corrected window, each once.

    Raises
    ------
    Fenced
        If a file is not what this run knows because a newer writer has replaced it.
    DataLossError
        If it is not what any record says.
    """
    job.published.forget_oldest()
    try:
        return list(_rewrites(job, draft, sink, corrections))
    except (ObjectMissing, DataLossError):
        if job.head is not None:
            job.log.check(job.head.epoch)
        raise


def _rewrites(job: Job, draft: Draft, sink: str, corrections: Corrections) -> Iterator[StagedFile]:
    identity = job.pipeline.operator.spec.identity
    number = 0
    for epoch in np.unique(corrections.home).tolist():
        rows = corrections.table.filter(pa.array(corrections.home == epoch))
        for partition, part in job.sinks[sink].split(rows):
            newest = _find(job, draft, sink, epoch, partition, part.num_rows)
            if newest is not None:
                yield job.sinks[sink].rewrite(draft.attempt, number, newest, part, identity)
                number += 1


def _find(
    job: Job, draft: Draft, sink: str, epoch: int, partition: dict[str, str | None], rows: int
) -> StagedFile | None:
    """The file of `partition` that holds windows first given out by `epoch`, as it stands now."""
    if job.head is None or not 0 <= epoch < draft.number:
        raise BalanceError(f"epoch {draft.number} corrects windows of epoch {epoch}, which is none before it")
    first = job.published.first(sink, epoch, partition)
    if first is None:
        message = (
            f"sink {sink!r} was not there when epoch {epoch} gave out {rows} windows that are corrected now; left out"
        )
        job.observer.notice(Notice("info", message))
        return None
    return job.published.newest(first, epoch, job.head.epoch)
