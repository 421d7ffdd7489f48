"""The tables that leave an epoch: result rows, late rows, dead letters. Schemas and their construction, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from arrowflow.protocols import Change
from arrowflow.types import I64, MIN_US, Closed, LateRows, RawBatch, Reject, RowBatch

_TIME = pa.timestamp("us", "UTC")
_PLACE: list[pa.Field[Any]] = [
    pa.field("_topic", pa.string()),
    pa.field("_partition", pa.int32()),
    pa.field("_offset", pa.int64()),
    pa.field("_timestamp", _TIME),
]
_EPOCH = pa.field("__af_epoch", pa.int64())
_LATE = [pa.field("_reason", pa.string()), pa.field("_window_start", _TIME), pa.field("_window_end", _TIME)]
_ROWS = [_EPOCH, pa.field("__af_kind", pa.string()), pa.field("__af_revision", pa.int32())]


def rows_schema(output: pa.Schema) -> pa.Schema:
    """Result rows: the operator's columns, then the epoch, the change kind and the revision."""
    return pa.schema([*output, *_ROWS])


def late_schema(rows: pa.Schema) -> pa.Schema:
    """Late rows: their columns as transformed, where they came from, why and for which window they were late."""
    return pa.schema([*rows, *_PLACE, *_LATE, _EPOCH])


def dead_schema() -> pa.Schema:
    """Dead letters: where the record was, why it was refused, and its bytes as the sink's `payload` says."""
    texts: list[pa.Field[Any]] = [pa.field("_reason", pa.string()), pa.field("_detail", pa.string())]
    payload: list[pa.Field[Any]] = [pa.field("_key", pa.binary()), pa.field("_payload", pa.binary())]
    return pa.schema([*_PLACE, *texts, *payload, _EPOCH])


@dataclass(frozen=True, slots=True)
class Corrections:
    """Later revisions of result rows, as they will lie in their files.

    Parameters
    ----------
    table : Table[n]
        In the columns of `rows_schema`.
    home : int64[n]
        The epoch whose file holds each row's first revision.
    """

    table: pa.Table
    home: I64


def rows_table(tables: Sequence[pa.Table], epoch: int, schema: pa.Schema) -> pa.Table:
    """Concatenate tables of first results and add the epoch's columns."""
    table = pa.concat_tables([table.select(schema.names[: -len(_ROWS)]) for table in tables])
    return _marked(table, epoch, "insert", np.ones(table.num_rows, np.int64))


def interim_table(table: pa.Table, epoch: int) -> pa.Table:
    """What open windows would give now: revision 0, which is no result."""
    return _marked(table, epoch, "interim", np.zeros(table.num_rows, np.int64))


def first_results(closed: Closed) -> pa.Table:
    """The rows of windows that come out for the first time."""
    return closed.table if closed.home is None else closed.table.filter(pa.array(closed.home < 0))


def corrections(closed: Sequence[Closed], epoch: int) -> Corrections | None:
    """The later revisions among what closed; None if there are none."""
    found = [
        (each.table.filter(pa.array(each.home >= 0)), each.revision[each.home >= 0], each.home[each.home >= 0])
        for each in closed
        if each.home is not None and each.revision is not None and (each.home >= 0).any()
    ]
    if not found:
        return None
    tables, revisions, homes = zip(*found, strict=True)
    return Corrections(
        _marked(pa.concat_tables(tables), epoch, "replace", np.concatenate(revisions)), np.concatenate(homes)
    )


def _marked(table: pa.Table, epoch: int, kind: Change, revision: I64) -> pa.Table:
    """Add the epoch, the kind of change and the revision to result rows."""
    n = table.num_rows
    added: list[pa.Array[Any]] = [_repeat(epoch, pa.int64(), n), _repeat(kind, pa.string(), n)]
    columns = [*table.columns, *added, pa.array(revision, pa.int32())]
    return pa.table(columns, schema=rows_schema(table.schema))


def late_table(batch: RowBatch, late: LateRows) -> pa.Table:
    """The late rows of one batch, without the epoch column (`with_epoch` adds it)."""
    rows = batch.table.take(pa.array(late.row, pa.int64()))
    at = batch.row[late.row]
    columns = [*rows.columns, *place_columns(batch.raw, at)]
    columns += [_repeat(late.reason, pa.string(), len(at)), _times(late.window_start_us), _times(late.window_end_us)]
    return pa.table(columns, schema=pa.schema([*batch.table.schema, *_PLACE, *_LATE]))


def dead_table(raw: RawBatch, rejects: Sequence[Reject], payload: Literal["raw", "none"]) -> pa.Table:
    """The refused records of one batch, without the epoch column."""
    at = np.fromiter((reject.row for reject in rejects), np.int64, len(rejects))
    index = pa.array(at, pa.int64())
    columns = place_columns(raw, at)
    columns.append(pa.array([reject.reason for reject in rejects], pa.string()))
    columns.append(pa.array([reject.detail for reject in rejects], pa.string()))
    for bytes_ in (raw.key, raw.value):
        kept = bytes_.take(index).cast(pa.binary())
        columns.append(kept if payload == "raw" else pa.nulls(len(at), pa.binary()))
    return pa.table(columns, schema=pa.schema(list(dead_schema())[:-1]))


def with_epoch(tables: Sequence[pa.Table], epoch: int, schema: pa.Schema) -> pa.Table:
    """Concatenate late or dead tables in order of topic, partition and offset and add the epoch column."""
    table = pa.concat_tables(tables)
    table = table.sort_by([("_topic", "ascending"), ("_partition", "ascending"), ("_offset", "ascending")])
    return pa.table([*table.columns, _repeat(epoch, pa.int64(), table.num_rows)], schema=schema)


def place_columns(raw: RawBatch, at: I64) -> list[pa.Array[Any]]:
    """The reserved columns for the records `at` of `raw`."""
    return [
        _repeat(raw.partition.topic, pa.string(), len(at)),
        _repeat(raw.partition.partition, pa.int32(), len(at)),
        pa.array(raw.offset[at], pa.int64()),
        _times(raw.timestamp_us[at]),
    ]


def _times(us: I64) -> pa.Array[Any]:
    return pa.array(us, pa.int64(), mask=us == MIN_US).cast(_TIME)


def _repeat(value: str | int, kind: pa.DataType, n: int) -> pa.Array[Any]:
    repeated: pa.Array[Any] = pa.repeat(pa.scalar(value, kind), n)  # type: ignore[call-overload]
    return repeated
