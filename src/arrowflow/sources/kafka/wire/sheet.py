"""Collects where records are while batches are unpacked, and turns them into Arrow arrays at the end. It fetches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from arrowflow.sources.gathering import HEADERS
from arrowflow.sources.kafka.wire.batches import Batch, records_fit
from arrowflow.sources.kafka.wire.codecs import Arena
from arrowflow.sources.kafka.wire.faults import Malformed
from arrowflow.sources.kafka.wire.kernels import records as kernels
from arrowflow.sources.kafka.wire.kernels.records import U8, Table
from arrowflow.types import I64, Bool

_ROWS = 64 * 1024
_MS_LIMIT = 2**63 // 1000 - 1
_WRONG = {
    kernels.PAST_END: "a number runs beyond its end",
    kernels.BAD_LENGTH: "a length runs beyond its end",
    kernels.BAD_OFFSET: "its offset is not behind the one before, or outside of its batch",
    kernels.BAD_HEADERS: "its headers do not fit",
    kernels.LEFT_OVER: "bytes follow the last record",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Records ``[start, stop)`` of a table, whose bytes are in `chunk`; all stamped by the log, or none."""

    chunk: U8
    table: Table
    start: int
    stop: int
    appended: bool = False

    def __len__(self) -> int:
        return self.stop - self.start

    def column(self, field: int) -> I64:
        return self.table[field, self.start : self.stop]

    def part(self, start: int, stop: int) -> Piece:
        """Records ``[start, stop)`` of the table."""
        return Piece(self.chunk, self.table, start, stop, self.appended)

    def follows(self, other: Piece) -> bool:
        """Whether both are one piece if put behind each other."""
        same = self.chunk is other.chunk and self.table is other.table and self.appended == other.appended
        return same and other.stop == self.start

    def sizes(self) -> I64:
        """Bytes of key and value of each record."""
        return np.maximum(self.column(kernels.KEY_SIZE), 0) + np.maximum(self.column(kernels.VALUE_SIZE), 0)


class Columns(NamedTuple):
    """Records as columns: what a `RawBatch` holds beside its partition."""

    offset: I64
    timestamp_us: I64
    appended: Bool
    key: pa.Array[Any]
    value: pa.Array[Any]


class Sheet:
    """Unpacks batches one after the other; tables and chunks are used again after `clear`.

    Parameters
    ----------
    limit : int
        Most bytes one batch may unpack to.
    """

    def __init__(self, limit: int) -> None:
        self._arena = Arena(limit)
        self._table: Table = np.empty((kernels.FIELDS, 0), np.int64)
        self._row = 0

    def clear(self, *, kept: bool) -> None:
        """Begin again; `kept` tells that some pieces are still looked at."""
        if kept:
            self._arena.renew()
            self._table = np.empty((kernels.FIELDS, 0), np.int64)
        else:
            self._arena.forget()
        self._row = 0

    def add(self, batch: Batch) -> Piece:
        """Unpack a batch of data and return its records.

        Raises
        ------
        Malformed
            For a body that does not hold exactly the records its header promises; says at which offset.
        """
        try:
            at, stop = self._arena.unpack(batch.body, batch.codec)
        except Malformed as error:
            raise Malformed(f"offset {batch.base}: the batch cannot be unpacked: {error}") from error
        if not records_fit(batch.rows, stop - at):
            raise Malformed(f"offset {batch.base}: {batch.rows} records do not fit into {stop - at} bytes")
        if self._row + batch.rows > self._table.shape[1]:
            self._table, self._row = np.empty((kernels.FIELDS, max(_ROWS, batch.rows)), np.int64), 0
        row, chunk, table = self._row, self._arena.chunk, self._table
        status, wrong = kernels.walk(chunk, at, stop, batch.rows, batch.last - batch.base, table, row)
        if status != kernels.OK:
            raise Malformed(
                f"offset {batch.base}: record at byte {wrong - at} of {stop - at} of its batch: {_WRONG[status]}"
            )
        self._row = row + batch.rows
        table[kernels.OFFSET, row : self._row] += batch.base
        if batch.appended:
            table[kernels.STAMP, row : self._row] = batch.max_ms
        else:
            table[kernels.STAMP, row : self._row] += batch.base_ms
        return Piece(chunk, table, row, self._row, batch.appended)


