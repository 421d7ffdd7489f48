"""From event times to windows, and what becomes of each row. Touches no state.

The fate of a row is an int8: `FOLD`, `LATE`, or a reason to reject it. Later kernels look at rows of fate `FOLD` only.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64

I8 = np.ndarray[tuple[int], np.dtype[np.int8]]

FOLD, LATE, OUT_OF_RANGE, NO_CALENDAR, OFF, UNKNOWN = 0, 1, 2, 3, 4, 5

_MAX_US = 2**63 - 1
_MIN_US = -(2**63)


@njit("void(int64[::1], int64, int64, int64[::1], int64[::1], int8[::1])", nogil=True, cache=True)
def assign_tumbling(event_us: I64, size_us: int, origin_us: int, start_us: I64, end_us: I64, fate: I8) -> None:
    """Find the one window ``[start, start + size)`` of each row; starts are `origin_us` plus multiples of the size.

    Parameters
    ----------
    event_us : int64[n]
        Event times in microseconds; negative and unsorted are fine.
    size_us, origin_us : int64
        Microseconds; the size is positive, the origin anything.
    start_us, end_us : int64[n]
        Output: the window; zero where it does not fit into int64.
    fate : int8[n]
        Output: `FOLD`, or `OUT_OF_RANGE` where the window does not fit into int64.

    Notes
    -----
    O(n); a row in the same window as the row before it costs two comparisons, no division.
    Oracle: ``tests/oracles/windows.py::tumbling``.
    """
    phase = origin_us % size_us
    start, end = 0, 0
    for i in range(len(event_us)):
        event = event_us[i]
        if not start <= event < end:
            # Both remainders are in [0, size), so nothing overflows whatever the origin.
            into = (event % size_us - phase) % size_us
            if event < _MIN_US + into or event - into > _MAX_US - size_us:
                start_us[i], end_us[i], fate[i] = 0, 0, OUT_OF_RANGE
                continue
            start = event - into
            end = start + size_us
        start_us[i], end_us[i], fate[i] = start, end, FOLD


@njit(
    "int64(int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int8[::1])",
    nogil=True,
    cache=True,
)
def assign_calendar(
    event_us: I64, key: I64, first: I64, stop: I64, start_us: I64, end_us: I64, window: I64, fate: I8
) -> int:
    """Find the calendar window of each row by bisection in the windows of its key.

    Parameters
    ----------
    event_us : int64[n]
        Event times in microseconds.
    key : int64[n]
        Index into `first` and `stop`, for rows of fate `FOLD`.
    first, stop : int64[k]
        The windows of key j are ``[first[j], stop[j])`` in the arrays below; -1 where it has no calendar.
    start_us, end_us : int64[m]
        Windows ``[start, end)`` per key ascending and disjoint; there may be gaps that are not known yet.
    window : int64[n]
        Output: index of the row's window; -1 where there is none.
    fate : int8[n]
        In: rows other than `FOLD` are left alone. Out: `NO_CALENDAR`, or `UNKNOWN` where the windows given do not
        hold the instant.

    Returns
    -------
    unknown : int64
        How many rows are `UNKNOWN`.

    Notes
    -----
    O(n log m), O(n) while a key stays in one window. Oracle: ``tests/oracles/windows.py::calendar``.
    """
    unknown = 0
    hint = first.copy()
    for i in range(len(event_us)):
        window[i] = -1
        if fate[i] != FOLD:
            continue
        k = key[i]
        event = event_us[i]
        if first[k] < 0:
            fate[i] = NO_CALENDAR
            continue
        at = hint[k]
        if not (at < stop[k] and start_us[at] <= event < end_us[at]):
            low, high = first[k], stop[k]
            while low < high:
                middle = (low + high) // 2
                if start_us[middle] <= event:
                    low = middle + 1
                else:
                    high = middle
            at = low - 1
            if at < first[k] or event >= end_us[at]:
                fate[i] = UNKNOWN
                unknown += 1
                continue
            hint[k] = at
        window[i] = at
    return unknown


@njit("int64(int64[::1], int64[::1], int64, int8[::1])", nogil=True, cache=True)
def judge_late(end_us: I64, clock_us: I64, lateness_us: int, fate: I8) -> int:
    """Mark rows whose window the row's own partition has left behind: ``end + lateness <= clock``.

    Parameters
    ----------
    end_us : int64[n]
        End of each row's window in microseconds.
    clock_us : int64[n]
        The clock of the row's partition just before the row.
    lateness_us : int64
        Allowed lateness, not negative; the sum saturates.
    fate : int8[n]
        Rows of fate `FOLD` become `LATE` where they are; others are left alone.

    Returns
    -------
    other : int64
        How many rows have a fate other than `FOLD` now.

    Notes
    -----
    O(n). The clock is exclusive: a window that ends at clock + 1 still takes its rows.
    Oracle: ``tests/oracles/windows.py::is_late``.
    """
    other = 0
    for i in range(len(end_us)):
        # end <= clock - lateness, kept away from the ends of int64
        if fate[i] == FOLD and clock_us[i] >= _MIN_US + lateness_us and end_us[i] <= clock_us[i] - lateness_us:
            fate[i] = LATE
        if fate[i] != FOLD:
            other += 1
    return other
