"""Exact sums: integers in two limbs, floats in fixed point. Nothing here rounds, wraps or depends on order.

Floats: a cell holds six chunks; chunk c counts multiples of ``2**(LOWEST + 32 * c)``. A double is cut into two pieces,
added with its sign to two neighbouring chunks; every so many values the chunks of a cell carry into the next one. Values
outside the window of the chunks are handed back to the caller row by row.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64, Bool

I64x2 = np.ndarray[tuple[int, int], np.dtype[np.int64]]
U8 = np.ndarray[tuple[int], np.dtype[np.uint8]]

CHUNKS = 6
LOWEST = -112
"""Exponent of the lowest chunk's unit: doubles from ``2**-60`` to ``2**80`` fit whole."""
SEEN_NAN, SEEN_PLUS, SEEN_MINUS = 1, 2, 4
CARRY_EVERY = 256
"""A cell carries whenever its count is a multiple of this."""

_LOW32 = 0xFFFFFFFF
_FRACTION = (1 << 52) - 1
_BIAS = 1075
_WIDEST = 32 * CHUNKS - 53
_MAGNITUDE = (1 << 63) - 1
_FULL = 1 << 62
_HALF_FULL = 1 << 61
_LOW62 = _FULL - 1


@njit("void(int64[:, ::1], int64)", nogil=True, cache=True)
def carry_cell(chunks: I64x2, cell: int) -> None:
    """Bring all chunks of one cell but the last into ``[0, 2**32)``; the sign ends up in the last.

    Parameters
    ----------
    chunks : int64[c, 6]
        Sums in fixed point, changed in place; the exact value stays the same.
    cell : int64
        Which row.
    """
    # The bound is a constant on purpose: with the array's own width a row costs a third more.
    for c in range(CHUNKS - 1):
        carry = chunks[cell, c] >> 32
        chunks[cell, c] -= carry << 32
        chunks[cell, c + 1] += carry


@njit("void(int64[::1], int64[:, ::1])", nogil=True, cache=True)
def carry_cells(slot: I64, chunks: I64x2) -> None:
    """Bring the chunks of the cells listed into their one canonical form.

    Parameters
    ----------
    slot : int64[m]
        Cells, each at most once.
    chunks : int64[c, 6]
        Changed in place; the exact values stay the same.

    Notes
    -----
    O(m). Oracle: integer arithmetic in ``tests/unit/windows/test_sums.py``.
    """
    for i in range(len(slot)):
        carry_cell(chunks, slot[i])


@njit("uint8(int64)", nogil=True, cache=True)
def flag_of(bits: int) -> int:
    """Return `SEEN_NAN`, `SEEN_PLUS` or `SEEN_MINUS` for a double that is no finite number.

    Parameters
    ----------
    bits : int64
        Its bit pattern.

    Returns
    -------
    flag : uint8
        What was seen.
    """
    if bits & _FRACTION != 0:
        return SEEN_NAN
    return SEEN_PLUS if bits > 0 else SEEN_MINUS


