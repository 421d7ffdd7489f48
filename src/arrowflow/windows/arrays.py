"""Arrays as kernels want them, and short names for Arrow's generic types. Converts no values."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

Array: TypeAlias = "pa.Array[Any]"
Field: TypeAlias = "pa.Field[Any]"
I8 = np.ndarray[tuple[int], np.dtype[np.int8]]
I32 = np.ndarray[tuple[int], np.dtype[np.int32]]
U64 = np.ndarray[tuple[int], np.dtype[np.uint64]]
Numbers: TypeAlias = np.ndarray[Any, Any]


def nulls(length: int, kind: pa.DataType) -> Array:
    """`length` nulls of any type."""
    # The stubs list one overload per type and none for any type.
    return pa.nulls(length, kind)  # type: ignore[call-overload, no-any-return]


def words_of(buffer: pa.Buffer | None, dtype: type, count: int, offset: int = 0) -> Numbers:
    """`count` numbers of an Arrow buffer from byte `offset` on, read-only; none where there is no buffer."""
    if buffer is None or count == 0:
        return np.empty(0, dtype)
    return np.frombuffer(memoryview(buffer), dtype, count, offset)


class _Lent:
    """Memory of an array that may only be read, described as if it could be written; keeps the array alive."""

    def __init__(self, array: Numbers) -> None:
        self._array = array
        address, _readonly = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def ready(array: Numbers, dtype: type | None = None) -> Numbers:
    """`array`, contiguous and as kernels take it, for reading only. Copies only where it must.

    A kernel's signature knows arrays that can be written, and Arrow's cannot; a copy of every column would be a tenth
    of the time of a fold. No kernel writes what is not called an output in its docstring, or changed in place.
    """
    array = np.require(array, dtype, ["C"])
    if array.flags.writeable:
        return array
    return np.asarray(_Lent(array)) if len(array) else array.copy()
