"""Sessions: which open session each row joins, founds or makes one of two; and how event times are cut into pieces."""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64, Bool

I8 = np.ndarray[tuple[int], np.dtype[np.int8]]

_NOBODY = -1
_ABSORBED = -2


@njit(
    "Tuple((int64, int64, int64))(int64[::1], int64[::1], int8[::1], int64, int64, int64, int64, int64[::1],"
    " int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def join_sessions(
    key: I64,
    event_us: I64,
    fate: I8,
    begin: int,
    gap_us: int,
    used: int,
    merges: int,
    newest: I64,
    holder: I64,
    first_us: I64,
    last_us: I64,
    older: I64,
    newer: I64,
    slot: I64,
    into: I64,
    source: I64,
    born: I64,
) -> tuple[int, int, int]:
    """Let each row join the open session of its key within the gap, found one, or make one of two.

    Parameters
    ----------
    key, event_us : int64[n]
        Group key numbers and event times; ``event ± gap`` fits into int64.
    fate : int8[n]
        Rows other than 0 get -1 and leave no trace.
    begin : int64
        Row to begin at.
    gap_us : int64
        Rows this far apart, or closer, are in one session.
    used, merges : int64
        Slots taken, and entries of `into` and `source` written so far.
    newest : int64[k]
        Per key the slot of its latest open session, or -1; changed in place.
    holder, first_us, last_us : int64[c]
        Per slot its key, and the event times of its first and last row; changed in place.
    older, newer : int64[c]
        Per slot the neighbours among the open sessions of its key, -1 for none, -2 where the session was absorbed;
        changed in place.
    slot : int64[n]
        Output: the slot each row joined; it may have been absorbed by another since.
    into, source : int64[n]
        Output: session `source` was absorbed by session `into`, in order.
    born : int64[c]
        Output: for a new slot, the row that founded it.

    Returns
    -------
    row, used, merges : int64
        First row not done (n when all are, less when slots must grow), slots taken, merges written.

    Notes
    -----
    O(n) where rows come nearly in order: the search starts at the key's latest session.
    Oracle: ``tests/oracles/windows.py::sessions``.
    """
    for i in range(begin, len(key)):
        slot[i] = _NOBODY
        if fate[i] != 0:
            continue
        event, later = event_us[i], _NOBODY
        at = newest[key[i]]
        while at != _NOBODY and event < first_us[at] - gap_us:
            later, at = at, older[at]
        if at == _NOBODY or event > last_us[at] + gap_us:
            if used == len(holder):
                return i, used, merges
            holder[used], first_us[used], last_us[used], born[used] = key[i], event, event, i
            older[used], newer[used] = at, later
            if at != _NOBODY:
                newer[at] = used
            if later == _NOBODY:
                newest[key[i]] = used
            else:
                older[later] = used
            slot[i] = used
            used += 1
            continue
        last_us[at] = max(last_us[at], event)
        if event < first_us[at]:
            first_us[at] = event
            before = older[at]
            if before != _NOBODY and event <= last_us[before] + gap_us:
                into[merges], source[merges] = before, at
                merges += 1
                last_us[before], newer[before] = last_us[at], later
                older[at], newer[at] = _ABSORBED, _ABSORBED
                if later == _NOBODY:
                    newest[key[i]] = before
                else:
                    older[later] = before
                at = before
        slot[i] = at
    return len(key), used, merges


@njit("void(int64[::1], int64[::1], int64[::1], int64[::1])", nogil=True, cache=True)
def follow_merges(slot: I64, into: I64, source: I64, survivor: I64) -> None:
    """Send rows whose session was absorbed to the one that absorbed it.

    Parameters
    ----------
    slot : int64[n]
        The slot of each row, -1 for none; changed in place.
    into, source : int64[m]
        Session `source` was absorbed by session `into`, in order.
    survivor : int64[c]
        Scratch, the slot numbers themselves on entry.

    Notes
    -----
    O(n + m). Oracle: ``tests/oracles/windows.py::sessions``.
    """
    for j in range(len(into) - 1, -1, -1):
        survivor[source[j]] = survivor[into[j]]
    for i in range(len(slot)):
        if slot[i] != _NOBODY:
            slot[i] = survivor[slot[i]]


@njit("void(int64[::1], int64[::1], int64, int64, int64[::1])", nogil=True, cache=True)
def cut_pieces(key: I64, event_us: I64, gap_us: int, max_length_us: int, piece: I64) -> None:
    """Number the sessions of bounded length that event times fall into.

    Parameters
    ----------
    key, event_us : int64[n]
        Ascending by key, then by event time; event time plus gap or length fits into int64.
    gap_us, max_length_us : int64
        A row starts a new session more than the gap after the row before it, or `max_length_us` after the first.
    piece : int64[n]
        Output: number of each row's session, ascending from 0.

    Notes
    -----
    O(n). Oracle: ``tests/oracles/windows.py::sessions``.
    """
    number, first = -1, 0
    for i in range(len(key)):
        apart = i == 0 or key[i] != key[i - 1]
        if apart or event_us[i] > event_us[i - 1] + gap_us or event_us[i] >= first + max_length_us:
            number += 1
            first = event_us[i]
        piece[i] = number


@njit(
    "Tuple((int64, int64))(int64[::1], int64[::1], boolean[::1], int64, boolean, int64[::1], int64[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def plan_trailing(
    key: I64, event_us: I64, due: Bool, size_us: int, both: bool, into: I64, source: I64, at: I64
) -> tuple[int, int]:
    """Say which cells to merge, in which order, so that each due cell gets what its trailing window holds.

    Parameters
    ----------
    key, event_us : int64[n]
        Cells, ascending by key, then by event time, all distinct; ``event - size`` fits. Cell i lies in scratch slot i.
    due : bool[n]
        Whose windows are wanted.
    size_us : int64
        The window of a cell at t holds its key's cells in ``(t - size, t]``.
    both : bool
        Whether the window holds ``t - size`` too.
    into, source : int64[4 * n]
        Output: merge scratch slot `source` into `into`, one after the other; slots from n on are blank at first.
    at : int64[n]
        Output: scratch slot of each due cell's window; anything for others.

    Returns
    -------
    merges, slots : int64
        Entries of `into` and `source` written, and scratch slots needed.

    Notes
    -----
    O(n): two stacks. Cells before the turning point hold what lies from them to it, and one slot grows with what
    came after it; when the window leaves the turning point behind, it moves to the newest cell.
    Oracle: ``tests/oracles/windows.py::sliding``.
    """
    merges, slots = 0, len(key)
    low, turn, tail = 0, 0, _NOBODY
    for i in range(len(key)):
        if i > 0 and key[i] != key[i - 1]:
            low, turn, tail = i, i, _NOBODY
        edge = event_us[i] - size_us
        while event_us[low] < edge or (event_us[low] == edge and not both):
            low += 1
        if low >= turn:
            for j in range(i - 1, low - 1, -1):
                into[merges], source[merges] = j, j + 1
                merges += 1
            turn, tail = i + 1, _NOBODY
        else:
            if tail == _NOBODY:
                tail = slots
                slots += 1
            into[merges], source[merges] = tail, i
            merges += 1
        if not due[i]:
            continue
        at[i] = low
        if tail != _NOBODY:
            at[i] = slots
            into[merges], source[merges] = slots, low
            into[merges + 1], source[merges + 1] = slots, tail
            merges += 2
            slots += 1
    return merges, slots