def joined(pieces: list[Piece]) -> list[Piece]:
    """The same records in fewer pieces: those that follow each other in one table and chunk become one."""
    found: list[Piece] = []
    for piece in pieces:
        if found and piece.follows(found[-1]):
            found[-1] = found[-1].part(found[-1].start, piece.stop)
        elif len(piece):
            found.append(piece)
    return found


def columns(pieces: Sequence[Piece]) -> Columns:
    """Copy the records out, in order; nothing refers to the pieces afterwards."""
    stamp = np.concatenate([piece.column(kernels.STAMP) for piece in pieces])
    return Columns(
        np.concatenate([piece.column(kernels.OFFSET) for piece in pieces]),
        np.clip(stamp, -_MS_LIMIT, _MS_LIMIT) * 1000,
        np.repeat(np.array([piece.appended for piece in pieces], np.bool_), [len(piece) for piece in pieces]),
        _binary(pieces, kernels.KEY, kernels.KEY_SIZE),
        _binary(pieces, kernels.VALUE, kernels.VALUE_SIZE),
    )


def _binary(pieces: Sequence[Piece], start: int, size: int) -> pa.Array[Any]:
    """One column of bytes."""
    rows = sum(map(len, pieces))
    total = sum(int(np.maximum(piece.column(size), 0).sum()) for piece in pieces)
    # Arrow's own memory: its pool gives back what the batch before has let go of, pages and all.
    buffer = pa.allocate_buffer(max(total, 1))
    out = np.frombuffer(memoryview(buffer), np.uint8)
    ends = np.zeros(rows + 1, np.int32)
    valid = np.empty(rows, np.bool_)
    at = row = 0
    for piece in pieces:
        n = len(piece)
        place = slice(row, row + n)
        at = kernels.gather(
            piece.chunk, piece.column(start), piece.column(size), out, ends[row + 1 : row + n + 1], at, valid[place]
        )
        row += n
    nulls = rows - int(valid.sum())
    mask = pa.py_buffer(np.packbits(valid, bitorder="little").data) if nulls else None
    return pa.Array.from_buffers(pa.binary(), rows, [mask, pa.py_buffer(ends.data), buffer.slice(0, total)], nulls)


def header_lists(pieces: Sequence[Piece]) -> pa.Array[Any]:
    """The headers of each record in their order, as a map from name to value.

    Raises
    ------
    Malformed
        If the headers of a record do not fill their place.
    """
    parts = [_headers(piece) for piece in pieces]
    return pa.concat_arrays(parts) if parts else pa.array([], HEADERS)


def _headers(piece: Piece) -> pa.Array[Any]:
    count = np.ascontiguousarray(piece.column(kernels.HEADER_COUNT))
    rows = int(count.sum())
    table = np.empty((4, rows), np.int64)
    wrong = kernels.headers(piece.chunk, piece.column(kernels.HEADERS), piece.column(kernels.END), count, rows, table)
    if wrong >= 0:
        raise Malformed(f"offset {piece.column(kernels.OFFSET)[wrong]}: its headers do not fit")
    inner = [Piece(piece.chunk, table, 0, rows)]
    try:
        name = _binary(inner, 0, 1).cast(pa.string())
    except pa.ArrowInvalid as error:
        raise Malformed(
            f"offset {piece.column(kernels.OFFSET)[0]} or one after it: a header's name is not UTF-8"
        ) from error
    ends = np.zeros(len(piece) + 1, np.int32)
    np.cumsum(count, out=ends[1:])
    entries = pa.StructArray.from_arrays(
        [name, _binary(inner, 2, 3)],
        fields=[pa.field("key", pa.string(), nullable=False), pa.field("value", pa.binary())],
    )
    return pa.Array.from_buffers(HEADERS, len(piece), [None, pa.py_buffer(ends.data)], children=[entries])
