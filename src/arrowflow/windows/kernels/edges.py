"""The first or last value of each cell by event time. Rows of one call come from one partition, offsets ascending."""

from __future__ import annotations

from numba import njit

from arrowflow.types import I64, Bool


@njit("boolean(int64, int64, int64, int64, int64, int64, boolean)", nogil=True, cache=True)
def is_beyond(
    event_us: int, rank: int, offset: int, held_event_us: int, held_rank: int, held_offset: int, last: bool
) -> bool:
    """Whether a place (event time, partition rank, offset) lies before the one held, or after it for `last`.

    Parameters
    ----------
    event_us, rank, offset : int64
        The place of a row.
    held_event_us, held_rank, held_offset : int64
        The place held.
    last : bool
        Which way to look.

    Returns
    -------
    beyond : bool
        False for equal places.
    """
    if event_us != held_event_us:
        return (event_us > held_event_us) == last
    if rank != held_rank:
        return (rank > held_rank) == last
    return offset != held_offset and (offset > held_offset) == last


@njit(
    "int64(int64[::1], boolean[::1], int64[::1], int64[::1], int64[::1], int64, int64[::1], boolean,"
    " int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def keep_edge(
    slot: I64,
    valid: Bool,
    event_us: I64,
    offset: I64,
    value: I64,
    feeder: int,
    rank: I64,
    last: bool,
    kept_value: I64,
    kept_event_us: I64,
    kept_feeder: I64,
    kept_offset: I64,
    moved: I64,
) -> int:
    """Keep the value with the smallest (or largest) (event time, partition rank, offset) of each cell.

    Parameters
    ----------
    slot : int64[n]
        Cell of each row; negative rows are skipped.
    valid : bool[n]
        False where the value is null: nulls are never first or last.
    event_us, offset, value : int64[n]
        Event time in microseconds, offset, value's bits.
    feeder : int64
        Number of the partition all rows come from.
    rank : int64[p]
        Place of each partition number in the order of (source, topic, partition).
    last : bool
        Whether to keep the largest instead of the smallest.
    kept_value, kept_event_us, kept_feeder, kept_offset : int64[c]
        What each cell holds, changed in place; `kept_feeder` is -1 where a cell holds nothing.
    moved : int64[n]
        Output: cells that changed, in row order, with repeats.

    Returns
    -------
    moves : int64
        How many entries of `moved` were written.

    Notes
    -----
    O(n); the order of rows never matters, since that of places is total.
    Oracle: ``tests/oracles/windows.py::finish``, ``first`` and ``last``.
    """
    moves = 0
    for i in range(len(slot)):
        cell = slot[i]
        if cell < 0 or not valid[i]:
            continue
        held = kept_feeder[cell]
        if held < 0 or is_beyond(
            event_us[i], rank[feeder], offset[i], kept_event_us[cell], rank[held], kept_offset[cell], last
        ):
            kept_value[cell], kept_event_us[cell] = value[i], event_us[i]
            kept_feeder[cell], kept_offset[cell] = feeder, offset[i]
            moved[moves] = cell
            moves += 1
    return moves


@njit(
    "int64(int64[::1], int64[::1], int64[::1], boolean, int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def merge_edges(
    into: I64,
    source: I64,
    rank: I64,
    last: bool,
    kept_value: I64,
    kept_event_us: I64,
    kept_feeder: I64,
    kept_offset: I64,
    moved: I64,
) -> int:
    """Keep the value with the smaller (or larger) place of two cells in the first, pair by pair.

    Parameters
    ----------
    into, source : int64[m]
        Cells; one may stand on both sides, and more than once.
    rank, last : int64[p], bool
        As in `keep_edge`.
    kept_value, kept_event_us, kept_feeder, kept_offset : int64[c]
        What each cell holds, changed in place; `kept_feeder` is -1 where a cell holds nothing.
    moved : int64[m]
        Output: pairs whose source won, ascending.

    Returns
    -------
    moves : int64
        How many entries of `moved` were written.

    Notes
    -----
    O(m). Oracle: one pass over all values.
    """
    moves = 0
    for i in range(len(into)):
        a, b = into[i], source[i]
        held, other = kept_feeder[a], kept_feeder[b]
        if other < 0:
            continue
        if held < 0 or is_beyond(
            kept_event_us[b], rank[other], kept_offset[b], kept_event_us[a], rank[held], kept_offset[a], last
        ):
            kept_value[a], kept_event_us[a] = kept_value[b], kept_event_us[b]
            kept_feeder[a], kept_offset[a] = other, kept_offset[b]
            moved[moves] = i
            moves += 1
    return moves
