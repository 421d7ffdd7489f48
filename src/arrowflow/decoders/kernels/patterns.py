"""Records of known patterns read without a parser: the text between the values is compared, the values are read.

A pattern is a valid document with its scalars taken out. With any valid scalars put in it is a valid document of the
same members, so equal text between the values and a valid scalar in each gap is all there is to check. Whatever is not
read here with certainty is left to slower ways: halves of surrogate pairs, exponents, more than eighteen digits, other text in between.
"""

from __future__ import annotations

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

# What a gap of a pattern is read as; END closes a pattern, ABSENT is a column that it lacks.
SCALAR, STRING, INTEGER, FLOAT, BOOL, DECIMAL, INSTANT, JSON, END, ABSENT = range(10)
# The columns of a table of gaps. The text before a gap begins at TEXT and has LENGTH bytes.
TEXT, LENGTH, KIND, COLUMN, LOW, HIGH, NEEDED = range(7)
DOUBT, SURE, SURE_IF_UTF8 = range(3)
ESCAPED = 1 << 62
"""Set in the place where a text begins, if it has escapes."""

_QUOTES = np.uint64(0x2222222222222222)
_BACKSLASHES = np.uint64(0x5C5C5C5C5C5C5C5C)
_SEVEN = np.uint64(0x7F7F7F7F7F7F7F7F)
_TOP = np.uint64(0x8080808080808080)
_TO_TOP = np.uint64(0x6060606060606060)
_ONE, _EIGHT, _WORD = np.uint64(1), np.uint64(8), np.uint64(64)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_NONE = np.uint64(0)
_DIGITS, _HIGH_HALVES, _SIXES = (
    np.uint64(0x3030303030303030),
    np.uint64(0xF0F0F0F0F0F0F0F0),
    np.uint64(0x0606060606060606),
)
_ODD_BYTES, _ODD_PAIRS, _LOWER = np.uint64(0x000F000F000F000F), np.uint64(0x000000FF000000FF), np.uint64(0xFFFFFFFF)
_TEN, _HUNDRED, _TEN_THOUSAND = np.uint64(10), np.uint64(100), np.uint64(10_000)
_SIXTEEN, _THIRTY_TWO = np.uint64(16), np.uint64(32)
_MAX_DIGITS = 18
_EXACT = 1 << 53
_TENS = np.array([10.0**n for n in range(23)])
_WHOLE_TENS = np.array([10**n for n in range(19)], np.int64)
_NO_DAY = -1_000_000_000
_DAY_US = 86_400_000_000
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999

# Where `njit` says _nrt=False no array is counted in and out at every call and return of a kernel, which took more time
# than the work; such a kernel makes no arrays. `forceinline` spares each call some twenty arguments.

if config.DISABLE_JIT:

    def load_word(data: U8, at: int) -> np.uint64:
        """The eight bytes from `at` on, the first the lowest."""
        return np.uint64(int.from_bytes(data[at : at + 8].tobytes(), "little"))

    def zeros_below(word: np.uint64) -> int:
        """How many zero bits are under the lowest one of a word that has one."""
        return (int(word) & -int(word)).bit_length() - 1

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
    def zeros_below(typing: Any, word: Any) -> Any:  # noqa: ANN401 - numba's own types
        """How many zero bits are under the lowest one of a word that has one."""

        def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
            return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

        return types.int64(types.uint64), generate


