"""Overlapping windows from panes: which are due, and how each is put together with few merges. Merges nothing itself."""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64, Bool

NOBODY = -1
_SHIFTS = 8
"""How many places panes may be away from where they belong, on average, before a general sort is the cheaper way."""


@njit(
    "int64(int64[::1], int64[::1], int64[::1], int64, int64, int64, int64, int64[::1], int64[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def find_due(
    start_us: I64,
    next_us: I64,
    limit_us: I64,
    size_us: int,
    period_us: int,
    origin_us: int,
    stride_us: int,
    which: I64,
    high_us: I64,
    last_us: I64,
) -> int:
    """Find the panes that have windows due, and the last one of those over each.

    Parameters
    ----------
    start_us, next_us, limit_us : int64[n]
        Start of each pane, end of the first window over it not yet given out, and the last end that is due.
    size_us, period_us, origin_us : int64
        The last window over a pane starts at the last instant not after the pane's start that is `origin_us` plus a
        multiple of `period_us`, and has this size.
    stride_us : int64
        Distance of the ends of two windows over one pane.
    which : int64[n]
        Output: panes with something due, ascending.
    high_us, last_us : int64[n]
        Output: for each of those the end of the last window due, and of the last one over it at all.

    Returns
    -------
    found : int64
        How many entries were written.

    Notes
    -----
    O(n); a pane that differs in nothing from the one before costs three comparisons, no division.
    Oracle: the ends counted one by one.
    """
    found, phase = 0, origin_us % period_us
    start, low, limit, high, last = 0, 0, 0, 0, 0
    for i in range(len(start_us)):
        if next_us[i] > limit_us[i]:
            continue
        if i == 0 or start_us[i] != start or next_us[i] != low or limit_us[i] != limit:
            start, low, limit = start_us[i], next_us[i], limit_us[i]
            last = start - (start % period_us - phase) % period_us + size_us
            up_to = min(limit, last)
            # Nothing is due where this is below `low`; only panes that are gone already have it so.
            high = up_to - (up_to - low) % stride_us
        if high >= low:
            which[found], high_us[found], last_us[found] = i, high, last
            found += 1
    return found


