"""Sessions: which open session each row joins, founds or makes one of two; and how event times are cut into pieces."""

from __future__ import annotations

import numpy as np
from numba import njit

from arrowflow.types import I64, Bool

I64x2 = np.ndarray[tuple[int, int], np.dtype[np.int64]]

NOBODY = -1
ABSORBED = -2
HOLDER, FIRST, LAST, OLDER, NEWER = 0, 1, 2, 3, 4
"""What the columns of open sessions hold."""
SESSION_WIDTH = 5


@njit("Tuple((int64, int64))(int64, int64, int64, int64[:, ::1])", nogil=True, cache=True)
def find_session(event_us: int, gap_us: int, at: int, sessions: I64x2) -> tuple[int, int]:
    """Walk from a key's latest session back to the first one that does not begin too late for a row.

    Parameters
    ----------
    event_us, gap_us : int64
        The row's event time, and how far rows of one session may be apart.
    at : int64
        Slot of the key's latest session, -1 for none.
    sessions : int64[c, 5]
        As in `join_sessions`.

    Returns
    -------
    at, later : int64
        That session and the one after it in time; -1 for none.
    """
    later = NOBODY
    while at != NOBODY and event_us < sessions[at, FIRST] - gap_us:
        later, at = at, sessions[at, OLDER]
    return at, later


@njit("void(int64, int64, int64, int64, int64, int64[::1], int64[:, ::1])", nogil=True, cache=True)
def found_session(at: int, older: int, newer: int, key: int, event_us: int, newest: I64, sessions: I64x2) -> None:
    """Begin a session with one row and put it into the chain of its key.

    Parameters
    ----------
    at : int64
        Its slot.
    older, newer : int64
        Its neighbours in time, -1 for none.
    key, event_us : int64
        The row's key and event time.
    newest, sessions : int64[k], int64[c, 5]
        As in `join_sessions`, changed in place.
    """
    sessions[at, HOLDER], sessions[at, FIRST], sessions[at, LAST] = key, event_us, event_us
    sessions[at, OLDER], sessions[at, NEWER] = older, newer
    if older != NOBODY:
        sessions[older, NEWER] = at
    if newer == NOBODY:
        newest[key] = at
    else:
        sessions[newer, OLDER] = at


@njit("int64(int64, int64, int64, int64[::1], int64[:, ::1])", nogil=True, cache=True)
def stretch_session(at: int, event_us: int, gap_us: int, newest: I64, sessions: I64x2) -> int:
    """Let a session take a row within its gap; one that now reaches the session before it is absorbed by that.

    Parameters
    ----------
    at : int64
        Its slot.
    event_us, gap_us : int64
        The row's event time, and how far rows of one session may be apart.
    newest, sessions : int64[k], int64[c, 5]
        As in `join_sessions`, changed in place.

    Returns
    -------
    at : int64
        The slot of the session that has the row now.
    """
    sessions[at, LAST] = max(sessions[at, LAST], event_us)
    if event_us >= sessions[at, FIRST]:
        return at
    sessions[at, FIRST] = event_us
    before: int = sessions[at, OLDER]
    later = sessions[at, NEWER]
    if before == NOBODY or event_us > sessions[before, LAST] + gap_us:
        return at
    sessions[before, LAST], sessions[before, NEWER] = sessions[at, LAST], later
    if later == NOBODY:
        newest[sessions[at, HOLDER]] = before
    else:
        sessions[later, OLDER] = before
    sessions[at, OLDER], sessions[at, NEWER] = ABSORBED, ABSORBED
    return before