@njit(
    "boolean(uint8[::1], int64, int64, uint8[::1], int64, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def same_text(data: U8, at: int, stop: int, text: U8, first: int, size: int) -> bool:
    """Compare ``data[at:at + size]`` with ``text[first:first + size]``.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where to begin and where the record ends.
    text, first, size : uint8[t], int64, int64
        The pattern's bytes; `text` has eight more at its end.

    Returns
    -------
    same : bool
        False too where the record is too short.
    """
    if at + size > stop:
        return False
    done = 0
    while done < size and at + done + 8 <= len(data):
        differ = load_word(data, at + done) ^ load_word(text, first + done)
        if size - done < 8:
            differ &= _ALL >> (_WORD - np.uint64(size - done) * _EIGHT)
        if differ != _NONE:
            return False
        done += 8
    while done < size:
        if data[at + done] != text[first + done]:
            return False
        done += 1
    return True


@njit("int64(uint8[::1], int64, int64)", nogil=True, cache=True, error_model="numpy", _nrt=False)
def four_hex(data: U8, at: int, stop: int) -> int:
    """Read four hexadecimal digits.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the digits begin and where the record ends.

    Returns
    -------
    value : int64
        What they spell, -1 if they are no four digits.
    """
    if at + 4 > stop:
        return -1
    value = 0
    for i in range(at, at + 4):
        byte = int(np.int64(data[i]))
        if 0x30 <= byte <= 0x39:
            digit = byte - 0x30
        elif 0x61 <= byte | 0x20 <= 0x66:
            digit = (byte | 0x20) - 0x57
        else:
            return -1
        value = value * 16 + digit
    return value


@njit("Tuple((int64, int64))(uint8[::1], int64, int64)", nogil=True, cache=True, error_model="numpy", _nrt=False)
def escaped_at(data: U8, at: int, stop: int) -> tuple[int, int]:
    """Read one escape of a string.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the backslash is and where the record ends.

    Returns
    -------
    end, point : int64
        The first byte behind it, -1 for none that JSON knows and for half of a surrogate pair; the character's code point.
    """
    if at + 2 > stop:
        return -1, 0
    mark = data[at + 1]
    if mark == 0x22 or mark == 0x5C or mark == 0x2F:
        return at + 2, int(np.int64(mark))
    if mark == 0x62:
        return at + 2, 0x08
    if mark == 0x66:
        return at + 2, 0x0C
    if mark == 0x6E:
        return at + 2, 0x0A
    if mark == 0x72:
        return at + 2, 0x0D
    if mark == 0x74:
        return at + 2, 0x09
    point = four_hex(data, at + 2, stop) if mark == 0x75 else -1
    if point < 0 or 0xDC00 <= point <= 0xDFFF:
        return -1, 0
    if point < 0xD800 or point > 0xDFFF:
        return at + 6, point
    if at + 12 > stop or data[at + 6] != 0x5C or data[at + 7] != 0x75:
        return -1, 0
    low = four_hex(data, at + 8, stop)
    if low < 0xDC00 or low > 0xDFFF:
        return -1, 0
    return at + 12, 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)


