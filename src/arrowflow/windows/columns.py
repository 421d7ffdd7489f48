"""Columns as the int64 arrays kernels take, and back. Every type has one bit pattern; nothing is rounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from arrowflow.types import I64, Bool
from arrowflow.windows.arrays import Array, Numbers, nulls, ready, words_of
from arrowflow.windows.functions import is_decimal, is_float

I64x2 = np.ndarray[tuple[int, int], np.dtype[np.int64]]

_ALL64 = (1 << 64) - 1
_EXACT = 2**53 - 1
"""Every integer up to here is a double, and no other is rounded to one of them."""


class Columns:
    """The columns of one table in planned types; each conversion is made once."""

    def __init__(self, table: pa.Table, types: Mapping[str, pa.DataType]) -> None:
        self._table = table
        self._types = types
        self._arrays: dict[str, Array] = {}
        self._bits: dict[str, I64] = {}
        self._valid: dict[str, Bool] = {}
        self._words: dict[str, I64x2] = {}
        self._doubles: dict[str, tuple[I64, Bool]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the whole table."""
        return self._table.nbytes

    def array(self, name: str) -> Array:
        """The column as one array of the planned type."""
        if name not in self._arrays:
            self._arrays[name] = whole(self._table.column(name), self._types[name])
        return self._arrays[name]

    def key(self, name: str) -> Array:
        """The column as one array of the planned type, or of a dictionary of it where it comes as one."""
        column = self._table.column(name)
        kind = column.type
        if isinstance(kind, pa.DictionaryType) and kind.value_type == self._types[name] and column.num_chunks == 1:
            coded: Array = column.chunks[0]
            return coded
        return self.array(name)

    def valid(self, name: str) -> Bool:
        """bool[n], false where the column is null."""
        if name not in self._valid:
            self._valid[name] = valid_of(self.array(name))
        return self._valid[name]

    def bits(self, name: str) -> I64:
        """int64[n], the column's bit patterns; anything where it is null."""
        if name not in self._bits:
            self._bits[name] = bits_of(self.array(name))
        return self._bits[name]

    def words(self, name: str) -> I64x2:
        """int64[n, 2], a decimal column's unscaled values in two's complement, low word first; zero where it is null."""
        if name not in self._words:
            self._words[name] = words_of_decimals(self.array(name))
        return self._words[name]

    def doubles(self, name: str) -> tuple[I64, Bool]:
        """A column of numbers as doubles, decimals without their scale.

        Returns
        -------
        bits : int64[n]
            The doubles' bit patterns; anything where the column is null.
        whole : bool[n]
            False where the double may not be the exact value: `integers` has it.
        """
        if name not in self._doubles:
            kind = self._types[name]
            if is_float(kind):
                self._doubles[name] = self.bits(name), np.ones(self._table.num_rows, np.bool_)
            else:
                values = self._nearest(name, kind)
                self._doubles[name] = values.view(np.int64), np.abs(values) <= _EXACT
        return self._doubles[name]

    def integers(self, name: str, rows: I64) -> list[int]:
        """Exact values of `rows` of an integer or decimal column, decimals without their scale."""
        kind = self._types[name]
        if is_decimal(kind):
            return [(high << 64) + (low & _ALL64) for low, high in self.words(name)[rows].tolist()]
        bits = self.bits(name)[rows]
        return [int(each) for each in (bits.view(np.uint64) if pa.types.is_uint64(kind) else bits)]

    def _nearest(self, name: str, kind: pa.DataType) -> Numbers:
        """float64[n]: integers and unscaled decimals."""
        if is_decimal(kind):
            words = self.words(name)
            low, high = words[:, 0], words[:, 1]
            negative = high < 0
            size = np.where(negative, -low, low).view(np.uint64)
            above = np.where(negative, ~high + (low == 0), high)
            return np.where(negative, -1.0, 1.0) * (above * 2.0**64 + size)
        bits = self.bits(name)
        return np.asarray((bits.view(np.uint64) if pa.types.is_uint64(kind) else bits).astype(np.float64))


def whole(column: pa.ChunkedArray[Any], kind: pa.DataType) -> Array:
    """One array of type `kind`; copies only what comes in several chunks or another type."""
    chunks = [chunk if chunk.type == kind else chunk.cast(kind) for chunk in column.chunks]
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays([nulls(0, kind), *chunks])


def valid_of(array: Array) -> Bool:
    """bool[n], false where `array` is null; writable, as kernels want it."""
    if array.null_count == 0:
        return np.ones(len(array), np.bool_)
    return ready(array.is_valid().to_numpy(zero_copy_only=False), np.bool_)


def bits_of(array: Array) -> I64:
    """int64[n]: floats as doubles' bits, uint64 by pattern, dates as days, timestamps as microseconds, bool as 0 and 1."""
    kind = array.type
    if pa.types.is_boolean(kind):
        array = array.cast(pa.int64())
    elif pa.types.is_timestamp(kind):
        array = array.view(pa.int64())
    elif pa.types.is_date32(kind):
        array = array.view(pa.int32()).cast(pa.int64())
    elif is_float(kind):
        array = array.cast(pa.float64())
    elif not pa.types.is_uint64(kind):
        array = array.cast(pa.int64())
    filled = array.fill_null(0) if array.null_count else array
    return ready(filled.to_numpy(zero_copy_only=False)).view(np.int64)


def words_of_decimals(array: Array) -> I64x2:
    """int64[n, 2]: unscaled values in two's complement, low word first; zero where `array` is null."""
    words = words_of(array.buffers()[1], np.int64, 2 * len(array), 16 * array.offset).reshape(-1, 2)
    return ready(np.where(valid_of(array)[:, None], words, 0) if array.null_count else words, np.int64)


def decimals_of(words: I64x2, valid: Bool, kind: pa.DataType) -> Array:
    """A decimal array from unscaled values: the inverse of `words_of_decimals`."""
    held = np.where(np.asarray(valid, np.bool_)[:, None], words, 0)
    mask = pa.array(np.asarray(valid, np.bool_), pa.bool_()).buffers()[1]
    return pa.Array.from_buffers(kind, len(held), [mask, pa.py_buffer(held.astype(np.int64).tobytes())])


def array_of(bits: I64, valid: Bool, kind: pa.DataType) -> Array:
    """An Arrow array of type `kind` from bit patterns: the inverse of `bits_of`."""
    null = ~np.asarray(valid, np.bool_)
    if pa.types.is_boolean(kind):
        return pa.array(bits != 0, kind, mask=null)
    if pa.types.is_timestamp(kind):
        return pa.array(bits, pa.int64(), mask=null).view(kind)
    if pa.types.is_date32(kind):
        return pa.array(bits.astype(np.int32), pa.int32(), mask=null).view(kind)
    if is_float(kind):
        return pa.array(bits.view(np.float64), pa.float64(), mask=null, from_pandas=False).cast(kind)
    if pa.types.is_uint64(kind):
        return pa.array(bits.view(np.uint64), kind, mask=null)
    return pa.array(bits, pa.int64(), mask=null).cast(kind)
