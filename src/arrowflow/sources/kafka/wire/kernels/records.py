"""Walks the records of a batch, and copies what they hold into Arrow's layout. It looks into no value."""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64, Bool

U8 = np.ndarray[tuple[int], np.dtype[np.uint8]]
I32 = np.ndarray[tuple[int], np.dtype[np.int32]]
Table = np.ndarray[tuple[int, int], np.dtype[np.int64]]

OFFSET, STAMP, KEY, KEY_SIZE, VALUE, VALUE_SIZE, HEADERS, HEADER_COUNT, END = range(9)
FIELDS = 9
"""Rows of a table of records: offset and time after the batch's, start and size of key and value (size -1: null), start and
number of headers, and the place behind the record."""

OK, PAST_END, BAD_LENGTH, BAD_OFFSET, BAD_HEADERS, LEFT_OVER = 0, -1, -2, -3, -4, -5
"""What `walk` found."""


@njit("Tuple((int64, int64))(uint8[::1], int64, int64)", nogil=True, cache=True)
def varint(data: U8, at: int, stop: int) -> tuple[int, int]:
    """Read one zigzag number of at most 64 bits.

    Parameters
    ----------
    data : uint8[b]
        Bytes.
    at, stop : int64
        Where it starts, and a place behind it: ``0 <= at``, ``stop <= b``.

    Returns
    -------
    value : int64
        The number; 0 if it is not whole.
    at : int64
        The place behind it, or -1 where it does not end before `stop` or takes more than ten bytes.

    Notes
    -----
    O(1). Oracle: ``tests/oracles/kafka.py::varint``.
    """
    if at >= stop:
        return 0, -1
    byte = np.uint64(data[at])
    raw = byte & np.uint64(0x7F)
    at += 1
    shift = 7
    while byte >= np.uint64(0x80):
        if at >= stop or shift > 63:
            return 0, -1
        byte = np.uint64(data[at])
        raw |= (byte & np.uint64(0x7F)) << np.uint64(shift)
        at += 1
        shift += 7
    return int(np.int64(raw >> np.uint64(1)) ^ -np.int64(raw & np.uint64(1))), at


@njit("Tuple((int64, int64, int64))(uint8[::1], int64, int64)", nogil=True, cache=True)
def span(data: U8, at: int, stop: int) -> tuple[int, int, int]:
    """Find a byte string behind its size.

    Parameters
    ----------
    data : uint8[b]
        Bytes.
    at, stop : int64
        Where its size starts, and a place behind the string: ``0 <= at``, ``stop <= b``.

    Returns
    -------
    start, size : int64
        Where it is; size -1 is a null.
    at : int64
        The place behind it, or -1 where it does not end before `stop`.

    Notes
    -----
    O(1). Oracle: ``tests/oracles/kafka.py::walk``.
    """
    size, at = varint(data, at, stop)
    if at < 0 or size < -1 or size > stop - at:
        return 0, -1, -1
    return at, size, at + max(size, 0)


