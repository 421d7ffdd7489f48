"""Dense numbers for strings and binaries. Holds each once, one after another as Arrow does; never forgets one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from arrowflow.types import I64
from arrowflow.windows.arrays import I32, Array, Numbers, ready, words_of
from arrowflow.windows.columns import valid_of
from arrowflow.windows.functions import is_text
from arrowflow.windows.kernels.texts import U8, U32, index_texts, intern_texts
from arrowflow.windows.room import Admit, freely

_ABSENT = -1


class Texts:
    """Byte strings -> 0, 1, 2 …, in the order of being learnt; null has a number of its own, apart from empty.

    About 22 bytes a string and its own; strings in an arena need no Python objects, which take five times as much.
    """

    def __init__(self, kind: pa.DataType) -> None:
        self._type = kind
        self._long = pa.large_string() if is_text(kind) else pa.large_binary()
        self._null = _ABSENT
        self._hashes: U32 = np.empty(0, np.uint32)
        self._edge: I64 = np.zeros(1, np.int64)
        self._data: U8 = np.empty(0, np.uint8)
        self._index: I32 = np.full(2, _ABSENT, np.int32)
        self._used = 0
        self._admit: Admit = freely

    def __len__(self) -> int:
        return self._used

    @property
    def nbytes(self) -> int:
        """Bytes of memory taken."""
        return sum(each.nbytes for each in (self._hashes, self._edge, self._data, self._index))

    def watch(self, admit: Admit) -> None:
        """Ask before growing."""
        self._admit = admit

    def intern(self, column: Array) -> I64:
        """Number each value of `column`."""
        edge, data = _pieces(column)
        valid = valid_of(column)
        if self._null == _ABSENT and not valid.all():
            self._learn_null()
        number, row = np.empty(len(column), np.int64), 0
        while True:
            row, self._used = intern_texts(
                edge,
                data,
                valid,
                row,
                self._used,
                self._null,
                number,
                self._index,
                self._hashes,
                self._edge,
                self._data,
            )
            if row == len(column):
                return number
            self._make_room(int(edge[row + 1] - edge[row]))

    def take(self, numbers: I64) -> Array:
        """The values by number."""
        data = pa.py_buffer(self._data[: self._edge[self._used]].data)
        edge = pa.py_buffer(self._edge[: self._used + 1].data)
        everything = pa.Array.from_buffers(self._long, self._used, [None, edge, data])
        places = pa.array(numbers, pa.int64(), mask=np.asarray(numbers == self._null))
        return everything.take(places).cast(self._type)

    def _learn_null(self) -> None:
        """Give null the next number; it has no bytes, and nothing that looks for an empty string finds it."""
        if self._used == len(self._hashes):
            self._make_room(0)
        self._edge[self._used + 1] = self._edge[self._used]
        self._null = self._used
        self._used += 1

    def _make_room(self, size: int) -> None:
        """Make room for at least one more string of `size` bytes, and for many short ones."""
        held = int(self._edge[self._used])
        if held + size > len(self._data):
            longer = max(256, 2 * len(self._data), held + size)
            self._admit(longer)
            self._data = _longer(self._data, held, longer)
        if self._used == len(self._hashes):
            capacity = max(16, 2 * self._used)
            self._admit(20 * capacity)
            self._hashes = _longer(self._hashes, self._used, capacity)
            self._edge = _longer(self._edge, self._used + 1, capacity + 1)
            self._index = np.full(2 * capacity, _ABSENT, np.int32)
            index_texts(self._hashes, self._used, self._null, self._index)


def _longer(array: Numbers, used: int, capacity: int) -> Numbers:
    out = np.empty(capacity, array.dtype)
    out[:used] = array[:used]
    return out


def _pieces(column: Array) -> tuple[I64, U8]:
    """Edges, counted from 0, and the bytes between the first and the last of them: not those of a whole table behind."""
    kind = column.type
    wide = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    width = np.int64 if wide else np.int32
    _validity, edges, data = column.buffers()
    if not len(column):
        return np.zeros(1, np.int64), np.empty(0, np.uint8)
    edge = words_of(edges, width, len(column) + 1, np.dtype(width).itemsize * column.offset).astype(np.int64)
    first, stop = int(edge[0]), int(edge[-1])
    return edge - first, ready(words_of(data, np.uint8, stop - first, first))
