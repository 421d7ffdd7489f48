"""transform: filters and derived columns, row by row; a row that is filtered is counted under the step's name."""

from __future__ import annotations

from arrowflow.phases.draft import Draft
from arrowflow.phases.job import Job
from arrowflow.types import RowBatch


def transform(job: Job, draft: Draft, batches: list[RowBatch]) -> list[RowBatch]:
    """Apply the pipeline's transforms in order to each batch."""
    changed = [_transform_batch(job, draft, batch) for batch in batches]
    return [batch for batch in changed if len(batch)]


def _transform_batch(job: Job, draft: Draft, batch: RowBatch) -> RowBatch:
    for step in job.pipeline.transforms:
        table, mask = step.apply(batch.table)
        dropped = len(batch) - int(mask.sum())
        if dropped:
            draft.tally[batch.partition].filtered[step.name] += dropped
        batch = batch.keep(mask, table)
    return batch
