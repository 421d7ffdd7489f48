"""The least value of each cell, over order-preserving int64 codes. Largest is least of the inverted code."""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64, Bool

U8 = np.ndarray[tuple[int], np.dtype[np.uint8]]


@njit("void(int64[::1], boolean[::1], int64[::1], int64[::1], uint8[::1])", nogil=True, cache=True)
def keep_least(slot: I64, valid: Bool, code: I64, least: I64, seen: U8) -> None:
    """Keep the least code of each cell.

    Parameters
    ----------
    slot : int64[n]
        Cell of each row; negative rows are skipped.
    valid : bool[n]
        False where the value is null.
    code : int64[n]
        Smaller code, smaller value.
    least : int64[c]
        Least code so far where `seen` is not zero, changed in place.
    seen : uint8[c]
        Whether a cell has a value, changed in place.

    Notes
    -----
    O(n). Oracle: ``tests/oracles/windows.py::finish``, ``min`` and ``max``.
    """
    for i in range(len(slot)):
        cell = slot[i]
        if cell >= 0 and valid[i] and (seen[cell] == 0 or code[i] < least[cell]):
            seen[cell] = 1
            least[cell] = code[i]


@njit("void(int64[::1], int64[::1], int64[::1], uint8[::1])", nogil=True, cache=True)
def merge_least(into: I64, source: I64, least: I64, seen: U8) -> None:
    """Keep the lesser code of two cells in the first, pair by pair.

    Parameters
    ----------
    into, source : int64[m]
        Cells; one may stand on both sides, and more than once.
    least : int64[c]
        Least code where `seen` is not zero, changed in place.
    seen : uint8[c]
        Whether a cell has a value, changed in place.

    Notes
    -----
    O(m). Oracle: one pass over all values.
    """
    for i in range(len(into)):
        a, b = into[i], source[i]
        if seen[b] != 0 and (seen[a] == 0 or least[b] < least[a]):
            seen[a] = 1
            least[a] = least[b]
