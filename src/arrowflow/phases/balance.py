"""The two identities every epoch must satisfy before its record is written. Neither side is a remainder."""

from __future__ import annotations

from arrowflow.errors import BalanceError
from arrowflow.phases.draft import Draft
from arrowflow.phases.job import Job
from arrowflow.types import Input


def check_balance(job: Job, draft: Draft, inputs: list[Input]) -> None:
    """Raise `BalanceError` unless every row and every offset of the epoch is accounted for.

    1. ``read = folded + filtered + duplicate + late + dead_lettered`` per partition;
    2. ``stop - start = read + unseen + control + aborted + compacted`` per partition;
    3. the state's recounted growth, plus the rows of closed windows, is what was folded.
    """
    for part in inputs:
        _check_rows(draft.number, part)
        _check_offsets(draft.number, part)
    _check_state(job, draft)


def check_joins(job: Job, inputs: list[Input]) -> None:
    """Raise `BalanceError` unless each partition goes on where the newest record ends, or the gap between is told."""
    stood = {} if job.head is None else {part.source_partition: part.stop for part in job.head.inputs}
    for part in inputs:
        begins = part.start if part.gap is None else part.gap.start
        before = stood.get(part.source_partition, begins)
        if begins != before or (part.gap is not None and part.gap.stop != part.start):
            raise BalanceError(
                f"{part.source_partition}: the newest record ends at {before}, this one begins at {part.start} "
                f"with the gap {part.gap}"
            )


def _check_rows(epoch: int, part: Input) -> None:
    if part.balance.read != part.balance.accounted:
        raise BalanceError(
            f"epoch {epoch}, {part.source_partition}: read {part.balance.read} rows, "
            f"accounted for {part.balance.accounted}: {part.balance}"
        )


def _check_offsets(epoch: int, part: Input) -> None:
    walked = part.balance.read + part.unseen + part.control + part.aborted + part.compacted
    if part.stop - part.start != walked:
        raise BalanceError(
            f"epoch {epoch}, {part.source_partition}: offsets {part.start} to {part.stop} are {part.stop - part.start}, "
            f"walked {walked} (read {part.balance.read}, unseen {part.unseen})"
        )


def _check_state(job: Job, draft: Draft) -> None:
    folded = sum(tally.folded for tally in draft.tally.values())
    passed = sum(table.num_rows for tables in draft.passed.values() for table in tables)
    left = sum(closed.folded_rows for closed in draft.closed)
    grown = job.operator.folded_rows - draft.rows_before + left + passed
    if folded != grown:
        raise BalanceError(
            f"epoch {draft.number}: {folded} rows were folded, but the state grew by "
            f"{job.operator.folded_rows - draft.rows_before}, {left} left with closed windows, {passed} passed through"
        )
