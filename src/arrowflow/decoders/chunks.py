"""Records in chunks: a fast way reads what it is sure of, the slow one, which is the truth, judges the rest one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arrowflow.decoders.columns import Column, number_type
from arrowflow.decoders.layout import layout
from arrowflow.decoders.verdict import Refused, Value, too_large
from arrowflow.types import I64, Bool, Decoded, RawBatch, Reject

CHUNK_ROWS: Final = 8_192
"""As many rows as are worked on in memory that the process has already; fresh pages cost as much as decoding."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A chunk read fast.

    Parameters
    ----------
    columns : tuple of Array[n]
        One per field; null where `doubt` is true.
    doubt : bool[n]
        Rows that must be judged one by one.
    """

    columns: tuple[Column, ...]
    doubt: Bool


@dataclass(frozen=True)
class Chunks:
    """Decodes batches by a fast way and a slow one.

    Parameters
    ----------
    schema : Schema
        Of the columns.
    max_bytes : int
        A larger record is refused without a look.
    read : callable
        From at most `CHUNK_ROWS` values without nulls to a `Guess`.
    judge : callable
        From one record to its values; raises `Refused`.
    """

    schema: pa.Schema
    max_bytes: int
    read: Callable[[pa.Array[Any]], Guess]
    judge: Callable[[bytes], tuple[Value, ...]]

    def decode(self, batch: RawBatch, look: Callable[[Sequence[Reject]], None] | None = None) -> Decoded:
        """Decode a batch; `look` is shown what was refused of each chunk before the next one is read."""
        tables: list[pa.Table] = []
        ok = np.ones(len(batch), np.bool_)
        rejects: list[Reject] = []
        for start, values in _chunks(batch.value):
            table, rejected = self._decode_chunk(values)
            tables.append(table)
            ok[start : start + len(values)] = values.is_valid().to_numpy(zero_copy_only=False)
            rejects.extend(Reject(start + reject.row, reject.reason, reject.detail) for reject in rejected)
            if look is not None:
                look(rejects[len(rejects) - len(rejected) :])
        ok[[reject.row for reject in rejects]] = False
        table = pa.concat_tables(tables) if tables else self.schema.empty_table()
        return Decoded(table, ok, tuple(rejects))

    def _decode_chunk(self, values: pa.Array[Any]) -> tuple[pa.Table, list[Reject]]:
        present = values.is_valid().to_numpy(zero_copy_only=False)
        filled, sizes = self._bounded(values)
        guess = self.read(filled)
        asked = np.flatnonzero(guess.doubt & present)
        texts: list[Any] = filled.take(pa.array(asked, pa.int64())).to_pylist() if asked.size else []
        right: dict[int, tuple[Value, ...]] = {}
        wrong: list[Reject] = []
        for row, size, text in zip(asked.tolist(), sizes[asked].tolist(), texts, strict=True):
            try:
                if size > self.max_bytes:  # it was never looked at
                    raise too_large(size, self.max_bytes)
                right[row] = self.judge(text)
            except Refused as refusal:
                wrong.append(Reject(row, refusal.reason, refusal.detail))
        return self._patched(guess.columns, right, np.flatnonzero(guess.doubt)), wrong

    def _bounded(self, values: pa.Array[Any]) -> tuple[pa.Array[Any], I64]:
        """Return (values with nothing at nulls and at those too large, their sizes): no big one is ever copied."""
        start, _ = layout(values)
        sizes = np.diff(start)
        if (large := sizes > self.max_bytes).any():
            values = pc.if_else(pa.array(large, pa.bool_()), pa.scalar(None, pa.binary()), values)
        return (values.fill_null(b"") if values.null_count else values), sizes

    def _patched(self, columns: Sequence[Column], right: Mapping[int, tuple[Value, ...]], doubt: I64) -> pa.Table:
        """Return the columns with what was judged right of the rows in doubt, null where nothing was."""
        if doubt.size:
            nothing: tuple[Value, ...] = (None,) * len(columns)
            found = zip(*(right.get(row, nothing) for row in doubt.tolist()), strict=True)
            columns = [_replaced(column, doubt, values) for column, values in zip(columns, found, strict=True)]
        return pa.Table.from_arrays(list(columns), schema=self.schema)


def _chunks(values: pa.Array[Any]) -> Iterator[tuple[int, pa.Array[Any]]]:
    binary = values if values.type == pa.binary() else values.cast(pa.binary())
    for start in range(0, len(binary), CHUNK_ROWS):
        yield start, binary.slice(start, CHUNK_ROWS)


def _replaced(column: Column, rows: I64, values: tuple[Value, ...]) -> Column:
    """Return the column with other values at some rows, ascending."""
    mask = np.zeros(len(column), np.bool_)
    mask[rows] = True
    numbers = pa.types.is_temporal(column.type)
    found = pa.array(values, number_type(column.type)).view(column.type) if numbers else pa.array(values, column.type)
    patched: Column = pc.replace_with_mask(column, pa.array(mask, pa.bool_()), found)
    return patched
