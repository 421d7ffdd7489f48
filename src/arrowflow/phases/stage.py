"""stage: every byte an epoch wants to publish goes to names no reader sees, before the record that makes it true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from arrowflow.phases.cut import Cut
from arrowflow.phases.draft import Draft
from arrowflow.phases.fit import takes_interim
from arrowflow.phases.job import Job
from arrowflow.phases.revise import stage_revisions
from arrowflow.phases.snapshots import stage_state
from arrowflow.phases.tables import (
    corrections,
    dead_schema,
    first_results,
    late_schema,
    rows_schema,
    rows_table,
    with_epoch,
)
from arrowflow.types import OperatorState, Outbox, StagedFile


@dataclass(frozen=True, slots=True)
class Staged:
    """What an attempt staged: files and outboxes by sink, and the state that goes with them."""

    files: tuple[StagedFile, ...]
    state: dict[str, OperatorState]
    outbox: tuple[Outbox, ...] = ()


def stage(job: Job, cut: Cut) -> Staged:
    """Write output files, revisions of earlier ones and the state delta under the attempt's own names."""
    draft, interim = cut.draft, cut.interim
    files: list[StagedFile] = []
    for node in job.pipeline.sinks:
        if node.name in job.outlets:
            continue
        table = interim if node.stream == "open" else _output(draft, node.stream)
        if table is not None and (table.num_rows or node.stream == "open"):
            files += job.sinks[node.name].stage(draft.attempt, table)
        corrected = corrections(draft.closed, draft.number) if node.stream == "rows" else None
        if corrected is not None:
            files += stage_revisions(job, draft, node.name, corrected)
    outbox = tuple(_outboxes(job, draft, interim))
    return Staged(tuple(files), stage_state(job, draft.attempt, cut.state), outbox)


def _outboxes(job: Job, draft: Draft, interim: pa.Table | None) -> Iterator[Outbox]:
    """Stage the rows of each sink that is no folder.

    Later revisions come behind first results, as rows of their own, and what open windows would give behind those: no
    window is among two of the three.
    """
    for node in job.pipeline.sinks:
        if node.name not in job.outlets:
            continue
        corrected = corrections(draft.closed, draft.number) if node.stream == "rows" else None
        tables = [_output(draft, node.stream), None if corrected is None else corrected.table]
        tables.append(interim if takes_interim(node) else None)
        found = [table for table in tables if table is not None and table.num_rows]
        if found and (outbox := job.outlets[node.name].stage(draft.attempt, pa.concat_tables(found))) is not None:
            yield outbox


def _output(draft: Draft, stream: str) -> pa.Table | None:
    """The draft's table for one stream, in an order that does not show how it was read."""
    if stream == "rows":
        passed = [table for part in sorted(draft.passed) for table in draft.passed[part]]
        firsts = [first_results(closed) for closed in draft.closed]
        tables = passed + [table for table in firsts if table.num_rows]
        return rows_table(tables, draft.number, rows_schema(tables[0].schema)) if tables else None
    if stream == "dead":
        return with_epoch(draft.dead, draft.number, dead_schema()) if draft.dead else None
    return _late_output(draft)


def _late_output(draft: Draft) -> pa.Table | None:
    if not draft.late:
        return None
    first = draft.late[0].schema
    own = first.names.index("_topic")
    return with_epoch(draft.late, draft.number, late_schema(pa.schema(list(first)[:own])))