@njit(
    "int64(int64[::1], boolean[::1], int64[::1], int64[:, ::1], int64[::1], uint8[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def add_floats(slot: I64, valid: Bool, bits: I64, chunks: I64x2, count: I64, flags: U8, spilled: I64) -> int:
    """Add doubles to their cells exactly.

    Parameters
    ----------
    slot : int64[n]
        Cell of each row; negative rows are skipped.
    valid : bool[n]
        False where the value is null.
    bits : int64[n]
        The doubles' bit patterns.
    chunks : int64[c, 6]
        Sums in fixed point, changed in place.
    count : int64[c]
        Values added, infinities and NaN included, changed in place.
    flags : uint8[c]
        `SEEN_NAN`, `SEEN_PLUS`, `SEEN_MINUS`, changed in place.
    spilled : int64[n]
        Output: rows the chunks do not hold; the caller adds them.

    Returns
    -------
    spills : int64
        How many rows of `spilled` were written, ascending.

    Notes
    -----
    O(n). The order of rows never matters. Oracle: ``math.fsum``. An addition is less than 2**53 in any chunk and a
    carry comes at least every `CARRY_EVERY` values, so no chunk leaves int64.

    References
    ----------
    Neal, Fast Exact Summation Using Small and Large Superaccumulators, 2015 (small superaccumulator).
    """
    spills = 0
    for i in range(len(slot)):
        cell = slot[i]
        if cell < 0 or not valid[i]:
            continue
        count[cell] += 1
        if count[cell] % CARRY_EVERY == 0:
            carry_cell(chunks, cell)
        value = bits[i]
        shift = ((value >> 52) & 0x7FF) - (_BIAS + LOWEST)
        if 0 <= shift <= _WIDEST and abs(chunks[cell, CHUNKS - 1]) <= _FULL:
            # Two pieces, the upper one up to 52 bits long, and a sign without a branch: x ^ -1 - -1 is -x.
            sign = value >> 63
            fraction = (value & _FRACTION) | (1 << 52)
            low = (fraction & _LOW32) << (shift & 31)
            high = ((fraction >> 32) << (shift & 31)) + (low >> 32)
            chunks[cell, shift >> 5] += ((low & _LOW32) ^ sign) - sign
            chunks[cell, (shift >> 5) + 1] += (high ^ sign) - sign
        elif (value >> 52) & 0x7FF == 0x7FF:
            flags[cell] |= flag_of(value)
        elif value & _MAGNITUDE != 0:
            spilled[spills] = i
            spills += 1
    return spills


@njit("void(int64[::1], boolean[::1], int64[::1], boolean, int64[::1], int64[::1], int64[::1])", nogil=True, cache=True)
def add_integers(slot: I64, valid: Bool, bits: I64, unsigned: bool, high: I64, low: I64, count: I64) -> None:
    """Add 64-bit integers to their cells exactly.

    Parameters
    ----------
    slot : int64[n]
        Cell of each row; negative rows are skipped.
    valid : bool[n]
        False where the value is null.
    bits : int64[n]
        The integers; those of uint64 by their bit pattern.
    unsigned : bool
        Whether the patterns are uint64.
    high, low : int64[c]
        The sum is ``high * 2**62 + low`` with ``0 <= low < 2**62``, always; changed in place.
    count : int64[c]
        Values added, changed in place.

    Notes
    -----
    O(n). No addition can overflow before 2**60 rows. Oracle: Python integers.
    """
    for i in range(len(slot)):
        cell = slot[i]
        if cell < 0 or not valid[i]:
            continue
        count[cell] += 1
        upper = bits[i] >> 62
        if unsigned:
            upper &= 3
        total = low[cell] + (bits[i] & _LOW62)
        if total >= _FULL:
            total -= _FULL
            upper += 1
        low[cell] = total
        high[cell] += upper


@njit("void(int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])", nogil=True, cache=True)
def merge_integers(into: I64, source: I64, high: I64, low: I64, count: I64) -> None:
    """Add the sums of cells to those of others exactly, pair by pair.

    Parameters
    ----------
    into, source : int64[m]
        Cells; one may stand on both sides, and more than once.
    high, low, count : int64[c]
        As in `add_integers`, changed in place.

    Notes
    -----
    O(m). Oracle: Python integers.
    """
    for i in range(len(into)):
        a, b = into[i], source[i]
        count[a] += count[b]
        upper = high[b]
        total = low[a] + low[b]
        if total >= _FULL:
            total -= _FULL
            upper += 1
        low[a] = total
        high[a] += upper


@njit("int64(int64[::1], int64[::1], int64, int64[:, ::1], int64[::1], uint8[::1])", nogil=True, cache=True)
def merge_floats(into: I64, source: I64, begin: int, chunks: I64x2, count: I64, flags: U8) -> int:
    """Add the sums of cells to those of others exactly, pair by pair, until one does not fit.

    Parameters
    ----------
    into, source : int64[m]
        Cells; one may stand on both sides, and more than once.
    begin : int64
        Pair to begin at.
    chunks, count, flags : int64[c, 6], int64[c], uint8[c]
        As in `add_floats`, changed in place; a source may change its form, never its value.

    Returns
    -------
    pair : int64
        The first pair whose last chunks might overflow together, untouched; m when all are done.

    Notes
    -----
    O(m). A cell carries when one of its chunks is half full: that leaves room for `CARRY_EVERY` more values, and for
    one more merge after them. Oracle: ``math.fsum`` over all values.
    """
    for i in range(begin, len(into)):
        a, b = into[i], source[i]
        if abs(chunks[a, CHUNKS - 1]) > _HALF_FULL or abs(chunks[b, CHUNKS - 1]) > _HALF_FULL:
            carry_cell(chunks, a)
            carry_cell(chunks, b)
            if abs(chunks[a, CHUNKS - 1]) > _HALF_FULL or abs(chunks[b, CHUNKS - 1]) > _HALF_FULL:
                return i
        widest = 0
        for c in range(CHUNKS):
            both = chunks[a, c] + chunks[b, c]
            chunks[a, c] = both
            widest |= both ^ (both >> 63)  # the magnitude, less one where it is negative: no branch on the data
        if widest >= _HALF_FULL:
            carry_cell(chunks, a)
        count[a] += count[b]
        flags[a] |= flags[b]
    return len(into)
