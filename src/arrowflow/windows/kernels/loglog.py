"""Registers of HyperLogLog over 64-bit hashes. Order and repeats never matter."""

from __future__ import annotations

import numpy as np
from numba import njit

U8 = np.ndarray[tuple[int], np.dtype[np.uint8]]
U64 = np.ndarray[tuple[int], np.dtype[np.uint64]]

REST = 50
"""The top 14 bits of a hash pick its register, the other 50 give its rank."""

_SHIFT = np.uint64(REST)
_ONE = np.uint64(1)
_ALL_REST = np.uint64((1 << REST) - 1)
_TOP = np.uint64(1 << (REST - 1))


@njit("uint8(uint64)", nogil=True, cache=True)
def rank_of(hashed: np.uint64) -> int:
    """One more than the zeros before the first one among the low 50 bits.

    Parameters
    ----------
    hashed : uint64
        Well mixed.

    Returns
    -------
    rank : uint8
        In ``[1, 51]``; 51 if all are zero.
    """
    rest = hashed & _ALL_REST
    rank = 1
    bit = _TOP
    while rank <= REST and rest & bit == 0:
        bit = bit >> _ONE
        rank += 1
    return rank


@njit("int64(uint8[::1], uint64[::1])", nogil=True, cache=True)
def raises_registers(registers: U8, hashes: U64) -> int:
    """Count the hashes that `raise_registers` would not ignore.

    Parameters
    ----------
    registers : uint8[16384]
        Ranks.
    hashes : uint64[n]
        Well mixed.

    Returns
    -------
    count : int64
        How many have a rank above their register's.
    """
    count = 0
    for i in range(len(hashes)):
        if rank_of(hashes[i]) > registers[np.int64(hashes[i] >> _SHIFT)]:
            count += 1
    return count


@njit("void(uint8[::1], uint64[::1])", nogil=True, cache=True)
def raise_registers(registers: U8, hashes: U64) -> None:
    """Keep the largest rank of each register.

    Parameters
    ----------
    registers : uint8[16384]
        Ranks, changed in place.
    hashes : uint64[n]
        Well mixed.

    Notes
    -----
    O(n). Oracle: a loop over bits in ``tests/oracles/aggregates.py``.
    """
    for i in range(len(hashes)):
        at = np.int64(hashes[i] >> _SHIFT)
        registers[at] = max(registers[at], rank_of(hashes[i]))
