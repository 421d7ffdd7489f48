"""Open addressing over pairs of 64-bit patterns. Never compares values, only bits; never shrinks.

Products of 32-bit halves cannot overflow 64 bits, so the hash needs no wrap-around and is the same with and
without the JIT.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64

U64 = np.ndarray[tuple[int], np.dtype[np.uint64]]
I8 = np.ndarray[tuple[int], np.dtype[np.int8]]
I32 = np.ndarray[tuple[int], np.dtype[np.int32]]
U64x3 = np.ndarray[tuple[int, int], np.dtype[np.uint64]]

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ONE = np.uint64(1)
_C1 = np.uint64(0x9E3779B1)
_C2 = np.uint64(0x85EBCA77)
_C3 = np.uint64(0xC2B2AE3D)
_C4 = np.uint64(0x27D4EB2F)
_C5 = np.uint64(0x165667B1)
_C6 = np.uint64(0xD6E8FEB9)
_GONE = np.uint64(2**64 - 1)


@njit("uint64(uint64, uint64)", nogil=True, cache=True)
def hash_pair(left: np.uint64, right: np.uint64) -> np.uint64:
    """Mix two bit patterns into one; equal across machines, not a digest.

    Parameters
    ----------
    left, right : uint64
        Any bits.

    Returns
    -------
    hash : uint64
        Its low bits are well mixed.
    """
    mixed = ((left & _LOW) * _C1) ^ ((left >> _HALF) * _C2) ^ ((right & _LOW) * _C3) ^ ((right >> _HALF) * _C4)
    mixed = mixed ^ (mixed >> _HALF)
    mixed = ((mixed & _LOW) * _C5) ^ ((mixed >> _HALF) * _C6)
    return mixed ^ (mixed >> _HALF)


@njit("uint64(uint64, uint64, int32[::1], uint64[::1], uint64[::1])", nogil=True, cache=True)
def probe_pair(left: np.uint64, right: np.uint64, index: I32, known_left: U64, known_right: U64) -> np.uint64:
    """Walk the hash table to the place of a pair, or to the free place where it belongs.

    Parameters
    ----------
    left, right : uint64
        The pair.
    index, known_left, known_right : int32[s], uint64[c], uint64[c]
        As in `intern_pairs`.

    Returns
    -------
    at : uint64
        Place in `index`.
    """
    mask = np.uint64(len(index) - 1)
    at: np.uint64 = hash_pair(left, right) & mask
    while index[at] >= 0 and not (known_left[index[at]] == left and known_right[index[at]] == right):
        at = (at + _ONE) & mask
    return at


@njit(
    "Tuple((int64, int64))(uint64[::1], uint64[::1], int8[::1], int64, int64, int64[::1], int64[::1],"
    " uint64[:, ::1], int32[::1], uint64[::1], uint64[::1])",
    nogil=True,
    cache=True,
)
def intern_pairs(
    left: U64,
    right: U64,
    fate: I8,
    begin: int,
    used: int,
    identity: I64,
    born: I64,
    near: U64x3,
    index: I32,
    known_left: U64,
    known_right: U64,
) -> tuple[int, int]:
    """Give each pair a dense number, new ones the next free, until there is no room.

    Parameters
    ----------
    left, right : uint64[n]
        The pairs.
    fate : int8[n]
        Rows other than 0 get -1 and leave no trace.
    begin, used : int64
        Row to begin at, and how many pairs are known.
    identity, born : int64[n], int64[c]
        Output: number of each pair from `begin` to the row returned; for a new number, the row that brought it.
    near : uint64[h, 3]
        Per left part, modulo h (a power of two), the pair met last and its number, in one line of memory; changed in
        place. A blank line holds a left part that no row has.
    index : int32[s]
        The hash table: a number, or -1 where free; `s` is a power of two and at least ``2 * c``.
    known_left, known_right : uint64[c]
        Pairs by number; the first `used` are set.

    Returns
    -------
    row, used : int64
        First row not done (n when all are, less when the table must grow), and how many pairs are known now.

    Notes
    -----
    O(n) expected: at most half of the table is taken, so a probe always ends; a line that does not fit costs a look. Oracle: a dict.
    """
    lines = np.uint64(len(near) - 1)
    for i in range(begin, len(left)):
        identity[i] = -1
        if fate[i] != 0:
            continue
        line = left[i] & lines
        if near[line, 0] != left[i] or near[line, 1] != right[i]:
            at = probe_pair(left[i], right[i], index, known_left, known_right)
            if index[at] < 0:
                if used == len(known_left):
                    return i, used
                index[at] = used
                known_left[used], known_right[used], born[used] = left[i], right[i], i
                used += 1
            near[line, 0], near[line, 1], near[line, 2] = left[i], right[i], index[at]
        identity[i] = near[line, 2]
    return len(left), used


@njit("void(uint64[::1], uint64[::1], int64, int32[::1])", nogil=True, cache=True)
def index_pairs(known_left: U64, known_right: U64, used: int, index: I32) -> None:
    """Fill a free hash table with the pairs already known.

    Parameters
    ----------
    known_left, known_right : uint64[c]
        Pairs by number; the first `used` are set, and distinct but for those that are gone: their left part is all
        ones, and they are left out, as all of them would stand in each other's way.
    used : int64
        How many.
    index : int32[s]
        Output: all -1 on entry; `s` is a power of two and at least twice `used`.

    Notes
    -----
    O(used) expected. Oracle: a dict.
    """
    mask = np.uint64(len(index) - 1)
    for number in range(used):
        if known_left[number] == _GONE:
            continue
        at = hash_pair(known_left[number], known_right[number]) & mask
        while index[at] >= 0:
            at = (at + _ONE) & mask
        index[at] = number
