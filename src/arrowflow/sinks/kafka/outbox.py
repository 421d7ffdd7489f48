"""The rows of an epoch as the records they will be, in one Arrow file; encoded once, so a redo sends the same bytes.

Row i is the record with the sequence number i. The file says nothing that delivery would have to look up elsewhere but
the job, the epoch and the number of partitions.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from arrowflow.errors import DataLossError

_KIND: pa.Field[Any] = pa.field("kind", pa.string())
_REVISION: pa.Field[Any] = pa.field("revision", pa.int32())
SCHEMA = pa.schema([pa.field("key", pa.binary()), pa.field("value", pa.binary()), _KIND, _REVISION])
_VERSION = {"arrowflow.outbox": "1"}
_IPC = pa.ipc.IpcWriteOptions(compression="lz4")
_BATCH = 10_000
"""Rows in every batch of the file but the last: part of the version."""


class Entry(NamedTuple):
    """One record to be: `seq` is its place in the outbox."""

    seq: int
    key: bytes | None
    value: bytes | None
    kind: str | None
    revision: int | None

    @property
    def size(self) -> int:
        """Bytes of key and value."""
        return len(self.key or b"") + len(self.value or b"")


def encode(keys: Sequence[bytes | None], values: Sequence[bytes], rows: pa.Table) -> bytes:
    """Return an outbox; `rows` are asked for the kind of change and the revision, where they have them."""
    n = rows.num_rows
    columns: list[pa.Array[Any]] = [pa.array(keys, pa.binary()), pa.array(values, pa.binary())]
    for name, field in (("__af_kind", _KIND), ("__af_revision", _REVISION)):
        has = name in rows.column_names
        columns.append(rows.column(name).combine_chunks() if has else pa.nulls(n, field.type))
    table = pa.table(columns, schema=SCHEMA.with_metadata(_VERSION))
    buffer = io.BytesIO()
    with pa.ipc.new_file(buffer, table.schema, options=_IPC) as writer:
        writer.write_table(table, max_chunksize=_BATCH)
    return buffer.getvalue()


def entries(data: bytes, start: int, place: str) -> Iterator[Entry]:
    """Yield the records of an outbox from the `start`-th on; `place` is what an error calls it.

    Raises
    ------
    DataLossError
        If it is of another version.
    """
    reader = pa.ipc.open_file(pa.py_buffer(data))
    if not reader.schema.equals(SCHEMA) or reader.schema.metadata != {
        k.encode(): v.encode() for k, v in _VERSION.items()
    }:
        raise DataLossError(f"{place} was written by another version of arrowflow, which must deliver it")
    for number in range(start // _BATCH, reader.num_record_batches):
        seq = max(start, number * _BATCH)
        columns = reader.get_batch(number).slice(seq - number * _BATCH).columns
        for row in zip(*(column.to_pylist() for column in columns), strict=True):
            yield Entry(seq, *row)
            seq += 1
