"""128-bit integers: exact sums in three limbs, and the least of each cell. Knows nothing of scales."""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64, Bool

I64x2 = np.ndarray[tuple[int, int], np.dtype[np.int64]]
U8 = np.ndarray[tuple[int], np.dtype[np.uint8]]

LIMBS = 3
"""A sum is ``limbs[0] + limbs[1] * 2**62 + limbs[2] * 2**124``, the first two in ``[0, 2**62)``."""

_FULL = 1 << 62
_LOW62 = _FULL - 1
_LOW60 = (1 << 60) - 1
_SIGN = -(2**63)


@njit("void(int64[:, ::1], int64, int64, int64, int64)", nogil=True, cache=True, inline="always")
def add_limbs(limbs: I64x2, cell: int, first: int, second: int, third: int) -> None:
    """Add one number in limbs to the sum of a cell, and carry.

    Parameters
    ----------
    limbs : int64[c, 3]
        Sums, changed in place.
    cell : int64
        Which row.
    first, second, third : int64
        The number, its first two limbs in ``[0, 2**62)``.
    """
    first += limbs[cell, 0]
    second += limbs[cell, 1]
    third += limbs[cell, 2]
    if first >= _FULL:
        first -= _FULL
        second += 1
    if second >= _FULL:
        second -= _FULL
        third += 1
    limbs[cell, 0], limbs[cell, 1], limbs[cell, 2] = first, second, third


@njit("void(int64[::1], boolean[::1], int64[:, ::1], int64[:, ::1], int64[::1])", nogil=True, cache=True)
def add_decimals(slot: I64, valid: Bool, words: I64x2, limbs: I64x2, count: I64) -> None:
    """Add 128-bit integers to their cells exactly.

    Parameters
    ----------
    slot : int64[n]
        Cell of each row; negative rows are skipped.
    valid : bool[n]
        False where the value is null.
    words : int64[n, 2]
        Two's complement, low word first.
    limbs : int64[c, 3]
        Sums, changed in place.
    count : int64[c]
        Values added, changed in place.

    Notes
    -----
    O(n). No addition can overflow before 2**59 rows. Oracle: Python integers.
    """
    for i in range(len(slot)):
        cell = slot[i]
        if cell < 0 or not valid[i]:
            continue
        count[cell] += 1
        low, high = words[i, 0], words[i, 1]
        add_limbs(limbs, cell, low & _LOW62, ((low >> 62) & 3) | ((high & _LOW60) << 2), high >> 60)


@njit("void(int64[::1], int64[::1], int64[:, ::1], int64[::1])", nogil=True, cache=True)
def merge_decimals(into: I64, source: I64, limbs: I64x2, count: I64) -> None:
    """Add the sums of cells to those of others exactly, pair by pair.

    Parameters
    ----------
    into, source : int64[m]
        Cells; one may stand on both sides, and more than once.
    limbs, count : int64[c, 3], int64[c]
        As in `add_decimals`, changed in place.

    Notes
    -----
    O(m). Oracle: Python integers.
    """
    for i in range(len(into)):
        a, b = into[i], source[i]
        count[a] += count[b]
        add_limbs(limbs, a, limbs[b, 0], limbs[b, 1], limbs[b, 2])


@njit("boolean(int64, int64, int64, int64)", nogil=True, cache=True)
def is_less(low: int, high: int, other_low: int, other_high: int) -> bool:
    """Whether one 128-bit integer is below another.

    Parameters
    ----------
    low, high, other_low, other_high : int64
        Two's complement words.

    Returns
    -------
    less : bool
        False for equal ones.
    """
    # With its sign bit turned, an unsigned word sorts as a signed one.
    return high < other_high or (high == other_high and (low ^ _SIGN) < (other_low ^ _SIGN))


@njit("void(int64[::1], boolean[::1], int64[:, ::1], int64[:, ::1], uint8[::1])", nogil=True, cache=True)
def keep_least_decimal(slot: I64, valid: Bool, words: I64x2, least: I64x2, seen: U8) -> None:
    """Keep the least 128-bit integer of each cell; of inverted ones, that is the largest.

    Parameters
    ----------
    slot : int64[n]
        Cell of each row; negative rows are skipped.
    valid : bool[n]
        False where the value is null.
    words : int64[n, 2]
        Two's complement, low word first.
    least : int64[c, 2]
        Least so far where `seen` is not zero, changed in place.
    seen : uint8[c]
        Whether a cell has a value, changed in place.

    Notes
    -----
    O(n). Oracle: Python integers.
    """
    for i in range(len(slot)):
        cell = slot[i]
        if cell < 0 or not valid[i]:
            continue
        if seen[cell] == 0 or is_less(words[i, 0], words[i, 1], least[cell, 0], least[cell, 1]):
            seen[cell] = 1
            least[cell, 0], least[cell, 1] = words[i, 0], words[i, 1]


@njit("void(int64[::1], int64[::1], int64[:, ::1], uint8[::1])", nogil=True, cache=True)
def merge_least_decimal(into: I64, source: I64, least: I64x2, seen: U8) -> None:
    """Keep the lesser integer of two cells in the first, pair by pair.

    Parameters
    ----------
    into, source : int64[m]
        Cells; one may stand on both sides, and more than once.
    least, seen : int64[c, 2], uint8[c]
        As in `keep_least_decimal`, changed in place.

    Notes
    -----
    O(m). Oracle: one pass over all values.
    """
    for i in range(len(into)):
        a, b = into[i], source[i]
        if seen[b] == 0:
            continue
        if seen[a] == 0 or is_less(least[b, 0], least[b, 1], least[a, 0], least[a, 1]):
            seen[a] = 1
            least[a, 0], least[a, 1] = least[b, 0], least[b, 1]