@njit(
    "Tuple((int64, int64, int64))(int64[::1], int64[::1], int64, int64, int64, int64, int64[::1], int64[:, ::1],"
    " int64[::1], int64[:, ::1], int64[::1])",
    nogil=True,
    cache=True,
)
def join_sessions(
    key: I64,
    event_us: I64,
    gap_us: int,
    begin: int,
    used: int,
    merges: int,
    newest: I64,
    sessions: I64x2,
    slot: I64,
    merged: I64x2,
    born: I64,
) -> tuple[int, int, int]:
    """Let each row join the open session of its key within the gap, found one, or make one of two.

    Parameters
    ----------
    key, event_us : int64[n]
        Group key numbers and event times; rows of key -1 leave no trace, ``event ± gap`` fits into int64.
    gap_us, begin, used, merges : int64
        Rows this far apart are in one session; row to begin at; slots taken and entries of `merged` written so far.
    newest, sessions : int64[k], int64[c, 5]
        Per key the slot of its latest open session, -1 for none; per slot `HOLDER` (its key), event times of the `FIRST`
        and `LAST` row, and `OLDER` and `NEWER` neighbour of its key (-1 for none, -2 once absorbed). Changed in place.
    slot : int64[n]
        Output: the slot each row joined, -1 for none; it may have been absorbed by another since.
    merged : int64[n, 2]
        Output: session ``merged[m, 0]`` absorbed ``merged[m, 1]``, in order.
    born : int64[c]
        Output: for a new slot, the row that founded it.

    Returns
    -------
    row, used, merges : int64
        First row not done (n when all are, less when slots must grow), slots taken, merges written.

    Notes
    -----
    O(n) where rows come nearly in order. Oracle: ``tests/oracles/windows.py::sessions``.
    """
    for i in range(begin, len(key)):
        slot[i] = NOBODY
        if key[i] == NOBODY:
            continue
        at = newest[key[i]]
        if at != NOBODY and sessions[at, FIRST] <= event_us[i] <= sessions[at, LAST] + gap_us:  # as most rows do
            slot[i], sessions[at, LAST] = at, max(sessions[at, LAST], event_us[i])
            continue
        at, later = find_session(event_us[i], gap_us, at, sessions)
        if at == NOBODY or event_us[i] > sessions[at, LAST] + gap_us:
            if used == len(sessions):
                return i, used, merges
            found_session(used, at, later, key[i], event_us[i], newest, sessions)
            slot[i], born[used], used = used, i, used + 1
            continue
        slot[i] = stretch_session(at, event_us[i], gap_us, newest, sessions)
        if slot[i] != at:
            merged[merges, 0], merged[merges, 1] = slot[i], at
            merges += 1
    return len(key), used, merges


@njit("void(int64[::1], int64[::1], int64[:, ::1])", nogil=True, cache=True)
def leave_sessions(slot: I64, newest: I64, sessions: I64x2) -> None:
    """Take sessions out of the chains of their keys.

    Parameters
    ----------
    slot : int64[m]
        Their slots, each once; those absorbed have left their chain already, and some may be in none.
    newest, sessions : int64[k], int64[c, 5]
        As in `join_sessions`, changed in place: their `HOLDER` becomes -1.

    Notes
    -----
    O(m). Oracle: lists, in ``tests/unit/windows/test_sessions.py``.
    """
    for i in range(len(slot)):
        at = slot[i]
        older, newer = sessions[at, OLDER], sessions[at, NEWER]
        if older >= 0:
            sessions[older, NEWER] = newer
        if newer >= 0:
            sessions[newer, OLDER] = older
        elif newest[sessions[at, HOLDER]] == at:
            newest[sessions[at, HOLDER]] = older
        sessions[at, HOLDER], sessions[at, OLDER], sessions[at, NEWER] = NOBODY, NOBODY, NOBODY


@njit("void(int64[::1], int64[:, ::1], int64[::1])", nogil=True, cache=True)
def follow_merges(slot: I64, merged: I64x2, survivor: I64) -> None:
    """Send rows whose session was absorbed to the one that absorbed it.

    Parameters
    ----------
    slot : int64[n]
        The slot of each row, -1 for none; changed in place.
    merged : int64[m, 2]
        Session ``merged[j, 0]`` absorbed ``merged[j, 1]``, in order.
    survivor : int64[c]
        Scratch, the slot numbers themselves on entry.

    Notes
    -----
    O(n + m). Oracle: ``tests/oracles/windows.py::sessions``.
    """
    for j in range(len(merged) - 1, -1, -1):
        survivor[merged[j, 1]] = survivor[merged[j, 0]]
    for i in range(len(slot)):
        if slot[i] != NOBODY:
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
    low, turn, tail = 0, 0, NOBODY
    for i in range(len(key)):
        if i > 0 and key[i] != key[i - 1]:
            low, turn, tail = i, i, NOBODY
        edge = event_us[i] - size_us
        while event_us[low] < edge or (event_us[low] == edge and not both):
            low += 1
        if low >= turn:
            for j in range(i - 1, low - 1, -1):
                into[merges], source[merges] = j, j + 1
                merges += 1
            turn, tail = i + 1, NOBODY
        else:
            if tail == NOBODY:
                tail = slots
                slots += 1
            into[merges], source[merges] = tail, i
            merges += 1
        if not due[i]:
            continue
        at[i] = low
        if tail != NOBODY:
            at[i] = slots
            into[merges], source[merges] = slots, low
            into[merges + 1], source[merges + 1] = slots, tail
            merges += 2
            slots += 1
    return merges, slots
