"""Open addressing over byte strings kept one after another in an arena. Compares bytes; knows no encoding, never shrinks."""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64, Bool

U8 = np.ndarray[tuple[int], np.dtype[np.uint8]]
U32 = np.ndarray[tuple[int], np.dtype[np.uint32]]
I32 = np.ndarray[tuple[int], np.dtype[np.int32]]

_ONE = np.uint64(1)
_WORD = np.uint64(8)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_C1 = np.uint64(0x9E3779B1)
_C2 = np.uint64(0x85EBCA77)
_C3 = np.uint64(0xC2B2AE3D)
_C4 = np.uint64(0x27D4EB2F)
_C5 = np.uint64(0x165667B1)
_C6 = np.uint64(0xD6E8FEB9)


@njit("uint64(uint8[::1], uint64, uint64)", nogil=True, cache=True)
def hash_text(data: U8, first: np.uint64, stop: np.uint64) -> np.uint64:
    """Hash ``data[first:stop]`` eight bytes at a time, its length among what is mixed; not a digest.

    Parameters
    ----------
    data : uint8[b]
        The bytes.
    first, stop : uint64
        Which of them; unsigned, so that no look-up has to ask whether its place is negative.

    Returns
    -------
    hash : uint64
        Its low bits are well mixed.
    """
    mixed = stop - first  # or zero bytes at the end would be none
    while first < stop:
        word = np.uint64(0)
        for at in range(first, min(stop, first + _WORD)):
            word = (word << _WORD) | np.uint64(data[at])
        # Products of halves cannot overflow, so this needs no wrap-around and is the same without the JIT.
        mixed = ((mixed & _LOW) * _C1) ^ ((mixed >> _HALF) * _C2) ^ ((word & _LOW) * _C3) ^ ((word >> _HALF) * _C4)
        mixed = mixed ^ (mixed >> _HALF)
        mixed = ((mixed & _LOW) * _C5) ^ ((mixed >> _HALF) * _C6)
        mixed = mixed ^ (mixed >> _HALF)
        first += _WORD
    return mixed


@njit("boolean(uint8[::1], uint64, uint8[::1], uint64, uint64)", nogil=True, cache=True)
def same_bytes(left: U8, here: np.uint64, right: U8, there: np.uint64, size: np.uint64) -> bool:
    """Compare ``left[here:here + size]`` with ``right[there:there + size]``.

    Parameters
    ----------
    left, here : uint8[b], uint64
        Bytes, and from where on.
    right, there : uint8[c], uint64
        The others.
    size : uint64
        How many; both have them.

    Returns
    -------
    same : bool
        Whether they are equal.
    """
    at = np.uint64(0)
    while at < size:
        if left[here + at] != right[there + at]:
            return False
        at += _ONE
    return True


@njit(
    "uint64(uint8[::1], uint64, uint64, uint64, int32[::1], uint32[::1], int64[::1], uint8[::1])",
    nogil=True,
    cache=True,
)
def probe_text(
    data: U8,
    first: np.uint64,
    size: np.uint64,
    hashed: np.uint64,
    index: I32,
    hashes: U32,
    known_edge: I64,
    known: U8,
) -> np.uint64:
    """Walk the hash table to the place of ``data[first:first + size]``, or to the free place where it belongs.

    Parameters
    ----------
    data : uint8[b]
        The bytes it is among.
    first, size, hashed : uint64
        Where it begins, its length, and its hash.
    index, hashes, known_edge, known : int32[s], uint32[c], int64[c + 1], uint8[k]
        As in `intern_texts`.

    Returns
    -------
    at : uint64
        Place in `index`.
    """
    mask = np.uint64(len(index) - 1)
    at = hashed & mask
    while index[at] >= 0:
        j = index[at]
        there = np.uint64(known_edge[j])
        alike = hashes[j] == np.uint32(hashed & _LOW) and np.uint64(known_edge[j + 1]) - there == size
        if alike and same_bytes(data, first, known, there, size):
            break
        at = (at + _ONE) & mask
    return at


@njit(
    "Tuple((int64, int64))(int64[::1], uint8[::1], boolean[::1], int64, int64, int64, int64[::1], int32[::1],"
    " uint32[::1], int64[::1], uint8[::1])",
    nogil=True,
    cache=True,
)
def intern_texts(
    edge: I64,
    data: U8,
    valid: Bool,
    begin: int,
    used: int,
    null: int,
    number: I64,
    index: I32,
    hashes: U32,
    known_edge: I64,
    known: U8,
) -> tuple[int, int]:
    """Give each byte string a dense number, new ones the next free, until there is no room.

    Parameters
    ----------
    edge, data, valid : int64[n + 1], uint8[b], bool[n]
        String i is ``data[edge[i]:edge[i + 1]]``, or null.
    begin, used, null : int64
        Row to begin at, how many strings are known, and the number of null.
    number : int64[n]
        Output, from `begin` to the row returned.
    index : int32[s]
        The hash table: a number, or -1 where free; `s` is a power of two and at least ``2 * c``.
    hashes : uint32[c]
        The low half of the hash, by number; the first `used` are set.
    known_edge, known : int64[c + 1], uint8[k]
        String j is ``known[known_edge[j]:known_edge[j + 1]]``; strings are appended in place.

    Returns
    -------
    row, used : int64
        First row not done (n when all are, less when there is no room for it), and how many strings are known now.

    Notes
    -----
    O(n + b) expected: at most half of the table is taken, so a probe always ends. Oracle: a dict.
    """
    for i in range(begin, len(number)):
        if not valid[i]:
            number[i] = null
            continue
        first, stop = np.uint64(edge[i]), np.uint64(edge[i + 1])
        size = stop - first
        hashed = hash_text(data, first, stop)
        at = probe_text(data, first, size, hashed, index, hashes, known_edge, known)
        if index[at] < 0:
            end = np.uint64(known_edge[used])
            if used == len(hashes) or end + size > np.uint64(len(known)):
                return i, used
            for k in range(size):
                known[end + k] = data[first + k]
            known_edge[used + 1] = end + size
            hashes[used] = np.uint32(hashed & _LOW)
            index[at] = used
            used += 1
        number[i] = index[at]
    return len(number), used


@njit("void(uint32[::1], int64, int64, int32[::1])", nogil=True, cache=True)
def index_texts(hashes: U32, used: int, null: int, index: I32) -> None:
    """Fill a free hash table with the strings already known.

    Parameters
    ----------
    hashes : uint32[c]
        The low half of the hash, by number; the first `used` are set.
    used, null : int64
        How many, and which of them stands for null and is no string; -1 for none.
    index : int32[s]
        Output: all -1 on entry; `s` is a power of two, at least twice `used` and at most ``2**32``.

    Notes
    -----
    O(used) expected. Oracle: a dict.
    """
    mask = np.uint64(len(index) - 1)
    for j in range(used):
        if j == null:
            continue
        at = np.uint64(hashes[j]) & mask
        while index[at] >= 0:
            at = (at + _ONE) & mask
        index[at] = j
