"""Avro records read by a program: a table of steps made from the writer's schema and the columns that are wanted.

The program walks the whole record, because nothing else says where it ends, and writes down only what a column wants.
Whatever is not read here with certainty is left to the rules: lengths that lead out of the record, numbers that do not
fit, text that is no UTF-8, values that only the slow way can make.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

from arrowflow.types import I64

U8 = np.ndarray[tuple[int], np.dtype[np.uint8]]
I32 = np.ndarray[tuple[int], np.dtype[np.int32]]
Table = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Reals = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Sizes = np.ndarray[tuple[int, int], np.dtype[np.int32]]

# What a step does. Those up to LAST read one value; the others say where the program goes on.
INT, TEXT, DOUBLE, SKIP, BOOL, FLOAT, ENUM, DECIMAL, BYTES, REAL, DOWN = range(11)
LAST = DOWN
NULLABLE, UNION, JUMP, LOOP, NEXT, CALL, RETURN, END, FAIL = range(LAST + 1, LAST + 10)
# The columns of a table of steps; what LOW to BASE mean hangs on the step, see `arrowflow.decoders.avro.program`.
STEP, COLUMN, LOW, HIGH, TIMES, TARGET, BASE = range(7)
WIDTH = 7
FRAME = 3
"""Numbers a frame has: items left or where to return to, where the block ends, the depth before."""
NO_FRAME = -1
DOUBT, SURE = range(2)
FRAMING = 5
"""Bytes before a framed record: a zero and the schema's id."""

_ONE, _EIGHT, _WORD, _NONE = np.uint64(1), np.uint64(8), np.uint64(64), np.uint64(0)
_LOW_SEVEN, _ALL = np.uint64(0x7F), np.uint64(0xFFFFFFFFFFFFFFFF)
_TOP = np.uint64(0x8080808080808080)

if config.DISABLE_JIT:

    def load_word(data: U8, at: int) -> np.uint64:
        """The eight bytes from `at` on, the first the lowest."""
        return np.uint64(int.from_bytes(data[at : at + 8].tobytes(), "little"))

    def as_double(word: np.uint64) -> float:
        """The double with these bits."""
        return float(struct.unpack("<d", struct.pack("<Q", int(word)))[0])

    def as_float(word: np.uint64) -> float:
        """The float with the 32 lower bits, as a double."""
        return float(struct.unpack("<f", struct.pack("<I", int(word) & 0xFFFFFFFF))[0])

