"""cut: the epoch ends here. What it needs of the working state is taken out of it, so that the next may be folded."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from arrowflow.phases.balance import check_balance
from arrowflow.phases.draft import Draft
from arrowflow.phases.fit import takes_interim
from arrowflow.phases.job import Job
from arrowflow.phases.snapshots import Taken, take_state
from arrowflow.phases.tables import interim_table
from arrowflow.types import Input


@dataclass(frozen=True, slots=True)
class Cut:
    """A draft to which nothing is added any more, and what belongs to it; nothing in it changes with the state.

    Parameters
    ----------
    draft : Draft
        What was read and what became of it.
    inputs : list of Input
        What its record says of each partition.
    state : Taken
        What it changed in the operator's state.
    interim : Table[n], optional
        What the open windows would give, where that is due.
    oldest_home : int, optional
        The oldest epoch whose windows can still be corrected.
    """

    draft: Draft
    inputs: list[Input]
    state: Taken
    interim: pa.Table | None
    oldest_home: int | None

    @property
    def nbytes(self) -> int:
        """What it holds in memory until it is written."""
        closed = sum(closed.table.nbytes for closed in self.draft.closed)
        interim = 0 if self.interim is None else self.interim.nbytes
        return self.draft.buffered_bytes + closed + interim + self.state.nbytes


def cut(job: Job, draft: Draft) -> Cut:
    """End the draft and take its delta.

    Raises
    ------
    BalanceError
        If a row or an offset is not accounted for.
    """
    inputs = draft.inputs(job)
    check_balance(job, draft, inputs)
    interim = _interim(job, draft) if any(map(takes_interim, job.pipeline.sinks)) else None
    return Cut(draft, inputs, take_state(job), interim, job.operator.oldest_home)


def _interim(job: Job, draft: Draft) -> pa.Table | None:
    """What the open windows would give now, if that is due."""
    emit, now = job.pipeline.emit, job.clock.monotonic()
    if emit.early_us is not None and job.interim_at is not None and now - job.interim_at < emit.early_us / 1e6:
        return None
    job.interim_at = now
    return interim_table(job.operator.interim(), draft.number)
