"""From event times to windows, and what becomes of each row. Touches no state.

The fate of a row is an int8: `FOLD`, `LATE`, or a reason to reject it. Later kernels look at rows of fate `FOLD` only.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64

I8 = np.ndarray[tuple[int], np.dtype[np.int8]]

FOLD, LATE, OUT_OF_RANGE, NO_CALENDAR, OFF, UNKNOWN, NO_WINDOW = 0, 1, 2, 3, 4, 5, 6

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
        Output: `FOLD`, or `OUT_OF_RANGE` where the window does not lie inside int64 (its least number is minus infinity).

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
            if event <= _MIN_US + into or event - into > _MAX_US - size_us:
                start_us[i], end_us[i], fate[i] = 0, 0, OUT_OF_RANGE
                continue
            start = event - into
            end = start + size_us
        start_us[i], end_us[i], fate[i] = start, end, FOLD


@njit(
    "void(int64[::1], int64, int64, int64, int64, int64[::1], int64[::1], int64[::1], int64[::1], int8[::1])",
    nogil=True,
    cache=True,
)
def assign_hopping(
    event_us: I64,
    size_us: int,
    hop_us: int,
    pane_us: int,
    origin_us: int,
    start_us: I64,
    end_us: I64,
    first_us: I64,
    last_us: I64,
    fate: I8,
) -> None:
    """Find the pane of each row, and the ends of the first and the last window that hold it.

    Parameters
    ----------
    event_us : int64[n]
        Event times in microseconds.
    size_us, hop_us, pane_us, origin_us : int64
        Microseconds; the pane divides both size and hop. Window starts are `origin_us` plus multiples of the hop.
    start_us, end_us : int64[n]
        Output: the pane ``[start, end)``; zero where there is none.
    first_us, last_us : int64[n]
        Output: ends of the first and last window over the pane; between them there is one every `hop_us`.
    fate : int8[n]
        Output: `FOLD`, `OUT_OF_RANGE` where one of these windows does not fit into int64, `NO_WINDOW` between windows.

    Notes
    -----
    O(n); a row in the same pane as the row before it costs two comparisons, no division.
    Oracle: ``tests/oracles/windows.py::hopping``.
    """
    pane_phase, hop_phase, size_rest = origin_us % pane_us, origin_us % hop_us, size_us % hop_us
    low, high = _MIN_US + size_us + hop_us, _MAX_US - size_us - hop_us
    start, end, first, last, since, until = 0, 0, 0, 0, 0, 0
    for i in range(len(event_us)):
        event = event_us[i]
        if not since <= event < until:
            into_hop = (event % hop_us - hop_phase) % hop_us
            start_us[i], end_us[i], first_us[i], last_us[i] = 0, 0, 0, 0
            # The last window starts at or before the row; the first one ends just after it.
            if event < low or event > high:
                fate[i] = OUT_OF_RANGE
                continue
            if into_hop >= size_us:
                fate[i] = NO_WINDOW
                continue
            into_pane = (event % pane_us - pane_phase) % pane_us
            start = event - into_pane
            end = start + pane_us
            # What the row before it says holds where the whole pane is in range.
            since, until = max(start, low), min(end, high + 1)
            last = event - into_hop + size_us
            # Ends lie one hop apart; the first one after the row is this far from it.
            first = event + hop_us - (into_hop - size_rest) % hop_us
        start_us[i], end_us[i], first_us[i], last_us[i], fate[i] = start, end, first, last, FOLD


@njit(
    "void(int64[::1], int64, int64, int64, int64[::1], int64[::1], int64[::1], int64[::1], int8[::1])",
    nogil=True,
    cache=True,
)
def assign_cumulative(
    event_us: I64,
    size_us: int,
    step_us: int,
    origin_us: int,
    start_us: I64,
    end_us: I64,
    first_us: I64,
    last_us: I64,
    fate: I8,
) -> None:
    """Find the step of each row, and the ends of the first and the last window that hold it.

    Parameters
    ----------
    event_us : int64[n]
        Event times in microseconds.
    size_us, step_us, origin_us : int64
        Microseconds; the step divides the size. Windows start at `origin_us` plus multiples of the size.
    start_us, end_us : int64[n]
        Output: the step ``[start, end)``; zero where its windows do not fit.
    first_us, last_us : int64[n]
        Output: ends of the first and last window over it; between them there is one every `step_us`.
    fate : int8[n]
        Output: `FOLD`, or `OUT_OF_RANGE` where one of these windows does not fit into int64.

    Notes
    -----
    O(n). Oracle: ``tests/oracles/windows.py::cumulative``.
    """
    size_phase = origin_us % size_us
    start, end, last = 0, 0, 0
    for i in range(len(event_us)):
        event = event_us[i]
        if not start <= event < end:
            into = (event % size_us - size_phase) % size_us
            if event <= _MIN_US + into or event - into > _MAX_US - size_us:
                start_us[i], end_us[i], first_us[i], last_us[i], fate[i] = 0, 0, 0, 0, OUT_OF_RANGE
                continue
            last = event - into + size_us
            start = event - into % step_us
            end = start + step_us
        start_us[i], end_us[i], first_us[i], last_us[i], fate[i] = start, end, end, last, FOLD


@njit("int64(int64[::1], int64[::1], int64[::1], int64, int64, int64[::1], int8[::1])", nogil=True, cache=True)
def judge_missed(
    first_us: I64, last_us: I64, clock_us: I64, stride_us: int, lateness_us: int, missed: I64, fate: I8
) -> int:
    """Count the windows over each row's pane that its partition has left behind: ``end + lateness <= clock``.

    Parameters
    ----------
    first_us, last_us : int64[n]
        Ends of the first and last window; there is one every `stride_us`.
    clock_us : int64[n]
        The clock of the row's partition just before the row.
    stride_us, lateness_us : int64
        Distance of two windows, and the allowed lateness; the sum saturates.
    missed : int64[n]
        Output: how many windows the row came too late for; all of them makes it late.
    fate : int8[n]
        Rows of fate `FOLD` become `LATE` where they missed every window; others are left alone.

    Returns
    -------
    other : int64
        How many rows have a fate other than `FOLD` now, or have missed a window.

    Notes
    -----
    O(n). Oracle: ``tests/oracles/windows.py::is_late`` for each window.
    """
    other = 0
    for i in range(len(first_us)):
        missed[i] = 0
        if fate[i] == FOLD and clock_us[i] >= _MIN_US + lateness_us:
            limit = clock_us[i] - lateness_us
            if last_us[i] <= limit:
                fate[i] = LATE
            elif first_us[i] <= limit:
                missed[i] = (limit - first_us[i]) // stride_us + 1
        if fate[i] != FOLD or missed[i] != 0:
            other += 1
    return other


@njit("int64(int64[::1], int64[::1], int64, int8[::1])", nogil=True, cache=True)
def judge_behind(event_us: I64, clock_us: I64, lateness_us: int, fate: I8) -> int:
    """Mark rows that are late by their own time: ``event + lateness < clock``, strictly.

    Parameters
    ----------
    event_us, clock_us : int64[n]
        Event times, and the clock of the row's partition just before the row.
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
    O(n). For windows whose bounds depend on the rows. Oracle: ``tests/oracles/windows.py::is_behind``.
    """
    other = 0
    for i in range(len(event_us)):
        if fate[i] == FOLD and clock_us[i] >= _MIN_US + lateness_us and event_us[i] < clock_us[i] - lateness_us:
            fate[i] = LATE
        if fate[i] != FOLD:
            other += 1
    return other


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
