"""What the kernel wrote to Arrow columns: copies of it, so that its memory can be used again. Judges nothing."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from arrowflow.decoders.columns import Built, times_of
from arrowflow.decoders.dialect import local_time
from arrowflow.decoders.iso import read_dates, read_instants
from arrowflow.decoders.kernels import avro as kernel
from arrowflow.decoders.schema import ColumnType, Kind
from arrowflow.types import I64, Bool

Column: TypeAlias = "pa.Array[Any]"
U8 = np.ndarray[tuple[int], np.dtype[np.uint8]]


class Cells:
    """What the kernel writes: per column and row a value and its size in the record, -1 for none."""

    def __init__(self, columns: int, rows: int) -> None:
        self.number = np.zeros((columns, rows), np.int64)
        self.real = self.number.view(np.float64)
        self.size = np.empty((columns, rows), np.int32)
        self.verdict = np.empty(rows, np.uint8)

    def clear(self) -> None:
        """Forget what was written; values without a size mean nothing."""
        self.size.fill(-1)
        self.verdict.fill(kernel.DOUBT)


class Builder:
    """Builds one column.

    Parameters
    ----------
    column : ColumnType
        Its type.
    text_dates : bool
        Whether dates were read as text.
    """

    def __init__(self, column: ColumnType, *, text_dates: bool) -> None:
        self._column = column
        self._text_dates = text_dates
        self._local = local_time(column)

    def build(self, cells: Cells, index: int, rows: int, data: U8, names: U8) -> Built:
        """Return the column of the first `rows` rows and which of them are in doubt, None for none.

        Parameters
        ----------
        cells, index, rows : Cells, int, int
            What the kernel wrote, and where.
        data, names : uint8[b], uint8[s]
            The records' bytes, and the names of symbols.
        """
        number, size = cells.number[index, :rows], cells.size[index, :rows]
        null: Bool = size < 0
        match self._column.kind:
            case Kind.FLOAT:
                return self._floats(cells.real[index, :rows], null)
            case Kind.INTEGER:
                return _fixed(number.astype(self._column.arrow.to_pandas_dtype()), null, self._column.arrow), None
            case Kind.BOOL:
                bits = pa.py_buffer(np.packbits(number == 1, bitorder="little").data)
                return pa.Array.from_buffers(pa.bool_(), rows, [_valid(null), bits]), None
            case Kind.INSTANT:
                return _fixed(number.copy(), null, self._column.arrow), None
            case Kind.DECIMAL:
                return _decimals(number, null, self._column.arrow), None
            case Kind.DATE if not self._text_dates:
                return _fixed(number.astype(np.int32), null, self._column.arrow), None
        texts = _texts(data, names, number, size, null)
        if self._column.kind is Kind.DATE:
            return times_of(self._column.arrow, read_dates, texts)
        if self._column.kind is Kind.TEXT_INSTANT:
            return times_of(self._column.arrow, partial(read_instants, local=self._local), texts)
        return texts, None

    def _floats(self, real: np.ndarray, null: Bool) -> Built:
        """Build a column of doubles as they are, or of the nearest floats; what does not fit those is in doubt."""
        if self._column.arrow == pa.float64():
            return _fixed(real.copy(), null, pa.float64()), None
        with np.errstate(over="ignore", invalid="ignore"):
            floats = real.astype(np.float32)
        doubt = np.isinf(floats) & ~np.isinf(real) & ~null
        return _fixed(floats, null | doubt, pa.float32()), doubt


def _valid(null: Bool) -> pa.Buffer | None:
    return pa.py_buffer(np.packbits(~null, bitorder="little").data) if null.any() else None


def _fixed(values: np.ndarray, null: Bool, arrow: pa.DataType) -> Column:
    return pa.Array.from_buffers(arrow, len(values), [_valid(null), pa.py_buffer(values.data)])


def _decimals(number: I64, null: Bool, arrow: pa.DataType) -> Column:
    """Build decimals of at most 64 bits: 128 bits are the 64 and their sign."""
    words = np.empty((len(number), 2), np.int64)
    words[:, 0] = np.where(null, 0, number)
    words[:, 1] = words[:, 0] >> 63
    return pa.Array.from_buffers(arrow, len(number), [_valid(null), pa.py_buffer(words.data)])


def _texts(data: U8, names: U8, begin: I64, size: np.ndarray, null: Bool) -> Column:
    edge = np.empty(len(size) + 1, np.int32)
    out = np.empty(int(np.where(null, 0, size).sum(dtype=np.int64)), np.uint8)
    kernel.gather_texts(data, names, begin, size, edge, out)
    return pa.Array.from_buffers(
        pa.string(), len(size), [_valid(null), pa.py_buffer(edge.data), pa.py_buffer(out.data)]
    )
