"""Columns as the int64 arrays kernels take, and back. Every type has one bit pattern; nothing is rounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from arrowflow.types import I64, Bool
from arrowflow.windows.arrays import Array, nulls, ready
from arrowflow.windows.functions import is_float


class Columns:
    """The columns of one table in planned types; each conversion is made once."""

    def __init__(self, table: pa.Table, types: Mapping[str, pa.DataType]) -> None:
        self._table = table
        self._types = types
        self._arrays: dict[str, Array] = {}
        self._bits: dict[str, I64] = {}
        self._valid: dict[str, Bool] = {}

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
