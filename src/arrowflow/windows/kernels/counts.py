"""Counting rows and values into cells. The row counts here are what the balance rule believes."""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64, Bool

U8 = np.ndarray[tuple[int], np.dtype[np.uint8]]


@njit("int64(int64[::1], int64[::1], uint8[::1], uint8)", nogil=True, cache=True)
def count_rows(slot: I64, rows: I64, touched: U8, mark: int) -> int:
    """Add one to the row count of each row's cell and mark the cell as touched.

    Parameters
    ----------
    slot : int64[n]
        Cell of each row; negative rows are skipped.
    rows : int64[c]
        Row counts, changed in place.
    touched : uint8[c]
        Set to `mark` for every cell that got a row.
    mark : uint8
        What to set.

    Returns
    -------
    folded : int64
        How many increments were made: counted here, never derived from other counts.

    Notes
    -----
    O(n). Oracle: ``tests/oracles/windows.py``, ``rows``.
    """
    folded = 0
    for i in range(len(slot)):
        cell = slot[i]
        if cell >= 0:
            rows[cell] += 1
            touched[cell] = mark
            folded += 1
    return folded


@njit("void(int64[::1], boolean[::1], int64[::1])", nogil=True, cache=True)
def count_values(slot: I64, valid: Bool, count: I64) -> None:
    """Add one to a cell's count for each row whose value is not null.

    Parameters
    ----------
    slot : int64[n]
        Cell of each row; negative rows are skipped.
    valid : bool[n]
        False where the value is null.
    count : int64[c]
        Counts, changed in place.

    Notes
    -----
    O(n). Oracle: ``tests/oracles/windows.py::finish``, ``count``.
    """
    for i in range(len(slot)):
        if slot[i] >= 0 and valid[i]:
            count[slot[i]] += 1


@njit("void(int64[::1], int64[::1], int64[::1])", nogil=True, cache=True)
def merge_counts(into: I64, source: I64, count: I64) -> None:
    """Add the counts of cells to those of others, pair by pair.

    Parameters
    ----------
    into, source : int64[m]
        Cells; one may stand on both sides, and more than once.
    count : int64[c]
        Counts, changed in place.

    Notes
    -----
    O(m). Oracle: one pass over all values.
    """
    for i in range(len(into)):
        count[into[i]] += count[source[i]]
