"""Sorted runs of integers, one per cell, and their unions. Knows nothing of what the integers stand for."""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64, Bool

U64 = np.ndarray[tuple[int], np.dtype[np.uint64]]
I32 = np.ndarray[tuple[int], np.dtype[np.int32]]


@njit("int64(int64[::1], boolean[::1], int64[::1], uint64[::1], int32[::1], int64[::1])", nogil=True, cache=True)
def first_rows(slot: I64, valid: Bool, key: I64, hashed: U64, index: I32, kept: I64) -> int:
    """List the first row of each (cell, key), by open addressing.

    Parameters
    ----------
    slot : int64[n]
        Cell of each row; negative rows are skipped.
    valid : bool[n]
        False for rows to skip.
    key : int64[n]
        Any bits.
    hashed : uint64[n]
        A well mixed hash of cell and key.
    index : int32[s]
        All -1 on entry; `s` is a power of two and at least ``2 * n``.
    kept : int64[n]
        Output: rows, ascending.

    Returns
    -------
    count : int64
        How many entries of `kept` were written.

    Notes
    -----
    O(n) expected. Oracle: a set.
    """
    mask = np.uint64(len(index) - 1)
    one = np.uint64(1)
    count = 0
    for i in range(len(slot)):
        if slot[i] < 0 or not valid[i]:
            continue
        at = hashed[i] & mask
        while index[at] >= 0 and not (slot[index[at]] == slot[i] and key[index[at]] == key[i]):
            at = (at + one) & mask
        if index[at] < 0:
            index[at] = i
            kept[count] = i
            count += 1
    return count


@njit(
    "void(int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def unite_runs(
    edge: I64,
    key: I64,
    count: I64,
    other_edge: I64,
    other_key: I64,
    other_count: I64,
    out_edge: I64,
    out_key: I64,
    out_count: I64,
) -> None:
    """Unite two sorted runs per cell; the counts of a key that both have are added.

    Parameters
    ----------
    edge, key, count : int64[c + 1], int64[a], int64[a]
        Cell i has the keys ``key[edge[i]:edge[i + 1]]``, strictly ascending, each `count` times.
    other_edge, other_key, other_count : int64[c + 1], int64[b], int64[b]
        The others, in the same form.
    out_edge : int64[c + 1]
        Output, in the same form.
    out_key, out_count : int64[a + b]
        Output, the first ``out_edge[c]`` are written.

    Notes
    -----
    O(a + b). Oracle: ``collections.Counter``.
    """
    at = 0
    for cell in range(len(edge) - 1):
        out_edge[cell] = at
        i, j = edge[cell], other_edge[cell]
        while i < edge[cell + 1] or j < other_edge[cell + 1]:
            if j == other_edge[cell + 1] or (i < edge[cell + 1] and key[i] < other_key[j]):
                out_key[at], out_count[at] = key[i], count[i]
                i += 1
            elif i == edge[cell + 1] or other_key[j] < key[i]:
                out_key[at], out_count[at] = other_key[j], other_count[j]
                j += 1
            else:
                out_key[at], out_count[at] = key[i], count[i] + other_count[j]
                i += 1
                j += 1
            at += 1
    out_edge[len(edge) - 1] = at