@njit(
    "boolean(int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def group_panes(rank: I64, low_us: I64, high_us: I64, first: I64, order: I64, low_out: I64, high_out: I64) -> bool:
    """Order panes by the rank of their key, then by their first and last end, in as much time as there are panes.

    Parameters
    ----------
    rank : int64[n]
        In ``[0, r)``.
    low_us, high_us : int64[n]
        Ends of the first and the last window due over each pane.
    first : int64[r + 1]
        Output, zero before: the panes of rank g are ``order[first[g]:first[g + 1]]``.
    order, low_out, high_out : int64[n]
        Output: the panes in order, and what they have.

    Returns
    -------
    ordered : bool
        False where the panes of keys were so far out of order that this gave up; then only `first` stands.

    Notes
    -----
    O(n + r): counting by key, then insertion, as panes mostly come in the order of time. Oracle: ``sorted``.
    """
    for i in range(len(rank)):
        first[rank[i] + 1] += 1
    for g in range(1, len(first)):
        first[g] += first[g - 1]
    cursor, shifts = first.copy(), 0
    for i in range(len(rank)):
        at, begin = cursor[rank[i]], first[rank[i]]
        cursor[rank[i]] += 1
        while at > begin:
            if low_out[at - 1] < low_us[i] or (low_out[at - 1] == low_us[i] and high_out[at - 1] <= high_us[i]):
                break
            order[at], low_out[at], high_out[at] = order[at - 1], low_out[at - 1], high_out[at - 1]
            at -= 1
            shifts += 1
        order[at], low_out[at], high_out[at] = i, low_us[i], high_us[i]
        if shifts > _SHIFTS * len(rank):
            return False
    return True


@njit("int64(int64[::1], int64[::1], int64[::1], int64, boolean[::1])", nogil=True, cache=True)
def count_windows(first: I64, low_us: I64, high_us: I64, stride_us: int, odd: Bool) -> int:
    """Count the windows due, and find the keys whose panes do not begin and end in one order.

    Parameters
    ----------
    first : int64[r + 1]
        The panes of key g are ``[first[g], first[g + 1])``.
    low_us, high_us : int64[n]
        Ends of the first and the last window due over each pane; windows end one stride apart.
    stride_us : int64
        Their distance.
    odd : bool[r]
        Output: whether `sweep_windows` has to leave this key out.

    Returns
    -------
    windows : int64
        How many windows of the others there are.

    Notes
    -----
    O(n + r), one division per stretch of windows without a gap. Oracle: a set of ends.
    """
    windows = 0
    for g in range(len(odd)):
        odd[g], own, begin = False, 0, first[g]
        for j in range(first[g] + 1, first[g + 1]):
            odd[g] = odd[g] or low_us[j] < low_us[j - 1] or high_us[j] < high_us[j - 1]
            if low_us[j] - stride_us > high_us[j - 1]:
                own += (high_us[j - 1] - low_us[begin]) // stride_us + 1
                begin = j
        if begin < first[g + 1] and not odd[g]:
            windows += own + (high_us[first[g + 1] - 1] - low_us[begin]) // stride_us + 1
    return windows


@njit("int64(int64, int64, int64, int64, int64, int64[::1], int64[::1])", nogil=True, cache=True)
def turn_over(low: int, newest: int, turn: int, grown: int, merges: int, into: I64, source: I64) -> int:
    """Let each pane hold what lies from it to the newest one, from the newest back.

    Parameters
    ----------
    low, newest : int64
        The panes ``[low, newest)``, at least one.
    turn, grown : int64
        The slot of pane `turn` holds what lies from it to before `grown` already; -1 where it holds itself alone.
    merges : int64
        How many are written.
    into, source : int64[m]
        As in `sweep_windows`.

    Returns
    -------
    merges : int64
        How many are written now.
    """
    stays = grown != NOBODY and low == turn
    for j in range(newest - 2, low if stays else low - 1, -1):
        into[merges], source[merges] = j, j + 1
        merges += 1
    if stays and grown < newest:
        into[merges], source[merges] = turn, grown
        merges += 1
    return merges


@njit(
    "Tuple((int64, int64, int64))(int64, int64, int64, int64, int64, int64[::1], int64[::1], int64, int64[::1],"
    " int64[::1], int64[::1], int64[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def sweep_key(
    low: int,
    stop: int,
    windows: int,
    merges: int,
    slots: int,
    low_us: I64,
    high_us: I64,
    stride_us: int,
    end_us: I64,
    pane: I64,
    at: I64,
    into: I64,
    source: I64,
) -> tuple[int, int, int]:
    """Put the windows of one key together: what `sweep_windows` does for each.

    Parameters
    ----------
    low, stop, windows, merges, slots : int64
        The panes ``[low, stop)``, at least one; what is written, and the scratch slots taken so far.
    low_us, high_us, stride_us, end_us, pane, at, into, source : int64[n], int64[n], int64, int64[w] and int64[m]
        As in `sweep_windows`.

    Returns
    -------
    windows, merges, slots : int64
        The same, now.
    """
    newest, turn, grown, given = low, low, NOBODY, NOBODY
    end = low_us[low]
    while True:
        while newest < stop and low_us[newest] <= end:
            newest += 1
        while low < newest and high_us[low] < end:
            low += 1
        if low == newest:
            end = low_us[newest]
            continue
        found = low
        if low >= turn:
            merges = turn_over(low, newest, turn, grown, merges, into, source)
            turn, grown = newest, NOBODY
        elif grown != NOBODY or newest > turn:
            for j in range(grown if grown != NOBODY else turn + 1, newest):
                into[merges], source[merges] = turn, j
                merges += 1
            grown = newest
            if low == given or high_us[low] - stride_us >= end:  # others need what it holds
                found, slots = slots, slots + 1
                into[merges], source[merges] = found, low
                merges += 1
            into[merges], source[merges] = found, turn
            merges += 1
        given = low if found == low else given
        end_us[windows], pane[windows], at[windows] = end, low, found
        windows += 1
        if newest == stop and high_us[stop - 1] - stride_us < end:
            return windows, merges, slots
        end += stride_us


@njit(
    "Tuple((int64, int64, int64))(int64[::1], boolean[::1], int64[::1], int64[::1], int64, int64[::1], int64[::1],"
    " int64[::1], int64[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def sweep_windows(
    first: I64,
    odd: Bool,
    low_us: I64,
    high_us: I64,
    stride_us: int,
    end_us: I64,
    pane: I64,
    at: I64,
    into: I64,
    source: I64,
) -> tuple[int, int, int]:
    """Say which panes to merge, in which order, so that each window gets what its panes hold.

    Parameters
    ----------
    first, odd, low_us, high_us, stride_us : int64[r + 1], bool[r], int64[n], int64[n], int64
        As in `count_windows`. Pane j lies in scratch slot j.
    end_us, pane, at : int64[w]
        Output per window: its end, its earliest pane, and the scratch slot of its contents.
    into, source : int64[2 * n + 3 * w]
        Output: merge scratch slot `source` into `into`, one after the other; slots from n on are blank at first.

    Returns
    -------
    windows, merges, slots : int64
        Windows and merges written, and scratch slots needed.

    Notes
    -----
    O(n + w): two stacks, with no slot but those of the panes where windows follow one another. Panes from the lowest
    to before the turn hold what lies from them to the turn; the one at the turn grows with what came after it. When
    the windows leave the turn behind, it moves behind the newest pane. Oracle: a sum per window over all panes.
    """
    windows, merges, slots = 0, 0, len(low_us)
    for g in range(len(odd)):
        if first[g] == first[g + 1] or odd[g]:
            continue
        windows, merges, slots = sweep_key(
            first[g], first[g + 1], windows, merges, slots, low_us, high_us, stride_us, end_us, pane, at, into, source
        )
    return windows, merges, slots


@njit("boolean(int64[::1], int64, int64[::1])", nogil=True, cache=True)
def order_ends(end_us: I64, stride_us: int, order: I64) -> bool:
    """Order windows by their end; those with one end stay in the order they have.

    Parameters
    ----------
    end_us : int64[n]
        Their ends, any number of strides apart.
    stride_us : int64
        What two ends are apart at least.
    order : int64[n]
        Output: the windows in order, if they were.

    Returns
    -------
    ordered : bool
        False where the ends are so far apart that this gave up.

    Notes
    -----
    O(n): counting. Oracle: ``sorted``.
    """
    if len(end_us) == 0:
        return True
    least, most = end_us.min(), end_us.max()
    # Halves cannot overflow: the ends may lie at both ends of int64.
    if most // 2 - least // 2 > stride_us * (len(end_us) // 2):
        return False
    place = np.empty(len(end_us), np.int64)
    first = np.zeros((most - least) // stride_us + 2, np.int64)
    for i in range(len(end_us)):
        place[i] = (end_us[i] - least) // stride_us
        first[place[i] + 1] += 1
    for p in range(1, len(first)):
        first[p] += first[p - 1]
    for i in range(len(end_us)):
        order[first[place[i]]] = i
        first[place[i]] += 1
    return True