else:

    @intrinsic  # type: ignore[misc, unused-ignore]
    def load_word(typing: Any, data: Any, at: Any) -> Any:  # noqa: ANN401 - numba's own types
        """The eight bytes from `at` on, the first the lowest; aligned or not."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
            array = context.make_array(signature.args[0])(context, builder, args[0])
            place = builder.gep(array.data, [args[1]])
            word = builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()))
            word.align = 1
            return word

        return types.uint64(types.Array(types.uint8, 1, "C"), types.int64), generate

    @intrinsic  # type: ignore[misc, unused-ignore]
    def as_double(typing: Any, word: Any) -> Any:  # noqa: ANN401 - numba's own types
        """The double with these bits."""

        def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
            return builder.bitcast(args[0], ir.DoubleType())

        return types.float64(types.uint64), generate

    @intrinsic  # type: ignore[misc, unused-ignore]
    def as_float(typing: Any, word: Any) -> Any:  # noqa: ANN401 - numba's own types
        """The float with the 32 lower bits, as a double."""

        def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
            bits = builder.trunc(args[0], ir.IntType(32))
            return builder.fpext(builder.bitcast(bits, ir.FloatType()), ir.DoubleType())

        return types.float64(types.uint64), generate


@njit(
    "Tuple((int64, int64))(uint8[::1], int64, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def read_varint(data: U8, at: int, stop: int) -> tuple[int, int]:
    """Read a zigzag number of at most 64 bits.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the number begins and where the record ends.

    Returns
    -------
    end, value : int64, int64
        The first byte behind it, -1 if it is cut off or has more than 64 bits; and the number.
    """
    word, shift = _NONE, _NONE
    while at < stop and shift < _WORD:
        byte = np.uint64(data[at])
        if shift == _WORD - _ONE and byte > _ONE:
            return -1, 0
        word |= (byte & _LOW_SEVEN) << shift
        at += 1
        if byte <= _LOW_SEVEN:
            return at, int(np.int64(word >> _ONE) ^ -np.int64(word & _ONE))
        shift += np.uint64(7)
    return -1, 0


@njit("boolean(uint8[::1], int64, int64)", nogil=True, cache=True, error_model="numpy", _nrt=False)
def is_utf8(data: U8, at: int, stop: int) -> bool:
    """Whether bytes are UTF-8: no longer form of a character than needed, no half of a surrogate pair.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        Bytes, and the first and the one behind the last to look at.

    Returns
    -------
    good : bool
        True for none.
    """
    while at < stop:
        lead = int(np.int64(data[at]))
        more = 0 if lead < 0x80 else 1 if lead < 0xE0 else 2 if lead < 0xF0 else 3
        if 0x80 <= lead < 0xC2 or lead > 0xF4 or at + more >= stop:
            return False
        for k in range(1, more + 1):
            follower = int(np.int64(data[at + k]))
            low = 0xA0 if lead == 0xE0 else 0x90 if lead == 0xF0 else 0x80
            high = 0x9F if lead == 0xED else 0x8F if lead == 0xF4 else 0xBF
            if k > 1:
                low, high = 0x80, 0xBF
            if follower < low or follower > high:
                return False
        at += more + 1
    return True


@njit(
    "boolean(uint8[::1], int64, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def is_text(data: U8, at: int, stop: int) -> bool:
    """Whether bytes are UTF-8, most of which are ASCII.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        Bytes, and the first and the one behind the last to look at.

    Returns
    -------
    good : bool
        As `is_utf8` has it.
    """
    begin, seen = at, _NONE
    while at + 8 <= stop:
        seen |= load_word(data, at)
        at += 8
    if at < stop and at + 8 <= len(data):
        seen |= load_word(data, at) & (_ALL >> (_WORD - np.uint64(stop - at) * _EIGHT))
        at = stop
    while at < stop:
        seen |= np.uint64(data[at])
        at += 1
    return bool((seen & _TOP) == _NONE or is_utf8(data, begin, stop))


@njit(
    "Tuple((int64, int64))(uint8[::1], int64, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def read_size(data: U8, at: int, stop: int) -> tuple[int, int]:
    """Read the length that stands before bytes or text.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the length begins and where the record ends.

    Returns
    -------
    begin, size : int64, int64
        The first of the bytes and how many they are; -1 for the first if they do not lie in the record.
    """
    begin, size = read_varint(data, at, stop)
    if begin < 0 or size < 0 or size > stop - begin:
        return -1, 0
    return begin, size


@njit(
    "Tuple((boolean, int64))(uint8[::1], int64, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
)
def read_unscaled(data: U8, at: int, size: int) -> tuple[bool, int]:
    """Read a whole number of any size, the highest byte first, in two's complement.

    Parameters
    ----------
    data, at, size : uint8[b], int64, int64
        Bytes, the first and how many; none are zero.

    Returns
    -------
    good, value : bool, int64
        Whether it fits 64 bits, and the number.
    """
    value = 0
    if size > 0 and data[at] >= 0x80:
        value = -1
    for k in range(at, at + size):
        if value < -(1 << 55) or value >= 1 << 55:
            return False, 0
        value = value * 256 + int(np.int64(data[k]))
    return True, value


@njit(
    "Tuple((int64, boolean, int64))(uint8[::1], int64, int64, int64, int64, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
)
def take_decimal(data: U8, at: int, stop: int, fixed: int, most: int, times: int) -> tuple[int, bool, int]:
    """Read an exact number.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the value begins and where the record ends.
    fixed : int64
        How many bytes it has; -1 where its length stands before it.
    most, times : int64
        The largest size of the number as it is written, and what makes it one in the column's places.

    Returns
    -------
    end, good, value : int64, bool, int64
        The first byte behind it, -1 if it does not lie in the record; whether it fits; and the number.
    """
    size = fixed
    if fixed < 0:
        at, size = read_size(data, at, stop)
    elif size > stop - at:
        at = -1
    if at < 0:
        return -1, False, 0
    good, value = read_unscaled(data, at, size)
    if not good or value > most or value < -most:
        return at + size, False, 0
    return at + size, True, value * times


@njit(
    "int64(uint8[::1], int64, int64, int64[:, ::1], int64, int64[::1], int64, int64[:, ::1], float64[:, ::1],"
    " int32[:, ::1])",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def take_number(
    data: U8, at: int, stop: int, steps: Table, k: int, links: I64, row: int, number: Table, real: Reals, size: Sizes
) -> int:
    """Do a step that begins with a zigzag number: `INT`, `DOWN`, `REAL` or `ENUM`.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the value begins and where the record ends.
    steps, k, links : int64[s, 7], int64, int64[l]
        The program, the step, and the begins and sizes of the symbols of enums.
    row : int64
        Where the value belongs.
    number, real, size : int64[c, n], float64[c, n], int32[c, n]
        Outputs, as in `read_records`.

    Returns
    -------
    end : int64
        The first byte behind the value, -1 if it is in doubt.
    """
    end, value = read_varint(data, at, stop)
    if end < 0 or value < steps[k, LOW] or value > steps[k, HIGH]:
        return -1
    column, step = steps[k, COLUMN], steps[k, STEP]
    if column >= 0:
        size[column, row] = 1
        if step == INT:
            number[column, row] = value * steps[k, TIMES]
        elif step == ENUM:
            number[column, row] = links[steps[k, TARGET] + 2 * value]
            size[column, row] = links[steps[k, TARGET] + 2 * value + 1]
        elif step == REAL:
            real[column, row] = float(value)
        else:
            number[column, row] = value // steps[k, TIMES]
    return int(end)


@njit(
    "int64(uint8[::1], int64, int64, int64[:, ::1], int64, int64, int64[:, ::1], float64[:, ::1], int32[:, ::1])",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def take_fixed(
    data: U8, at: int, stop: int, steps: Table, k: int, row: int, number: Table, real: Reals, size: Sizes
) -> int:
    """Do a step of known width: `DOUBLE`, `FLOAT`, `BOOL` or `SKIP`, whose `LOW` is how many bytes it takes.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the value begins and where the record ends.
    steps, k, row : int64[s, 7], int64, int64
        The program, the step, and where the value belongs.
    number, real, size : int64[c, n], float64[c, n], int32[c, n]
        Outputs, as in `read_records`.

    Returns
    -------
    end : int64
        The first byte behind the value, -1 if it is in doubt.
    """
    column, step, width = steps[k, COLUMN], steps[k, STEP], steps[k, LOW]
    if width > stop - at:
        return -1
    if step == BOOL and data[at] > 1:
        return -1
    if column >= 0:
        size[column, row] = 1
        if step == DOUBLE:
            real[column, row] = as_double(load_word(data, at))
        elif step == BOOL:
            number[column, row] = int(np.int64(data[at]))
        else:
            low = np.uint64(data[at]) | np.uint64(data[at + 1]) << _EIGHT
            high = np.uint64(data[at + 2]) | np.uint64(data[at + 3]) << _EIGHT
            real[column, row] = as_float(low | high << np.uint64(16))
    return int(at + width)


@njit(
    "int64(uint8[::1], int64, int64, int64[:, ::1], int64, int64[::1], int64, int64[:, ::1], float64[:, ::1],"
    " int32[:, ::1])",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def take_value(
    data: U8, at: int, stop: int, steps: Table, k: int, links: I64, row: int, number: Table, real: Reals, size: Sizes
) -> int:
    """Do a step that reads a value.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the value begins and where the record ends.
    steps, k, links : int64[s, 7], int64, int64[l]
        The program, the step, and the begins and sizes of the symbols of enums.
    row : int64
        Where the value belongs.
    number, real, size : int64[c, n], float64[c, n], int32[c, n]
        Outputs, as in `read_records`.

    Returns
    -------
    end : int64
        The first byte behind the value, -1 if it is in doubt.
    """
    step, column = steps[k, STEP], steps[k, COLUMN]
    if step in (INT, ENUM, REAL, DOWN):
        return int(take_number(data, at, stop, steps, k, links, row, number, real, size))
    if step in (TEXT, BYTES):
        begin, length = read_size(data, at, stop)
        if begin < 0 or (step == TEXT and not is_text(data, begin, begin + length)):
            return -1
        if column >= 0:
            number[column, row] = begin
            size[column, row] = length
        return int(begin + length)
    if step == DECIMAL:
        end, good, value = take_decimal(data, at, stop, steps[k, LOW], steps[k, HIGH], steps[k, TIMES])
        number[column, row] = value
        size[column, row] = 1
        return int(end) if good else -1
    return int(take_fixed(data, at, stop, steps, k, row, number, real, size))


@njit(
    "Tuple((int64, int64, int64))(uint8[::1], int64, int64, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
)
def open_block(data: U8, at: int, stop: int, least: int) -> tuple[int, int, int]:
    """Read the head of a block of an array or map.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the head begins and where the record ends.
    least : int64
        0 if items take no bytes, else above.

    Returns
    -------
    begin, count, end : int64, int64, int64
        The first byte of the first item, -1 if the head is in doubt; how many items; where the block must end, -1 if it
        does not say.
    """
    begin, count = read_varint(data, at, stop)
    end = -1
    if begin >= 0 and count < 0:
        begin, size = read_size(data, begin, stop)
        end = begin + size
        count = -count
    if begin < 0 or count < 0 or (least > 0 and count > stop - begin):
        return -1, 0, -1
    return begin, count, end


@njit(
    "Tuple((int64, int64, int64, int64, int64))(uint8[::1], int64, int64, int64[:, ::1], int64, int64[::1], int64,"
    " int64, int64, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
)
def turn(
    data: U8, at: int, stop: int, steps: Table, k: int, stack: I64, top: int, depth: int, items: int, deepest: int
) -> tuple[int, int, int, int, int]:
    """Do a step of an array, a map or a record of its own: `LOOP`, `NEXT`, `CALL` or `RETURN`.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the program stands and where the record ends.
    steps, k : int64[s, 7], int64
        The program and the step.
    stack, top : int64[3 deepest], int64
        The frames that are open, changed in place, and how many; `top` of them are.
    depth, items, deepest : int64
        How deep the frames are, how many items without bytes the record has had, and how deep they may be.

    Returns
    -------
    at, k, top, depth, items : int64
        The same after the step; -1 for `at` where the record is in doubt.
    """
    step = steps[k, STEP]
    if step == RETURN:
        frame = FRAME * (top - 1)
        return at, stack[frame], top - 1, stack[frame + 2], items
    if step in (CALL, LOOP):
        deeper = depth + steps[k, BASE] + 1
        if deeper > deepest:
            return -1, k, top, depth, items
        frame = FRAME * top
        stack[frame], stack[frame + 1], stack[frame + 2] = k + 1, -1, depth
        if step == CALL:
            return at, steps[k, TARGET], top + 1, deeper, items
        at, count, end = open_block(data, at, stop, steps[k, LOW])
        if at < 0 or count == 0:
            return at, steps[k, TARGET], top, depth, items
        stack[frame], stack[frame + 1] = count, end
        return at, k + 1, top + 1, deeper, items + (count if steps[k, LOW] == 0 else 0)
    frame = FRAME * (top - 1)
    stack[frame] -= 1
    if stack[frame] > 0:
        return at, steps[k, TARGET], top, depth, items
    if stack[frame + 1] >= 0 and stack[frame + 1] != at:
        return -1, k, top, depth, items
    at, count, end = open_block(data, at, stop, steps[k, LOW])
    if at < 0 or count == 0:
        return at, k + 1, top - 1, stack[frame + 2], items
    stack[frame], stack[frame + 1] = count, end
    return at, steps[k, TARGET], top, depth, items + (count if steps[k, LOW] == 0 else 0)


@njit(
    "boolean(uint8[::1], int64, int64, int64[:, ::1], int64[::1], int64[::1], int64, int64, int64[:, ::1],"
    " float64[:, ::1], int32[:, ::1])",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def read_record(
    data: U8,
    at: int,
    stop: int,
    steps: Table,
    links: I64,
    stack: I64,
    most: int,
    row: int,
    number: Table,
    real: Reals,
    size: Sizes,
) -> bool:
    """Read one record by its program.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes and where it begins and ends.
    steps, links, stack, most : int64[s, 7], int64[l], int64[3 d], int64
        As in `read_records`.
    row : int64
        Where the values belong.
    number, real, size : int64[c, n], float64[c, n], int32[c, n]
        Outputs, as in `read_records`; what is in them means nothing where the answer is no.

    Returns
    -------
    sure : bool
        Whether the whole record was read.
    """
    k, top, depth, items = 0, 0, 0, 0
    while at >= 0 and items <= most:
        step = steps[k, STEP]
        if step <= LAST:
            at = take_value(data, at, stop, steps, k, links, row, number, real, size)
            k += 1
        elif step in (NULLABLE, UNION):
            at, branch = read_varint(data, at, stop)
            if branch < 0 or branch >= steps[k, HIGH]:
                return False
            if step == UNION:
                k = links[steps[k, TARGET] + branch]
            else:
                k = steps[k, TARGET] if branch == steps[k, LOW] else k + 1
        elif step == JUMP:
            k = steps[k, TARGET]
        elif step >= END:
            return bool(step == END and at == stop)
        else:
            at, k, top, depth, items = turn(data, at, stop, steps, k, stack, top, depth, items, len(stack) // FRAME)
    return False


@njit(
    "void(uint8[::1], int64[::1], int64[::1], int64, int64[:, ::1], int64[::1], int64[::1], int64, int64[:, ::1],"
    " float64[:, ::1], int32[:, ::1], uint8[::1])",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
)
def read_records(
    data: U8,
    edge: I64,
    rows: I64,
    skip: int,
    steps: Table,
    links: I64,
    stack: I64,
    most: int,
    number: Table,
    real: Reals,
    size: Sizes,
    verdict: U8,
) -> None:
    """Read records of one schema.

    Parameters
    ----------
    data, edge : uint8[b], int64[n + 1]
        Record i is ``data[edge[i]:edge[i + 1]]``.
    rows, skip : int64[m], int64
        Which of them to read, and how many bytes of each are its framing; each has that many.
    steps, links : int64[s, 7], int64[l]
        The program: steps, then where branches of unions begin and the begins and sizes of symbols.
    stack, most : int64[3 d], int64
        Room for frames, whose number is the greatest depth; and the most items without bytes that a record has.
    number, real, size : int64[c, n], float64[c, n], int32[c, n]
        Outputs: the value of each column, a float in `real` and any other in `number`, which may be the same memory;
        for text where it begins in `data`, or one's complement of where in the names of symbols, and its size in bytes;
        sizes are -1 before, and stay so for no value.
    verdict : uint8[n]
        Output: `DOUBT` or `SURE` at `rows`.

    Notes
    -----
    O(b + n most). Oracle: the rules in `arrowflow.decoders.avro.walk`, and fastavro.
    """
    for row in rows:
        if read_record(data, edge[row] + skip, edge[row + 1], steps, links, stack, most, row, number, real, size):
            verdict[row] = SURE
        else:
            verdict[row] = DOUBT
            size[:, row] = -1


@njit("void(uint8[::1], int64[::1], int64[::1])", nogil=True, cache=True, error_model="numpy", _nrt=False)
def read_ids(data: U8, edge: I64, ids: I64) -> None:
    """Read the schema ids of framed records.

    Parameters
    ----------
    data, edge : uint8[b], int64[n + 1]
        Record i is ``data[edge[i]:edge[i + 1]]``.
    ids : int64[n]
        Output: the id, -1 for a record that is not framed.

    Notes
    -----
    O(n). Oracle: ``int.from_bytes``.
    """
    for i in range(len(ids)):
        at = edge[i]
        ids[i] = -1
        if edge[i + 1] - at >= FRAMING and data[at] == 0:
            value = 0
            for k in range(1, FRAMING):
                value = value * 256 + int(np.int64(data[at + k]))
            ids[i] = value


@njit(
    "void(uint8[::1], uint8[::1], int64[::1], int32[::1], int32[::1], uint8[::1])",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
)
def gather_texts(data: U8, names: U8, begin: I64, size: I32, edge: I32, out: U8) -> None:
    """Put texts one after another.

    Parameters
    ----------
    data, names : uint8[b], uint8[s]
        The records' bytes, and the names of symbols.
    begin, size : int64[n], int32[n]
        Text i begins at ``data[begin[i]]``, or at ``names[~begin[i]]`` below zero; a size below zero is no text.
    edge, out : int32[n + 1], uint8[k]
        Outputs: where each begins in `out`, and their bytes; `out` has room for all of them.

    Notes
    -----
    O(n + k). Oracle: a join.
    """
    at = 0
    edge[0] = 0
    for i in range(len(size)):
        length = max(int(np.int64(size[i])), 0)
        # Unsigned, as in `gather_texts` of the patterns: a signed index is tried for being negative at every byte.
        count, to = np.uint64(length), np.uint64(at)
        if begin[i] >= 0:
            first = np.uint64(begin[i])
            for k in range(count):
                out[to + k] = data[first + k]
        else:
            first = np.uint64(~begin[i])
            for k in range(count):
                out[to + k] = names[first + k]
        at += length
        edge[i + 1] = at