@njit("Tuple((int64, int64))(uint8[::1], int64, int64, int64, int64, int64[:, ::1], int64)", nogil=True, cache=True)
def walk(data: U8, at: int, stop: int, count: int, last: int, table: Table, row: int) -> tuple[int, int]:
    """Write down where the key, value and headers of each record of one batch are (Kafka's message format 2).

    Parameters
    ----------
    data : uint8[b]
        Bytes that hold the batch's records, unpacked.
    at, stop : int64
        The records are in ``[at, stop)``; ``0 <= at <= stop <= b``.
    count, last : int64
        How many there are said to be, and the largest offset delta they may have; deltas ascend strictly from 0 on.
    table : int64[9, n]
        Output, from column `row` on: see `OFFSET` and its like.
    row : int64
        First column to write, ``row + count <= n``.

    Returns
    -------
    status : int64
        `OK`, or what was wrong.
    at : int64
        The place behind the records, or the start of the wrong one.

    Notes
    -----
    O(count): headers are stepped over by the record's own size. Oracle: ``tests/oracles/kafka.py::walk``.
    """
    before = np.int64(-1)
    for i in range(row, row + count):
        began = at
        size, at = varint(data, at, stop)
        if at < 0:
            return PAST_END, began
        if size < 6 or size > stop - at:
            return BAD_LENGTH, began
        end = at + size
        table[END, i] = end
        table[STAMP, i], at = varint(data, at + 1, end)  # the first byte is the record's attributes, all unused
        if at < 0:
            return PAST_END, began
        table[OFFSET, i], at = varint(data, at, end)
        if at < 0:
            return PAST_END, began
        if table[OFFSET, i] <= before or table[OFFSET, i] > last:
            return BAD_OFFSET, began
        before = table[OFFSET, i]
        table[KEY, i], table[KEY_SIZE, i], at = span(data, at, end)
        if at < 0:
            return BAD_LENGTH, began
        table[VALUE, i], table[VALUE_SIZE, i], at = span(data, at, end)
        if at < 0:
            return BAD_LENGTH, began
        many, at = varint(data, at, end)
        if at < 0 or many < 0 or many > (end - at) // 2 or (many == 0 and at != end):
            return BAD_HEADERS, began
        table[HEADERS, i], table[HEADER_COUNT, i] = at, many
        at = end
    return (OK if at == stop else LEFT_OVER), at


@njit("int64(uint8[::1], int64[::1], int64[::1], uint8[::1], int32[::1], int64, boolean[::1])", nogil=True, cache=True)
def gather(data: U8, start: I64, size: I64, out: U8, end: I32, at: int, valid: Bool) -> int:
    """Copy byte strings one behind the other, as Arrow's binary arrays hold them.

    Parameters
    ----------
    data : uint8[b]
        Bytes the strings lie in.
    start, size : int64[n]
        Where each begins in `data` and its length, inside `data`; a negative size is a null.
    out : uint8[c]
        Output, from `at` on; large enough for all of them.
    end : int32[n]
        Output: place behind each string in `out`.
    at : int64
        First place to write.
    valid : bool[n]
        Output: false for nulls.

    Returns
    -------
    at : int64
        Place behind the last string.

    Notes
    -----
    O(bytes). Oracle: ``tests/oracles/kafka.py::gather``.
    """
    for i in range(len(start)):
        valid[i] = size[i] >= 0
        # Unsigned, or each index is tried for being negative and no two bytes are copied at once: 9 ns, not 80, of 131 bytes.
        first, to = np.uint64(start[i]), np.uint64(at)
        for k in range(np.uint64(max(size[i], 0))):
            out[to + k] = data[first + k]
        at += max(size[i], 0)
        end[i] = at
    return at


@njit("int64(uint8[::1], int64[::1], int64[::1], int64[::1], int64, int64[:, ::1])", nogil=True, cache=True)
def headers(data: U8, start: I64, stop: I64, count: I64, rows: int, table: Table) -> int:
    """Write down where the names and values of the headers of many records are.

    Parameters
    ----------
    data : uint8[b]
        Bytes the records lie in.
    start, stop : int64[n]
        The headers of record i are in ``[start[i], stop[i])``, inside `data`.
    count : int64[n]
        How many each record has.
    rows : int64
        The sum of `count`.
    table : int64[4, rows]
        Output, record by record: start and size of name and value (size -1: null).

    Returns
    -------
    record : int64
        -1, or the first record whose headers do not fill their place exactly.

    Notes
    -----
    O(rows). Oracle: ``tests/oracles/kafka.py::headers``.
    """
    row = 0
    for i in range(len(start)):
        at, end = start[i], stop[i]
        for _ in range(count[i]):
            name_size, at = varint(data, at, end)
            if at < 0 or name_size < 0 or name_size > end - at or row >= rows:
                return i
            table[0, row] = at
            table[1, row] = name_size
            at += name_size
            value_size, at = varint(data, at, end)
            if at < 0 or value_size < -1 or value_size > end - at:
                return i
            table[2, row] = at
            table[3, row] = value_size
            at += max(value_size, 0)
            row += 1
        if at != end:
            return i
    return -1