@njit(
    "Tuple((int64, boolean, boolean))(uint8[::1], int64, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def string_end(data: U8, at: int, stop: int) -> tuple[int, bool, bool]:
    """Find the quote that closes a string.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, the first after the opening quote, and where the record ends.

    Returns
    -------
    end, foreign, escaped : int64, bool, bool
        Where the closing quote is, -1 for a control character, an escape that is none, or no quote; whether a byte is
        not ASCII; and whether there are escapes.
    """
    foreign, escaped = False, False
    while at + 8 <= stop:
        word = load_word(data, at)
        low = word & _SEVEN
        # A byte's top bit stays clear below only where the byte itself is a quote, a backslash or under 0x20.
        no_quote = (((word ^ _QUOTES) & _SEVEN) + _SEVEN) | (word ^ _QUOTES)
        no_slash = (((word ^ _BACKSLASHES) & _SEVEN) + _SEVEN) | (word ^ _BACKSLASHES)
        halts = ~(no_quote & no_slash & ((low + _TO_TOP) | word)) & _TOP
        if halts == _NONE:
            foreign |= (word & _TOP) != _NONE
            at += 8
            continue
        here = zeros_below(halts)
        foreign |= (word & _TOP & ((_ONE << np.uint64(here)) - _ONE)) != _NONE
        at += here >> 3
        if data[at] == 0x22:
            return at, foreign, escaped
        if data[at] != 0x5C:
            return -1, foreign, escaped
        at, escaped = escaped_at(data, at, stop)[0], True
        if at < 0:
            return -1, foreign, escaped
    while at < stop:
        byte = data[at]
        if byte == 0x22:
            return at, foreign, escaped
        if byte < 0x20:
            return -1, foreign, escaped
        if byte == 0x5C:
            at, escaped = escaped_at(data, at, stop)[0], True
            if at < 0:
                return -1, foreign, escaped
            continue
        foreign |= byte >= 0x80
        at += 1
    return -1, foreign, escaped


@njit("int64(uint64)", nogil=True, cache=True, error_model="numpy", _nrt=False, forceinline=True)
def eight_digits(word: np.uint64) -> int:
    """Read eight digits at once: ones to tens, then hundreds, then all; no step can overflow.

    Parameters
    ----------
    word : uint64
        Eight characters from 0 to 9, the first the lowest byte.

    Returns
    -------
    value : int64
        What they spell.
    """
    tens = (word & _ODD_BYTES) * _TEN + ((word >> _EIGHT) & _ODD_BYTES)
    hundreds = (tens & _ODD_PAIRS) * _HUNDRED + ((tens >> _SIXTEEN) & _ODD_PAIRS)
    return int(np.int64((hundreds & _LOWER) * _TEN_THOUSAND + (hundreds >> _THIRTY_TWO)))


@njit(
    "Tuple((int64, int64, int64))(uint8[::1], int64, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def read_digits(data: U8, at: int, stop: int) -> tuple[int, int, int]:
    """Read decimal digits, as many as there are.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the digits begin and where the record ends.

    Returns
    -------
    end, value, digits : int64
        The first byte that is none, what they spell, and how many; -1 for the end if there are more than 18.
    """
    value, begin = 0, at
    if at + 8 <= stop:
        word = load_word(data, at)
        if word & _HIGH_HALVES == _DIGITS and (word + _SIXES) & _HIGH_HALVES == _DIGITS:
            value = eight_digits(word)
            at += 8
    while at < stop:
        digit = int(np.int64(data[at])) - 0x30
        if digit < 0 or digit > 9:
            break
        if at - begin == _MAX_DIGITS:
            return -1, 0, 0
        value = value * 10 + digit
        at += 1
    return at, value, at - begin


@njit(
    "Tuple((int64, int64, int64, boolean))(uint8[::1], int64, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def read_number(data: U8, at: int, stop: int) -> tuple[int, int, int, bool]:
    """Read a number without an exponent of at most eighteen digits.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the number begins and where the record ends.

    Returns
    -------
    end, value, places, negative : int64, int64, int64, bool
        The first byte behind it (-1 if it is no such number), its digits as one whole number, how many of them are
        after the point, and whether a minus sign is in front.
    """
    negative = at < stop and data[at] == 0x2D
    if negative:
        at += 1
    zero = at < stop and data[at] == 0x30
    end, value, digits = read_digits(data, at, stop)
    if end < 0 or digits == 0 or (zero and digits > 1):
        return -1, 0, 0, False
    places = 0
    if end < stop and data[end] == 0x2E:
        end, fraction, places = read_digits(data, end + 1, stop)
        if end < 0 or places == 0 or digits + places > _MAX_DIGITS:
            return -1, 0, 0, False
        value = value * int(_WHOLE_TENS[places]) + fraction
    if end < stop and (data[end] | 0x20) == 0x65:
        return -1, 0, 0, False
    return end, value, places, negative


@njit("int64(uint8[::1], int64, int64)", nogil=True, cache=True, error_model="numpy", _nrt=False, forceinline=True)
def word_end(data: U8, at: int, stop: int) -> int:
    """Find the end of ``true``, ``false`` or ``null``.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the word begins and where the record ends.

    Returns
    -------
    end : int64
        The first byte behind it, -1 if it is none of the three.
    """
    if at + 4 > stop:
        return -1
    a, b, c, d = data[at], data[at + 1], data[at + 2], data[at + 3]
    if a == 0x6E and b == 0x75 and c == 0x6C and d == 0x6C:
        return at + 4
    if a == 0x74 and b == 0x72 and c == 0x75 and d == 0x65:
        return at + 4
    if a == 0x66 and b == 0x61 and c == 0x6C and d == 0x73 and at + 5 <= stop and data[at + 4] == 0x65:
        return at + 5
    return -1


@njit("int64(int64, int64, int64)", nogil=True, cache=True, error_model="numpy", _nrt=False)
def days_of(year: int, month: int, day: int) -> int:
    """Count the days from 1970-01-01 to a date.

    Parameters
    ----------
    year, month, day : int64
        A date; any month from 1 to 12, any day.

    Returns
    -------
    days : int64
        Days of the proleptic Gregorian calendar, negative before 1970; `_NO_DAY` for a day the month does not have.
    """
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    length = 31 - (month - 1) % 7 % 2
    if month == 2:
        length = 29 if leap else 28
    if day < 1 or day > length:
        return _NO_DAY
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400
    days += (367 * month - 362) // 12 + day - 1
    if month > 2:
        days -= 1 if leap else 2
    return days - 719_162


@njit("int64(uint8[::1], int64, int64)", nogil=True, cache=True, error_model="numpy", _nrt=False)
def pair(data: U8, at: int, top: int) -> int:
    """Read two digits.

    Parameters
    ----------
    data, at : uint8[b], int64
        Bytes, and where the two are.
    top : int64
        The largest number allowed.

    Returns
    -------
    value : int64
        Their value, -1 if they are no digits or more than `top`.
    """
    tens, ones = int(np.int64(data[at])) - 0x30, int(np.int64(data[at + 1])) - 0x30
    value = tens * 10 + ones
    return value if 0 <= tens <= 9 and 0 <= ones <= 9 and value <= top else -1


@njit("Tuple((boolean, int64))(uint8[::1], int64, int64)", nogil=True, cache=True, error_model="numpy", _nrt=False)
def offset_us(data: U8, at: int, stop: int) -> tuple[bool, int]:
    """Read ``Z`` or ``+hh:mm`` that fills the rest of a text.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        Bytes, where the offset begins and where the text ends.

    Returns
    -------
    good, offset : bool, int64
        Whether it is one, and microseconds that the local time is ahead.
    """
    if at + 1 == stop:
        return (data[at] | 0x20) == 0x7A, 0
    if at + 6 != stop or data[at + 3] != 0x3A or (data[at] != 0x2B and data[at] != 0x2D):
        return False, 0
    hours, minutes = pair(data, at + 1, 23), pair(data, at + 4, 59)
    ahead = (hours * 60 + minutes) * 60_000_000
    return hours >= 0 and minutes >= 0, ahead if data[at] == 0x2B else -ahead


@njit("Tuple((boolean, int64))(uint8[::1], int64, int64)", nogil=True, cache=True, error_model="numpy", _nrt=False)
def read_instant(data: U8, at: int, stop: int) -> tuple[bool, int]:
    """Read ``YYYY-MM-DDThh:mm:ss``, an optional fraction, and an offset.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        Bytes of the text, where it begins and ends.

    Returns
    -------
    good, instant : bool, int64
        Whether it has this form and is in range, and microseconds since Unix time zero, rounded down.
    """
    if stop - at < 20 or data[at + 4] != 0x2D or data[at + 7] != 0x2D or data[at + 13] != 0x3A or data[at + 16] != 0x3A:
        return False, 0
    if (data[at + 10] | 0x20) != 0x74 and data[at + 10] != 0x20:
        return False, 0
    century, years, month, day = (
        pair(data, at, 99),
        pair(data, at + 2, 99),
        pair(data, at + 5, 12),
        pair(data, at + 8, 31),
    )
    hour, minute, second = pair(data, at + 11, 23), pair(data, at + 14, 59), pair(data, at + 17, 59)
    if min(century, years, day, hour, minute, second) < 0 or month < 1 or century + years == 0:
        return False, 0
    days = days_of(century * 100 + years, month, day)
    if days == _NO_DAY:
        return False, 0
    at += 19
    fraction, scale = 0, 1_000_000
    if data[at] == 0x2E or data[at] == 0x2C:
        at, begin = at + 1, at + 1
        while at < stop and 0x30 <= data[at] <= 0x39:
            scale //= 10
            fraction += (int(np.int64(data[at])) - 0x30) * scale
            at += 1
        if at == begin:
            return False, 0
    good, ahead = offset_us(data, at, stop) if at < stop else (False, 0)
    instant = days * _DAY_US + ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction - ahead
    return good and _FIRST_US <= instant <= _LAST_US, instant


@njit(
    "Tuple((int64, int64, float64))(uint8[::1], int64, int64, int64, int64, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def take_number(data: U8, at: int, stop: int, kind: int, low: int, high: int) -> tuple[int, int, float]:
    """Read a gap of the kinds `INTEGER`, `FLOAT` and `DECIMAL`.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the value begins and where the record ends.
    kind, low, high : int64
        What it is read as, and the bounds of an integer; a decimal has `high` places, and `low` digits before them.

    Returns
    -------
    end, whole, real : int64, int64, float64
        The first byte behind the value, -1 if it is in doubt; the value, a float as `real`.
    """
    end, value, places, negative = read_number(data, at, stop)
    if end < 0:
        return -1, 0, 0.0
    if kind == FLOAT:
        if value >= _EXACT or places > 22:
            return -1, 0, 0.0
        exact = value / _TENS[places]
        return end, 0, -exact if negative and value else exact
    if kind == INTEGER:
        whole = value // int(_WHOLE_TENS[places])  # 5.0 is an integer; whether 5.5 is none is left to the dialect
        if whole * int(_WHOLE_TENS[places]) != value:
            return -1, 0, 0.0
        whole = -whole if negative else whole
        return (end if low <= whole <= high else -1), whole, 0.0
    missing = high - places
    if missing < 0 or missing > _MAX_DIGITS or value >= _WHOLE_TENS[_MAX_DIGITS - missing]:
        return -1, 0, 0.0
    scaled = value * int(_WHOLE_TENS[missing])
    if low + high <= _MAX_DIGITS and scaled >= _WHOLE_TENS[low + high]:
        return -1, 0, 0.0
    return end, -scaled if negative else scaled, 0.0


@njit(
    "Tuple((int64, int64, int64, boolean))(uint8[::1], int64, int64, int64, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def take_text(data: U8, at: int, stop: int, kind: int, longest: int) -> tuple[int, int, int, bool]:
    """Read a gap that holds a string.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the opening quote is and where the record ends.
    kind, longest : int64
        What it is read as, and the longest string allowed, in bytes.

    Returns
    -------
    end, whole, size, foreign : int64, int64, int64, bool
        The first byte behind the string, -1 if it is in doubt; its value or where it begins, and its size; whether a
        byte of it is not ASCII.
    """
    end, foreign, escaped = string_end(data, at + 1, stop)
    if end < 0 or end - at - 1 > longest or INTEGER <= kind <= DECIMAL or (escaped and kind == JSON):
        return -1, 0, 0, False
    if kind == INSTANT:
        good, instant = read_instant(data, at + 1, end)
        return (end + 1 if good else -1), instant, 1, foreign
    if kind == JSON:
        return end + 1, at, end - at + 1, foreign
    return end + 1, (at + 1) | ESCAPED if escaped else at + 1, end - at - 1, foreign


@njit(
    "Tuple((int64, int64, int64))(uint8[::1], int64, int64, int64, boolean)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def take_word(data: U8, at: int, stop: int, kind: int, needed: bool) -> tuple[int, int, int]:
    """Read a gap that holds ``true``, ``false`` or ``null``.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the word begins and where the record ends.
    kind, needed : int64, bool
        What it is read as, and whether null is refused.

    Returns
    -------
    end, whole, size : int64
        The first byte behind the word, -1 if it is in doubt; its value or where it begins, and its size, -1 for null.
    """
    end = word_end(data, at, stop)
    if data[at] == 0x6E:
        return (-1 if needed else end), 0, -1
    if kind == BOOL:
        return end, int(data[at] == 0x74), 1
    return (end if kind in (JSON, SCALAR) else -1), at, end - at


@njit(
    "Tuple((int64, int64, float64, int64, boolean))(uint8[::1], int64, int64, int64, int64, int64, boolean, int64)",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
)
def take_value(
    data: U8, at: int, stop: int, kind: int, low: int, high: int, needed: bool, longest: int
) -> tuple[int, int, float, int, bool]:
    """Read whatever a gap holds.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes, where the value begins and where the record ends.
    kind, low, high, needed : int64, int64, int64, bool
        What it is read as, its bounds as in `take_number`, and whether null is refused.
    longest : int64
        The longest string allowed, in bytes.

    Returns
    -------
    end, whole, real, size, foreign : int64, int64, float64, int64, bool
        The first byte behind the value, -1 if it is in doubt; the value or where it begins; the value of a float; its
        size in bytes where it is text, -1 for null; whether a byte of it is not ASCII.
    """
    if at >= stop:
        return -1, 0, 0.0, 0, False
    if data[at] == 0x22:
        end, whole, size, foreign = take_text(data, at, stop, kind, longest)
        return end, whole, 0.0, size, foreign
    if data[at] >= 0x61:
        end, whole, size = take_word(data, at, stop, kind, needed)
        return end, whole, 0.0, size, False
    if kind in (SCALAR, JSON):
        end = read_number(data, at, stop)[0]
        return end, at, 0.0, end - at, False
    if kind in (STRING, BOOL, INSTANT):
        return -1, 0, 0.0, 0, False
    end, whole, real = take_number(data, at, stop, kind, low, high)
    return end, whole, real, 1, False


@njit(
    "uint8(uint8[::1], int64, int64, uint8[::1], int64[:, ::1], int64, int64, int64, int64, int64[:, ::1],"
    " float64[:, ::1], int32[:, ::1])",
    nogil=True,
    error_model="numpy",
    _nrt=False,
    forceinline=True,
    cache=True,
)
def read_record(
    data: U8,
    at: int,
    stop: int,
    text: U8,
    gaps: Table,
    low: int,
    high: int,
    longest: int,
    row: int,
    number: Table,
    real: Reals,
    size: Sizes,
) -> int:
    """Read one record by one pattern.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The record's bytes and where it begins and ends.
    text, gaps : uint8[t], int64[g, 7]
        As in `read_records`.
    low, high : int64
        The pattern is ``gaps[low:high]``.
    longest, row : int64
        The longest string allowed, in bytes, and where the values belong.
    number, real, size : int64[c, n], float64[c, n], int32[c, n]
        Outputs, as in `read_records`; what is in them means nothing where the answer is `DOUBT`.

    Returns
    -------
    verdict : uint8
        `DOUBT`, `SURE` or `SURE_IF_UTF8`.
    """
    verdict = SURE
    for k in range(low, high):
        kind, column = gaps[k, KIND], gaps[k, COLUMN]
        if not same_text(data, at, stop, text, gaps[k, TEXT], gaps[k, LENGTH]):
            return DOUBT
        at += gaps[k, LENGTH]
        whole, exact, length, foreign = 0, 0.0, -1, False
        if kind == END:
            return verdict if at == stop else DOUBT
        if kind != ABSENT:
            at, whole, exact, length, foreign = take_value(
                data, at, stop, kind, gaps[k, LOW], gaps[k, HIGH], gaps[k, NEEDED] != 0, longest
            )
        if at < 0:
            return DOUBT
        if foreign:
            verdict = SURE_IF_UTF8
        if column >= 0:
            size[column, row] = length
            if kind == FLOAT:
                real[column, row] = exact
            else:
                number[column, row] = whole
    return DOUBT


@njit(
    "void(uint8[::1], int64[::1], int64[::1], uint8[::1], int64[:, ::1], int64[::1], int64, int64[:, ::1],"
    " float64[:, ::1], int32[:, ::1], uint8[::1], int64[::1])",
    nogil=True,
    error_model="numpy",
    _nrt=False,
    cache=True,
)
def read_records(
    data: U8,
    edge: I64,
    rows: I64,
    text: U8,
    gaps: Table,
    first: I64,
    longest: int,
    number: Table,
    real: Reals,
    size: Sizes,
    verdict: U8,
    hits: I64,
) -> None:
    """Read records by the pattern that fits, the one that fitted last first.

    Parameters
    ----------
    data, edge : uint8[b], int64[n + 1]
        Record i is ``data[edge[i]:edge[i + 1]]``.
    rows : int64[m]
        Which of them to read.
    text, gaps, first : uint8[t], int64[g, 7], int64[p + 1]
        The patterns: number j is ``gaps[first[j]:first[j + 1]]``, its constant bytes are in `text`, which has eight
        more at its end.
    longest : int64
        The longest string allowed, in bytes.
    number, real, size : int64[c, n], float64[c, n], int32[c, n]
        Outputs: the value of each column, a float in `real` and any other in `number`, which may be the same memory;
        for text where it begins in `data`, and its size in bytes; -1 for no value.
    verdict, hits : uint8[n], int64[p]
        Outputs: what is known of each row, and how many rows each pattern read, added.

    Notes
    -----
    O(b) where records fit, O(p b) where they do not. Oracle: the dialect.
    """
    last = 0
    for row in rows:
        at, stop = edge[row], edge[row + 1]
        verdict[row] = DOUBT
        for turn in range(-1, len(hits)):
            j = last if turn < 0 else turn
            if turn >= 0 and turn == last:
                continue
            told = read_record(data, at, stop, text, gaps, first[j], first[j + 1], longest, row, number, real, size)
            if told != DOUBT:
                verdict[row] = told
                hits[j] += 1
                last = j
                break
        if verdict[row] == DOUBT:
            size[:, row] = -1


@njit("int64(uint8[::1], int64, int64, uint8[::1], int64)", nogil=True, cache=True, error_model="numpy", _nrt=False)
def unescape(data: U8, at: int, stop: int, out: U8, to: int) -> int:
    """Copy a text, what its escapes stand for in the place of them.

    Parameters
    ----------
    data, at, stop : uint8[b], int64, int64
        The text is ``data[at:stop]``; `string_end` has found no fault in it.
    out, to : uint8[k], int64
        Output, and where to begin in it; it is never longer than the text.

    Returns
    -------
    end : int64
        The first place behind what was written.
    """
    while at < stop:
        if data[at] != 0x5C:
            out[to] = data[at]
            at, to = at + 1, to + 1
            continue
        at, point = escaped_at(data, at, stop)
        if at < 0:
            return to
        if point < 0x80:
            out[to] = point
            to += 1
            continue
        more = 1 if point < 0x800 else 2 if point < 0x10000 else 3
        out[to] = (0xFF00 >> more + 1 & 0xFF) | point >> 6 * more
        for i in range(1, more + 1):
            out[to + i] = 0x80 | (point >> 6 * (more - i) & 0x3F)
        to += more + 1
    return to


@njit(
    "void(uint8[::1], int64[::1], int32[::1], int32[::1], uint8[::1])",
    nogil=True,
    cache=True,
    error_model="numpy",
    _nrt=False,
)
def gather_texts(data: U8, begin: I64, size: I32, edge: I32, out: U8) -> None:
    """Put texts one after another.

    Parameters
    ----------
    data, begin, size : uint8[b], int64[n], int32[n]
        Text i is ``data[begin[i]:begin[i] + size[i]]``; a size below zero is no text. With the bit `ESCAPED` in
        ``begin[i]`` the text has escapes.
    edge, out : int32[n + 1], uint8[k]
        Outputs: where each begins in `out`, and their bytes; `out` has room for all of them as they stand.

    Notes
    -----
    O(n + k). Oracle: a join.
    """
    at = 0
    edge[0] = 0
    for i in range(len(size)):
        if size[i] > 0 and begin[i] & ESCAPED:
            start = begin[i] ^ ESCAPED
            at = unescape(data, start, start + size[i], out, at)
            edge[i + 1] = at
            continue
        # Unsigned, as in `gather` of the records' kernels: a signed index is tried for being negative at every byte.
        first, to = np.uint64(begin[i]), np.uint64(at)
        for k in range(np.uint64(max(size[i], 0))):
            out[to + k] = data[first + k]
        at += max(size[i], 0)
        edge[i + 1] = at
