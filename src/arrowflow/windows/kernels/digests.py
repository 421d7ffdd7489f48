"""Hashes of byte strings for the digest of the state: equal on every machine and in every version. Not cryptographic."""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64

U8 = np.ndarray[tuple[int], np.dtype[np.uint8]]
U64 = np.ndarray[tuple[int], np.dtype[np.uint64]]

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_FOLD = np.uint64(15)
_BASIS_A = np.uint64(0x811C9DC5)
_BASIS_B = np.uint64(0x9747B28C)
_PRIME_A = np.uint64(0x01000193)
_PRIME_B = np.uint64(0x85EBCA6B)


@njit("void(int64[::1], uint8[::1], uint64[::1])", nogil=True, cache=True)
def hash_strings(edge: I64, data: U8, out: U64) -> None:
    """Hash each byte string in two 32-bit lanes.

    Parameters
    ----------
    edge : int64[n + 1]
        String i is ``data[edge[i]:edge[i + 1]]``.
    data : uint8[b]
        The bytes.
    out : uint64[n]
        Output: lane a in the low half, lane b in the high half; a step is ``lane = (lane ^ byte) * prime`` modulo
        2**32, then ``lane ^= lane >> 15``.

    Notes
    -----
    O(b). Products stay below 2**64, so nothing wraps. Oracle: ``tests/oracles/digest.py``.
    """
    for i in range(len(out)):
        lane_a, lane_b = _BASIS_A, _BASIS_B
        for j in range(edge[i], edge[i + 1]):
            byte = np.uint64(data[j])
            lane_a = ((lane_a ^ byte) * _PRIME_A) & _LOW
            lane_b = ((lane_b ^ byte) * _PRIME_B) & _LOW
            lane_a = lane_a ^ (lane_a >> _FOLD)
            lane_b = lane_b ^ (lane_b >> _FOLD)
        out[i] = lane_a | (lane_b << _HALF)
